//! Work that blocks does not take a worker from those who wait for other work.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use evenkeel::model::CoreId;
use evenkeel::pool;

#[cfg(target_os = "linux")]
use super::idle::{assert_asleep, threads};
use super::{bounded, pool};

#[test]
fn another_thread_stands_in_and_is_kept_for_the_next_time() {
    bounded(|| {
        const TIMES: usize = 100;
        let (pool, mut ran) = (pool(1), Vec::new());
        for _ in 0..TIMES {
            let (blocked, other) = pool.install(|| {
                let (send, receive) = mpsc::channel();
                pool::spawn(move || send.send(thread::current()).unwrap());
                (thread::current().id(), pool::blocking(|| receive.recv().unwrap()))
            });
            assert_ne!(blocked, other.id());
            // Who is on his way out may be the one that is blocked, and the worker the other.
            assert!(other.name().unwrap().starts_with("evenkeel-c0"), "{other:?}");
            if !ran.contains(&other.id()) {
                ran.push(other.id());
            }
        }
        assert!(ran.len() < TIMES / 2, "{} threads for {TIMES} times", ran.len());
    });
}

/// All places of guests are taken when the worker blocks, and given back when the one who is to
/// stand in has found none.
#[cfg(target_os = "linux")]
#[test]
fn who_stands_in_waits_for_a_place() {
    bounded(|| {
        let pool = pool::Pool::builder().threads(1).name("p").build().unwrap();
        thread::scope(|s| {
            let (came, come) = mpsc::channel();
            let guests: Vec<_> = (0..4)
                .map(|_| {
                    let ((go, gone), came, pool) = (mpsc::channel::<()>(), came.clone(), &pool);
                    s.spawn(move || {
                        pool.take_part(move || {
                            came.send(pool::current_core()).unwrap();
                            let _ = gone.recv();
                        });
                    });
                    go
                })
                .collect();
            for _ in &guests {
                assert_eq!(come.recv().unwrap(), None, "a guest, and not the worker");
            }
            let answer = pool.install(|| {
                let (send, receive) = mpsc::channel();
                pool::spawn(move || send.send(7).unwrap());
                pool::blocking(|| {
                    // A new thread names itself.
                    while threads("p-c0-s").is_empty() {
                        thread::yield_now();
                    }
                    assert_asleep("p-c0-s", 1);
                    drop(guests);
                    receive.recv().unwrap()
                })
            });
            assert_eq!(answer, 7);
        });
    });
}

#[test]
fn in_a_team_too() {
    bounded(|| {
        let pool = pool(2);
        let (send, receive) = mpsc::channel();
        pool.start(&[CoreId(1)], move |_| {
            let (told, tell) = mpsc::channel();
            pool::spawn(move || told.send(1).unwrap());
            send.send(pool::blocking(|| tell.recv().unwrap())).unwrap();
        });
        assert_eq!(receive.recv(), Ok(1));
    });
}

#[test]
fn more_workers_than_there_are_may_wait_for_each_other() {
    bounded(|| {
        // Each holds its worker until all are there: two workers, and those who stand in.
        let (pool, all) = (pool(2), Barrier::new(5));
        pool.install(|| {
            pool::scope(|s| {
                for _ in 0..5 {
                    s.spawn(|| {
                        pool::blocking(|| all.wait());
                    });
                }
            });
        });
    });
}

#[test]
fn a_panic_sends_the_one_who_stands_in_away() {
    bounded(|| {
        let pool = pool(1);
        for _ in 0..20 {
            let fails = || pool.install(|| pool::blocking(|| panic!("on purpose")));
            assert!(panic::catch_unwind(AssertUnwindSafe(fails)).is_err());
        }
        assert_eq!(pool.install(|| pool::blocking(|| 5)), 5);
        drop(pool);
        assert_eq!(pool::blocking(|| 6), 6, "outside of any pool");
    });
}

/// The worker waits in isolation, where it looks on no list, for what the one who stood in has on
/// its deque when it is sent away.
#[test]
fn who_stands_in_leaves_nothing_that_an_isolated_scope_waits_for() {
    bounded(|| {
        let ran = AtomicUsize::new(0);
        pool(1).install(|| {
            pool::isolate(|| {
                pool::scope(|s| {
                    let ((begun, begin), (go, gone)) = (mpsc::channel(), mpsc::channel::<()>());
                    let ran = &ran;
                    s.spawn(move || {
                        s.spawn(move || _ = ran.fetch_add(1, Ordering::Relaxed));
                        begun.send(()).unwrap();
                        gone.recv().unwrap();
                    });
                    pool::blocking(|| begin.recv().unwrap());
                    go.send(()).unwrap();
                });
            });
        });
        assert_eq!(ran.into_inner(), 1);
    });
}

#[test]
fn a_pool_ends_with_all_that_stand_in() {
    bounded(|| {
        for _ in 0..20 {
            let pool = pool(2);
            let (send, receive) = mpsc::channel();
            pool.spawn(move || pool::blocking(|| send.send(()).unwrap()));
            receive.recv().unwrap();
            drop(pool);
        }
    });
}
