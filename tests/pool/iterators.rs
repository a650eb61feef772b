//! The iterators of `paralight` on the pool: each item is used once, or dropped once.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use evenkeel::model::CoreId;
use evenkeel::pool::{self, CallersTeam};
use paralight::prelude::*;
use proptest::prelude::*;

use super::{bounded, pool};

/// Counts how often it is dropped.
struct Drops<'a>(&'a AtomicUsize);

impl Drop for Drops<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counters(n: usize) -> Vec<AtomicUsize> {
    (0..n).map(|_| AtomicUsize::new(0)).collect()
}

fn counted(counters: Vec<AtomicUsize>) -> Vec<usize> {
    counters.into_iter().map(AtomicUsize::into_inner).collect()
}

/// Where it runs: outside a pool, or in one of so many workers.
fn within<R: Send>(workers: usize, body: impl FnOnce() -> R + Send) -> R {
    if workers == 0 { body() } else { pool(workers).install(body) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chains_give_what_sequential_ones_give(
        workers in 0..6usize, numbers in prop::collection::vec(any::<u32>(), 0..2000),
    ) {
        let (sum, halves, first, all) = within(workers, || {
            let iter = || numbers.par_iter().copied();
            let even = |n: &u32| n.is_multiple_of(2);
            (
                iter().filter(even).map(u64::from).with_thread_pool(CallersTeam).sum::<u64>(),
                iter().map(|n| n / 2).with_thread_pool(CallersTeam).collect::<Vec<u32>>(),
                iter().with_thread_pool(CallersTeam).find_first(even),
                iter().with_thread_pool(CallersTeam).all(|n| n < u32::MAX / 2),
            )
        });
        let iter = || numbers.iter().copied();
        let even = |n: &u32| n.is_multiple_of(2);
        prop_assert_eq!(sum, iter().filter(even).map(u64::from).sum::<u64>());
        prop_assert!(halves.into_iter().eq(iter().map(|n| n / 2)));
        prop_assert_eq!(first, iter().find(even));
        prop_assert_eq!(all, iter().all(|n| n < u32::MAX / 2));
    }

    #[test]
    fn each_item_is_dropped_once_whether_it_is_wanted_or_not(
        workers in 0..6usize, n in 0..2000usize, wanted in 0..2000usize, panics: bool,
    ) {
        let drops = counters(n);
        let ended = panic::catch_unwind(AssertUnwindSafe(|| within(workers, || {
            let items: Vec<_> = drops.iter().enumerate().map(|(i, n)| (i, Drops(n))).collect();
            let items = items.into_par_iter().with_thread_pool(CallersTeam);
            items.find_first(|(i, _)| {
                if *i == wanted && panics {
                    panic::resume_unwind(Box::new("found"));
                }
                *i >= wanted
            }).map(|(i, _)| i)
        })));
        match ended {
            Ok(found) => prop_assert_eq!(found, (wanted < n).then_some(wanted)),
            Err(payload) => {
                prop_assert!(panics && wanted < n);
                prop_assert_eq!(payload.downcast_ref::<&str>(), Some(&"found"));
            }
        }
        prop_assert_eq!(counted(drops), vec![1; n]);
    }

    #[test]
    fn what_is_not_collected_is_dropped(
        workers in 0..6usize, n in 1..2000usize, bad in 0..2000usize, panics: bool,
    ) {
        let (taken, made) = (counters(n), counters(n));
        let ended = panic::catch_unwind(AssertUnwindSafe(|| within(workers, || {
            let items: Vec<_> = taken.iter().enumerate().map(|(i, n)| (i, Drops(n))).collect();
            let results = items.into_par_iter().map(|(i, _)| {
                if i == bad && panics {
                    panic::resume_unwind(Box::new("bad"));
                }
                if i == bad { Err(i) } else { Ok(Drops(&made[i])) }
            });
            let collected: Result<Vec<Drops<'_>>, usize> =
                results.with_thread_pool(CallersTeam).try_collect();
            collected.map(|all| all.len())
        })));
        match ended {
            Ok(Ok(len)) => prop_assert!(len == n && bad >= n),
            Ok(Err(i)) => prop_assert!(i == bad && !panics),
            Err(_) => prop_assert!(panics && bad < n),
        }
        prop_assert_eq!(counted(taken), vec![1; n]);
        let made = counted(made);
        prop_assert!(made.iter().all(|drops| *drops <= 1));
        prop_assert!(bad < n || made.iter().all(|drops| *drops == 1));
    }
}

#[test]
fn they_run_on_the_callers_team_and_outside_a_pool_on_the_caller() {
    let me = thread::current().id();
    let here = |numbers: &[u32]| {
        let on_me = numbers.par_iter().map(|_| thread::current().id() == me);
        on_me.with_thread_pool(CallersTeam).all(|on_me| on_me)
    };
    assert!(here(&[0; 1000]));
    bounded(|| {
        let pool = pool(3);
        let (send, receive) = std::sync::mpsc::channel();
        pool.start(&[CoreId(2), CoreId(0)], move |_| {
            let cores = [0; 5000].par_iter().map(|_| pool::current_core());
            let cores: Vec<_> = cores.with_thread_pool(CallersTeam).collect();
            send.send(cores).unwrap();
        });
        let cores = receive.recv().unwrap();
        assert_eq!(cores.len(), 5000);
        assert!(cores.into_iter().all(|core| [Some(CoreId(0)), Some(CoreId(2))].contains(&core)));
    });
}
