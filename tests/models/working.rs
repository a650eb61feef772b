//! Workers that split up work, wait and park: what was split off runs once, and where there is one
//! who has nothing to do, at the same time.

use loom::cell::UnsafeCell;

use crate::check;
use crate::latch::Latch;
use crate::team::Team;

/// What one closure writes and another reads. Loom sees whether it has been written before.
#[derive(Default)]
struct Cell(UnsafeCell<u32>);

// SAFETY: as above.
unsafe impl Sync for Cell {}

impl Cell {
    /// Adds one.
    fn count(&self) {
        // SAFETY: loom sees to it.
        self.0.with_mut(|n| unsafe { *n += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|n| unsafe { *n })
    }
}

#[test]
fn a_join_gives_both_results() {
    check(1, || {
        Team::run(2, |cx| {
            let cells = [Cell::default(), Cell::default()];
            let [a, b] = &cells;
            let results = cx.join(
                |_| {
                    a.count();
                    a
                },
                |_| {
                    b.count();
                    b
                },
            );
            assert_eq!((results.0.get(), results.1.get()), (1, 1));
        });
    });
}

/// The one side waits for the other, so it takes two.
#[test]
fn both_sides_of_a_join_run_at_the_same_time() {
    check(1, || {
        Team::run(2, |cx| {
            let latch = Latch::for_this_thread();
            let latch = &latch;
            // SAFETY: the join does not end before.
            cx.join(|_| latch.wait(), |_| unsafe { Latch::set(latch) });
        });
    });
}
