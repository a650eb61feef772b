//! Panics reach whoever waits, and no worker is lost to them.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};

use evenkeel::model::CoreId;
use evenkeel::pool::{self, Pool};

use super::{bounded, pool};

/// Panics without the hook's message, which would only fill the log.
fn fail(what: &'static str) -> ! {
    panic::resume_unwind(Box::new(what))
}

fn caught(body: impl FnOnce()) -> &'static str {
    let payload = panic::catch_unwind(AssertUnwindSafe(body)).expect_err("it panics");
    payload.downcast_ref::<&'static str>().copied().expect("with a word of ours")
}

#[test]
fn install_hands_the_panic_to_its_caller() {
    bounded(|| {
        let pool = pool(2);
        assert_eq!(caught(|| pool.install(|| fail("work"))), "work");
        assert_eq!(pool.install(|| 1), 1, "the worker lives");
    });
}

#[test]
fn join_hands_on_either_panic_and_waits_for_the_other_side() {
    bounded(|| {
        let pool = pool(2);
        // Both sides are under way before either panics.
        let both = |left: Option<&'static str>, right: Option<&'static str>| {
            let (ended, meet) = (AtomicUsize::new(0), Barrier::new(2));
            let side = |word: Option<&'static str>| {
                meet.wait();
                ended.fetch_add(1, Ordering::Relaxed);
                if let Some(word) = word {
                    fail(word);
                }
            };
            let word = caught(|| {
                pool.install(|| pool::join(|| side(left), || side(right)));
            });
            (word, ended.into_inner())
        };
        for _ in 0..200 {
            assert_eq!(both(Some("a"), None), ("a", 2));
            assert_eq!(both(None, Some("b")), ("b", 2));
            assert_eq!(both(Some("a"), Some("b")), ("a", 2));
        }
        let outside = caught(|| {
            pool::join(|| fail("outside"), || ());
        });
        assert_eq!(outside, "outside");
    });
}

#[test]
fn a_join_that_fails_before_the_other_side_was_taken_drops_it() {
    bounded(|| {
        let (ran, word) = pool(1).install(|| {
            let ran = AtomicUsize::new(0);
            let word = caught(|| {
                pool::join(|| fail("a"), || ran.fetch_add(1, Ordering::Relaxed));
            });
            (ran.into_inner(), word)
        });
        assert_eq!((ran, word), (0, "a"));
    });
}

#[test]
fn a_scope_ends_all_its_work_before_the_panic_goes_on() {
    bounded(|| {
        let pool = pool(3);
        for round in 0..100 {
            let ended = AtomicUsize::new(0);
            let word = caught(|| {
                pool.install(|| {
                    pool::scope(|s| {
                        for i in 0..20 {
                            let ended = &ended;
                            s.spawn(move || {
                                ended.fetch_add(1, Ordering::Relaxed);
                                if i % 5 == 0 {
                                    fail("spawned");
                                }
                            });
                        }
                        if round % 2 == 0 {
                            fail("body");
                        }
                    });
                });
            });
            assert!(word == "spawned" || (word == "body" && round % 2 == 0));
            assert_eq!(ended.into_inner(), 20);
        }
        // Outside a pool it is the same.
        let ended = AtomicUsize::new(0);
        let word = caught(|| {
            pool::scope(|s| {
                s.spawn(|| fail("first"));
                s.spawn(|| {
                    ended.fetch_add(1, Ordering::Relaxed);
                });
                fail("second");
            });
        });
        assert_eq!((word, ended.into_inner()), ("first", 1));
    });
}

/// A payload that panics again when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fail("grenade");
        }
    }
}

#[test]
fn panics_that_nobody_waits_for_go_to_the_handler() {
    bounded(|| {
        let (send, receive) = mpsc::channel();
        let send = Mutex::new(send);
        let handler = move |payload: Box<dyn Any + Send>| {
            send.lock().unwrap().send(*payload.downcast::<&'static str>().unwrap()).unwrap();
            fail("in the handler");
        };
        let pool = Pool::builder().threads(2).on_panic(handler).build().unwrap();
        pool.spawn(|| fail("spawned"));
        assert_eq!(receive.recv(), Ok("spawned"));
        pool.start(&[CoreId(1)], |_| fail("started"));
        assert_eq!(receive.recv(), Ok("started"));
        pool.start(&[CoreId(0), CoreId(1)], |_| {
            pool::spawn(|| fail("spawned in a team"));
        });
        assert_eq!(receive.recv(), Ok("spawned in a team"));
        assert_eq!(pool.install(|| 1), 1);
    });
}

#[test]
fn payloads_that_panic_when_dropped_do_no_harm() {
    bounded(|| {
        // One worker, so that the body is always the first to panic.
        let pool = pool(1);
        for _ in 0..20 {
            pool.spawn(|| panic::resume_unwind(Box::new(Grenade)));
            let word = caught(|| {
                pool.install(|| {
                    pool::scope(|s| {
                        s.spawn(|| panic::resume_unwind(Box::new(Grenade)));
                        fail("body");
                    });
                });
            });
            assert_eq!(word, "body");
        }
    });
}

#[test]
fn a_team_whose_work_panics_is_over_all_the_same() {
    bounded(|| {
        let pool = pool(2);
        let cores = pool.cores().to_vec();
        let (send, receive) = mpsc::channel();
        for _ in 0..50 {
            pool.start(&cores, |_| fail("started"));
        }
        pool.start(&cores, move |team| send.send(team.len()).unwrap());
        assert_eq!(receive.recv(), Ok(2));
    });
}
