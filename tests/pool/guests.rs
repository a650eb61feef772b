//! Threads that are not workers and take part.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc;
use std::thread;

use evenkeel::policy::Schedule;
use evenkeel::pool;

use super::{bounded, pool};

#[test]
fn the_caller_does_it_and_the_workers_help() {
    bounded(|| {
        let pool = pool(2);
        let me = thread::current().id();
        let ((to_b, from_a), (to_a, from_b)) = (mpsc::channel(), mpsc::channel());
        let (here, there) = pool.take_part(|| {
            assert_eq!((thread::current().id(), pool::current_core()), (me, None));
            pool::join(
                move || {
                    to_b.send(()).unwrap();
                    from_b.recv().unwrap();
                    thread::current().id()
                },
                move || {
                    to_a.send(()).unwrap();
                    from_a.recv().unwrap();
                    thread::current().id()
                },
            )
        });
        assert_eq!(here, me);
        assert_ne!(there, me);
    });
}

#[test]
fn loops_by_any_schedule_from_more_threads_than_there_are_places() {
    const NAMES: [&str; 7] = ["static", "ss", "gss", "tss", "fac2", "awf", "steal"];
    bounded(|| {
        let pool = pool(3);
        thread::scope(|s| {
            for n in 0..8_u64 {
                let pool = &pool;
                s.spawn(move || {
                    for round in 0..30_u64 {
                        let schedule: Schedule = NAMES[(n + round) as usize % 7].parse().unwrap();
                        let numbers = || pool::range(0..n * 100 + round).schedule(schedule);
                        let sum = pool.take_part(|| numbers().map_reduce(|i| i, 0, |a, b| a + b));
                        assert_eq!(sum, (0..n * 100 + round).sum::<u64>(), "{schedule}");
                    }
                });
            }
        });
    });
}

#[test]
fn what_a_guest_spawns_is_run_when_he_has_left() {
    bounded(|| {
        let pool = pool(1);
        let (send, receive) = mpsc::channel();
        for i in 0..20 {
            pool.take_part(|| {
                let send = send.clone();
                pool::spawn(move || send.send((i, pool::current_core().is_some())).unwrap());
            });
        }
        let mut seen: Vec<_> = receive.iter().take(20).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..20).map(|i| (i, true))), "all by the worker");
    });
}

#[test]
fn a_panic_goes_on_and_the_place_is_free_again() {
    bounded(|| {
        let pool = pool(2);
        for _ in 0..20 {
            let fails = || pool.take_part(|| pool::join(|| panic!("on purpose"), || 1).1);
            let payload = panic::catch_unwind(AssertUnwindSafe(fails)).unwrap_err();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
        }
        let me = thread::current().id();
        assert_eq!(pool.take_part(|| thread::current().id()), me);
        pool.install(|| assert_eq!(pool.take_part(pool::current_core), pool::current_core()));
    });
}

#[test]
fn a_scope_waits_for_what_workers_have_taken() {
    bounded(|| {
        let pool = pool(2);
        for _ in 0..50 {
            let mut cells = vec![0; 500];
            pool.take_part(|| {
                pool::scope(|s| cells.iter_mut().for_each(|cell| s.spawn(|| *cell += 1)));
            });
            assert!(cells.iter().all(|cell| *cell == 1));
        }
    });
}
