//! What is counted of what the workers do.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use evenkeel::pool::{self, Counts, Steals};

use super::{bounded, pool};

/// Joins down to `leaves`; counts the halves that another worker has run, and waits at the last
/// ones so that there are some.
fn tree(leaves: u64, met: &Barrier, elsewhere: &AtomicU64) {
    if leaves == 1 {
        return;
    }
    let maker = pool::current_core();
    let half = || {
        if pool::current_core() != maker {
            elsewhere.fetch_add(1, Ordering::Relaxed);
        }
        tree(leaves / 2, met, elsewhere);
    };
    if leaves == 2 {
        pool::join(
            || met.wait(),
            || {
                half();
                met.wait()
            },
        );
    } else {
        pool::join(|| tree(leaves / 2, met, elsewhere), half);
    }
}

#[test]
fn the_thefts_are_as_many_as_the_halves_that_others_have_run() {
    bounded(|| {
        let pool = pool(2);
        for round in 1..=50 {
            let (before, elsewhere) = (pool.statistics().total(), AtomicU64::new(0));
            pool.install(|| tree(64, &Barrier::new(2), &elsewhere));
            let (after, elsewhere) = (pool.statistics().total(), elsewhere.into_inner());
            assert!(elsewhere >= 1, "nothing was stolen");
            assert_eq!(after.steals.cache - before.steals.cache, elsewhere);
            assert_eq!(
                (after.steals.list, after.steals.domain, after.steals.remote),
                (round, 0, 0)
            );
            assert_eq!(after.steals.total(), after.steals.cache + round);
            // The root, which came by the list, and what was stolen: no half that came back.
            assert_eq!(after.tasks - before.tasks, 1 + elsewhere);
        }
    });
}

#[test]
fn each_closure_of_a_scope_is_a_task_whoever_runs_it() {
    bounded(|| {
        let pool = pool(3);
        pool.install(|| pool::scope(|s| (0..1000).for_each(|_| s.spawn(|| ()))));
        // What thieves have run they count when they look for more.
        while pool.statistics().total().tasks < 1001 {
            thread::yield_now();
        }
        assert_eq!(pool.statistics().total().tasks, 1001);
    });
}

#[test]
fn who_sleeps_has_been_counted() {
    bounded(|| {
        let pool = pool(2);
        while pool.statistics().workers.iter().any(|worker| worker.parks == 0) {
            thread::yield_now();
        }
        assert_eq!(pool.statistics().total().tasks, 0);
    });
}

#[test]
fn what_is_taken_from_a_guest_is_from_afar() {
    bounded(|| {
        let pool = pool(1);
        let met = Barrier::new(2);
        pool.take_part(|| pool::join(|| met.wait(), || met.wait()));
        let statistics = pool.statistics();
        let worker = Counts { parks: 0, ..statistics.workers[0] };
        let steals = Steals { remote: 1, ..Steals::default() };
        assert_eq!(worker, Counts { tasks: 1, steals, parks: 0 });
        assert_eq!(Counts { parks: 0, ..statistics.guests }, Counts::default());
    });
}
