//! What comes first, where it begins, and what a waiting worker must not take up.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::model::CoreId;
use evenkeel::pool::{self, Pool, Priority};

use super::{bounded, pool, two_domains};

/// Has the worker of each core held up in work outside teams, until what comes back is dropped.
fn hold(pool: &Pool, workers: usize) -> Vec<(CoreId, Sender<()>)> {
    let (here, who): (_, Receiver<(CoreId, Sender<()>)>) = mpsc::channel();
    for _ in 0..workers {
        let here = here.clone();
        pool.spawn(move || {
            let (go, gone) = mpsc::channel();
            here.send((pool::current_core().unwrap(), go)).unwrap();
            let _ = gone.recv();
        });
    }
    who.into_iter().take(workers).collect()
}

#[test]
fn the_higher_priority_is_taken_first_and_equals_in_order() {
    bounded(|| {
        let pool = pool(1);
        let held = hold(&pool, 1);
        let (send, receive) = mpsc::channel();
        let note = |what: &'static str| {
            let send = send.clone();
            move || send.send(what).unwrap()
        };
        pool.with_priority(Priority::Low).spawn(note("low"));
        pool.spawn(note("normal"));
        pool.with_priority(Priority::High).spawn(note("high"));
        pool.on(0).with_priority(Priority::High).spawn(note("high too"));
        drop(held);
        let order: Vec<_> = receive.iter().take(4).collect();
        assert_eq!(order, ["high", "high too", "normal", "low"]);
    });
}

#[test]
fn a_worker_looks_into_the_list_of_its_own_domain_first() {
    bounded(|| {
        let pool = two_domains();
        let mut held = hold(&pool, 2);
        let (send, receive) = mpsc::channel();
        for domain in [0, 1, 0, 1] {
            let send = send.clone();
            pool.on(domain).spawn(move || send.send((domain, pool::current_core())).unwrap());
        }
        // Only the worker of domain 1 is let go, and does all of it.
        held.retain(|(core, _)| *core == CoreId(0));
        let order: Vec<_> = receive.iter().take(4).collect();
        assert_eq!(order, [1, 1, 0, 0].map(|domain| (domain, Some(CoreId(1)))));
    });
}

#[test]
#[should_panic = "the pool has no worker in domain 2"]
fn a_domain_that_is_not_there_is_refused() {
    two_domains().on(2).spawn(|| ());
}

/// One worker holds a lock over a scope of which the other has the work; what that one spawns
/// meanwhile wants the lock too.
#[test]
fn a_worker_that_waits_in_isolation_takes_up_nothing_else() {
    bounded(|| {
        let pool = pool(2);
        for _ in 0..20 {
            let lock = Arc::new(Mutex::new(()));
            let refused = pool.install(|| {
                let (send, receive) = mpsc::channel();
                pool::isolate(|| {
                    let (_held, holder) = (lock.lock().unwrap(), pool::current_core());
                    let (taken, told) = mpsc::channel();
                    pool::scope(|s| {
                        let lock = &lock;
                        s.spawn(move || {
                            taken.send(()).unwrap();
                            let wants = Arc::clone(lock);
                            pool::spawn(move || {
                                let by_holder = pool::current_core() == holder;
                                send.send(by_holder && wants.try_lock().is_err()).unwrap();
                            });
                            // The while in which the other may not do it.
                            let end = Instant::now() + Duration::from_millis(2);
                            while Instant::now() < end {
                                thread::yield_now();
                            }
                        });
                        told.recv().unwrap();
                    });
                });
                receive
            });
            assert!(!refused.recv().unwrap(), "who held the lock ran it");
        }
    });
}
