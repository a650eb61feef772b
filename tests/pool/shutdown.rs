//! The end of a pool: what has begun ends, what has not is dropped, no thread is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use evenkeel::model::CoreId;
use evenkeel::pool;

use super::{bounded, pool};

#[test]
fn many_pools_in_a_row() {
    bounded(|| {
        for round in 0..200 {
            let pool = pool(1 + round % 4);
            if round % 3 == 0 {
                assert_eq!(pool.install(|| pool::join(|| 1, || 2)), (1, 2));
            }
        }
    });
}

#[test]
fn what_has_begun_ends_and_gets_what_it_joins_and_scopes() {
    bounded(|| {
        for _ in 0..50 {
            let (pool, count) = (pool(2), Arc::new(AtomicUsize::new(0)));
            let (began, begun) = mpsc::channel();
            let (go, gone) = mpsc::channel::<()>();
            let counter = Arc::clone(&count);
            pool.start(&[CoreId(1), CoreId(0)], move |_| {
                began.send(()).unwrap();
                let _ = gone.recv();
                pool::scope(|s| {
                    for _ in 0..100 {
                        s.spawn(|| {
                            counter.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            });
            begun.recv().unwrap();
            thread::scope(|s| {
                s.spawn(|| pool.shutdown());
                drop(go);
            });
            assert_eq!(count.load(Ordering::Relaxed), 100);
        }
    });
}

#[test]
fn what_has_not_begun_is_dropped_not_run() {
    bounded(|| {
        let pool = Arc::new(pool(1));
        let ran = Arc::new(AtomicUsize::new(0));
        let (held, let_go) = mpsc::channel::<()>();
        let counter = Arc::clone(&ran);
        let work = move || {
            let (held, ran) = (held.clone(), Arc::clone(&counter));
            move || {
                let _held = held;
                ran.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (began, begun) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let (inner, late) = (Arc::clone(&pool), work());
        pool.spawn(move || {
            began.send(()).unwrap();
            gone.recv().unwrap_err();
            // The last handle: from here on the pool is closing, and its one worker is busy.
            drop(inner);
            pool::spawn(late);
            assert_eq!(pool::join(|| 1, || 2), (1, 2));
        });
        begun.recv().unwrap();
        for _ in 0..10 {
            pool.spawn(work());
            let work = work();
            pool.start(&[CoreId(0)], |_| work());
        }
        drop((pool, work));
        drop(go);
        assert_eq!(let_go.recv(), Err(mpsc::RecvError), "all are dropped");
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    });
}
