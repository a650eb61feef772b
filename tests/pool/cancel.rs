//! What is cancelled before it has begun does not begin.

use std::sync::atomic::{AtomicUsize, Ordering};

use evenkeel::pool::{self, Cancellation};

use super::{bounded, pool};

#[test]
fn closures_that_have_not_begun_are_dropped() {
    struct Dropped<'a>(&'a AtomicUsize);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    bounded(|| {
        let (run, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let cancellation = Cancellation::new();
        // One worker runs what was spawned last first.
        pool(1).install(|| {
            pool::scope(|s| {
                for i in 0..100 {
                    let (run, cancellation) = (&run, &cancellation);
                    let dropped = Dropped(&dropped);
                    s.spawn_unless(cancellation, move || {
                        let _dropped = dropped;
                        run.fetch_add(1, Ordering::Relaxed);
                        if i == 90 {
                            cancellation.cancel();
                        }
                    });
                }
            });
        });
        assert_eq!(run.into_inner(), 10, "99 down to 90");
        assert_eq!(dropped.into_inner(), 100);
        assert!(cancellation.clone().is_cancelled());
    });
}
