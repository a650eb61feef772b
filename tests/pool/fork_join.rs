//! `install`, `join`, `scope`, `spawn`: everything runs once and results are right.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

use evenkeel::model::{CoreId, Topology};
use evenkeel::pool::{self, Pool};

use super::{bounded, pool};

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = pool::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

#[test]
fn nested_joins_give_the_right_sum_on_any_number_of_workers() {
    bounded(|| {
        for threads in [1, 2, 3, 8] {
            assert_eq!(pool(threads).install(|| fib(20)), 6765, "{threads} workers");
        }
    });
}

#[test]
fn outside_a_pool_all_is_sequential_and_on_the_calling_thread() {
    let me = thread::current().id();
    let order = Mutex::new(Vec::new());
    let note = |what| {
        assert_eq!(thread::current().id(), me);
        order.lock().unwrap().push(what);
    };
    pool::join(|| note("a"), || note("b"));
    pool::scope(|s| {
        s.spawn(|| s.spawn(|| note("inner")));
        note("body");
    });
    assert_eq!(order.into_inner().unwrap(), ["a", "b", "inner", "body"]);
    let (send, receive) = mpsc::channel();
    pool::spawn(move || send.send(thread::current().id()).unwrap());
    assert_eq!(receive.try_recv(), Ok(me));
    assert_eq!(pool::current_core(), None);
}

#[test]
fn join_runs_both_at_the_same_time_if_there_are_two_workers() {
    bounded(|| {
        let ((to_b, from_a), (to_a, from_b)) = (mpsc::channel(), mpsc::channel());
        pool(2).install(|| {
            pool::join(
                move || (to_b.send(()).unwrap(), from_b.recv().unwrap()),
                move || (to_a.send(()).unwrap(), from_a.recv().unwrap()),
            )
        });
    });
}

#[test]
fn scopes_lend_what_is_borrowed_and_wait_for_grandchildren() {
    bounded(|| {
        let pool = pool(3);
        let mut cells = vec![0u32; 1000];
        let sum = AtomicUsize::new(0);
        let given = pool.install(|| {
            pool::scope(|s| {
                for (i, cell) in cells.iter_mut().enumerate() {
                    let sum = &sum;
                    s.spawn(move || {
                        *cell += i as u32;
                        s.spawn(move || {
                            sum.fetch_add(*cell as usize, Ordering::Relaxed);
                        });
                    });
                }
                "body"
            })
        });
        assert_eq!(given, "body");
        assert!(cells.iter().enumerate().all(|(i, cell)| *cell == i as u32));
        assert_eq!(sum.into_inner(), 499_500);
    });
}

#[test]
fn another_thread_may_spawn_into_a_scope() {
    bounded(|| {
        let (count, cores) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
        pool(2).install(|| {
            pool::scope(|s| {
                thread::scope(|threads| {
                    let (count, cores) = (&count, &cores);
                    threads.spawn(move || {
                        for _ in 0..100 {
                            s.spawn(move || {
                                count.fetch_add(1, Ordering::Relaxed);
                                cores.lock().unwrap().insert(pool::current_core());
                            });
                        }
                    });
                });
            });
        });
        assert_eq!(count.into_inner(), 100);
        assert!(!cores.into_inner().unwrap().contains(&None), "run by workers only");
    });
}

#[test]
fn spawned_work_runs_once_from_inside_and_outside() {
    bounded(|| {
        let pool = pool(4);
        let (send, receive) = mpsc::channel();
        for i in 0..500 {
            let send = send.clone();
            pool.spawn(move || {
                let inner = send.clone();
                pool::spawn(move || inner.send(i + 500).unwrap());
                send.send(i).unwrap();
            });
        }
        drop(send);
        let mut seen: Vec<i32> = receive.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn install_from_many_threads_at_once() {
    bounded(|| {
        let pool = pool(2);
        thread::scope(|s| {
            for n in 0..8 {
                let pool = &pool;
                s.spawn(move || {
                    for _ in 0..50 {
                        assert_eq!(pool.install(|| fib(n)), fib(n));
                    }
                });
            }
        });
    });
}

#[test]
fn install_within_install_is_a_plain_call() {
    bounded(|| {
        let pool = pool(1);
        let (outer, inner) =
            pool.install(|| (thread::current().id(), pool.install(|| thread::current().id())));
        assert_eq!(outer, inner);
    });
}

#[test]
fn pools_that_install_into_each_other_do_not_deadlock() {
    bounded(|| {
        let (first, second) = (pool(1), pool(1));
        let there_and_back = |n: u64| {
            first.install(|| second.install(|| first.install(|| second.install(|| fib(n)))))
        };
        assert_eq!(there_and_back(10), 55);
        // And from both ends at once.
        thread::scope(|s| {
            s.spawn(|| (0..50).for_each(|_| assert_eq!(first.install(|| second.install(|| 1)), 1)));
            s.spawn(|| (0..50).for_each(|_| assert_eq!(second.install(|| first.install(|| 2)), 2)));
        });
    });
}

#[test]
fn workers_are_named_after_their_cores() {
    bounded(|| {
        let mut host = Topology::flat(1);
        host.domains[0].cores[0].id = CoreId(3);
        let pool = Pool::builder().topology(host).pin(false).name("keel").build().unwrap();
        assert_eq!(pool.cores(), [CoreId(3)]);
        let seen =
            pool.install(|| (pool::current_core(), thread::current().name().map(String::from)));
        assert_eq!(seen, (Some(CoreId(3)), Some("keel-c3".to_owned())));
    });
}

#[test]
fn a_pool_that_cannot_be_is_refused() {
    let no_core = Pool::builder().threads(0).build().unwrap_err();
    assert_eq!(no_core.to_string(), "a pool needs at least one core");

    let mut twice = Topology::flat(2);
    twice.domains[0].cores[1].id = CoreId(0);
    let twice = Pool::builder().topology(twice).build().unwrap_err();
    assert_eq!(twice.to_string(), "a core appears twice in the topology of the pool");

    let mut absent = Topology::flat(2);
    absent.domains[0].cores[1].units = vec![1 << 20];
    let absent = Pool::builder().topology(absent).pin(true).build().unwrap_err().to_string();
    assert!(absent.starts_with("could not pin a worker to core c1 (units [1048576])"), "{absent}");
}
