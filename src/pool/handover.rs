//! Parking, the latch and tallies as they are in the pool, with the barrier of the system. All
//! schedules of them are tried by `tests/models`.

use std::ptr;

use super::latch::Latch;
use super::sleep::{Sleep, Waker, park};
use super::sync::{AtomicUsize, Ordering, heavy, thread};
use super::tally::Tallies;

/// Two threads hand a counter to and fro; a lost wake-up would hang.
#[test]
fn no_wake_up_is_lost() {
    let (sleep, turn) = ([Sleep::new(1), Sleep::new(1)], AtomicUsize::new(0));
    let play = |me: usize| {
        for round in 0..2_000 {
            let mine = || turn.load(Ordering::Relaxed) == 2 * round + me;
            while !mine() {
                sleep[me].announce(0, &thread::current());
                let reached = heavy();
                if !mine() {
                    park(reached);
                }
                sleep[me].withdraw(0);
            }
            turn.fetch_add(1, Ordering::Relaxed);
            sleep[1 - me].wake_one(Waker::GoesOn);
        }
    };
    thread::scope(|s| {
        s.spawn(|| play(0));
        s.spawn(|| play(1));
    });
    assert_eq!(turn.into_inner(), 4_000);
}

#[test]
fn what_was_written_before_setting_is_seen_after_waiting() {
    for round in 0..500 {
        let latch = Latch::for_this_thread();
        let mut value = 0;
        thread::scope(|s| {
            let (latch, value) = (&latch, &mut value);
            s.spawn(move || {
                *value = round;
                // SAFETY: the latch outlives the scope of this thread.
                unsafe { Latch::set(latch) };
            });
            latch.wait();
        });
        assert_eq!(value, round);
    }
}

/// One that has ended the last closure is held up before it looks who waits; meanwhile the tally has
/// come to another scope.
#[test]
fn whoever_looks_late_finds_the_one_that_waits_now() {
    let tallies = Tallies::new(2);
    let workers = [1, 2].map(|at| ptr::without_provenance(at << 8));
    let tally = tallies.lend();
    // SAFETY: its tallies are there, and nothing was begun by it.
    let same = unsafe {
        tally.as_ref().announce(workers[0]);
        tallies.take_back(tally);
        tallies.lend()
    };
    assert_eq!(same, tally);
    // SAFETY: as above.
    let tally = unsafe { same.as_ref() };
    assert_eq!(tally.end(0, 1), None);
    tally.announce(workers[1]);
    assert_eq!(tally.end(0, 1), Some(workers[1]));
    assert_eq!(tally.end(0, 1), None);
    // SAFETY: nothing is begun by it any more.
    unsafe { tallies.take_back(same) };
}
