//! State of which each worker has its own.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, ThreadId};

use evenkeel::pool::{self, PerWorker};

use super::{bounded, pool};

#[test]
fn each_worker_has_one_that_it_has_made_and_nothing_is_lost() {
    bounded(|| {
        let pool = pool(3);
        let states = PerWorker::new(&pool, || (thread::current().id(), 0_u64));
        let use_it = |by: u64| {
            states.with(|(maker, sum)| {
                assert_eq!(*maker, thread::current().id());
                *sum += by;
            });
        };
        for _ in 0..50 {
            pool.install(|| pool::scope(|s| (1..=100).for_each(|i| s.spawn(move || use_it(i)))));
        }
        let states: Vec<(ThreadId, u64)> = states.into_iter().collect();
        assert!((1..=3).contains(&states.len()), "{states:?}");
        assert_eq!(states.iter().map(|(_, sum)| sum).sum::<u64>(), 50 * 5050);
    });
}

#[test]
fn work_that_is_taken_up_within_gets_another() {
    bounded(|| {
        let pool = pool(1);
        let states = PerWorker::new(&pool, || 0);
        pool.install(|| {
            states.with(|outer| {
                // The only worker runs what it waits for itself.
                pool::scope(|s| s.spawn(|| states.with(|inner| *inner += 10)));
                *outer += 1;
            });
        });
        let mut states: Vec<i32> = states.into_iter().collect();
        states.sort_unstable();
        assert_eq!(states, [1, 10]);
    });
}

#[test]
fn guests_and_other_threads_have_some_too() {
    bounded(|| {
        let (pool, other, made) = (pool(1), pool(1), AtomicUsize::new(0));
        let states = PerWorker::new(&pool, || {
            made.fetch_add(1, Ordering::Relaxed);
            0
        });
        let met = Barrier::new(2);
        let meet = || {
            states.with(|state| {
                met.wait();
                *state += 1;
            });
        };
        pool.take_part(|| pool::join(meet, meet));
        assert_eq!(made.load(Ordering::Relaxed), 2);
        // One after the other they take what the guest has left.
        states.with(|state| *state += 1);
        other.install(|| states.with(|state| *state += 1));
        thread::scope(|s| drop(s.spawn(|| states.with(|state| *state += 1))));
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert_eq!(states.into_iter().collect::<Vec<_>>(), [1, 4]);
    });
}

#[test]
fn a_state_in_which_somebody_panicked_is_gone() {
    bounded(|| {
        let pool = pool(1);
        let dropped = Arc::new(());
        let states = PerWorker::new(&pool, || Arc::clone(&dropped));
        let fails = || pool.install(|| states.with(|_| panic!("on purpose")));
        let payload = panic::catch_unwind(AssertUnwindSafe(fails)).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
        assert_eq!(Arc::strong_count(&dropped), 1);
        pool.install(|| states.with(|_| ()));
        assert_eq!(states.into_iter().count(), 1);
    });
}
