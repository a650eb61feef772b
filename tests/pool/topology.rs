//! Workers on a machine of four domains, which need not be there.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier};
use std::thread;

use evenkeel::host::synthetic;
use evenkeel::model::{CoreId, Topology};
use evenkeel::policy::victim_order;
use evenkeel::pool::{self, Pool, Steals};

use super::bounded;

/// Four domains of two caches of two cores.
fn host() -> Topology {
    synthetic::topology("numa:4 l3:2 core:2").unwrap()
}

const CORES: usize = 16;

/// A pool all of whose workers are at work, so that nobody looks for any.
struct Held {
    pool: Pool,
    /// Passed when all are held.
    ready: Arc<Barrier>,
    /// Passed by all but one in the end.
    end: Arc<Barrier>,
}

impl Held {
    /// Each worker calls `first` and is then held; once all are, that of `free` may go on.
    fn all_but(free: CoreId, first: impl Fn(CoreId) + Send + Sync + 'static) -> Held {
        let pool = Pool::builder().topology(host()).pin(false).build().unwrap();
        let barrier = |members| Arc::new(Barrier::new(members));
        let (busy, ready, end) = (barrier(CORES), barrier(CORES + 1), barrier(CORES));
        let first = Arc::new(first);
        for _ in 0..CORES {
            let (busy, ready, end) = (Arc::clone(&busy), Arc::clone(&ready), Arc::clone(&end));
            let first = Arc::clone(&first);
            pool.spawn(move || {
                let me = pool::current_core().expect("on a worker");
                busy.wait();
                first(me);
                ready.wait();
                if me != free {
                    end.wait();
                }
            });
        }
        // Each has taken one, as none gets past it before all have.
        while pool.statistics().total().tasks < CORES as u64 {
            thread::yield_now();
        }
        Held { pool, ready, end }
    }
}

/// The first of what was sent, each with who has done it, all of it by `free`.
fn done_by<T>(free: CoreId, done: &Receiver<(T, Option<CoreId>)>, count: usize) -> Vec<T> {
    let by_free = |(what, by)| {
        assert_eq!(by, Some(free));
        what
    };
    done.iter().take(count).map(by_free).collect()
}

#[test]
fn a_worker_steals_from_the_nearest_first() {
    for free in [0, 6, 13].map(CoreId) {
        bounded(move || {
            let (send, done) = mpsc::channel();
            let held = Held::all_but(free, move |me| {
                // Answers whoever has asked before all were busy: what comes next stays private
                // until it is claimed.
                pool::join(|| (), || ());
                let send = send.clone();
                pool::spawn(move || send.send((me, pool::current_core())).unwrap());
            });
            let mine = || held.pool.statistics().workers[free.index()];
            let before = mine();
            held.ready.wait();
            let order = done_by(free, &done, CORES);
            let nearest = victim_order(&host(), free.index());
            let expected: Vec<CoreId> =
                [free.index()].into_iter().chain(nearest).map(|at| CoreId(at as u32)).collect();
            assert_eq!(order, expected);

            let (after, list) = (mine(), before.steals.list);
            let steals = Steals { cache: 1, domain: 2, list, remote: before.steals.remote + 12 };
            assert_eq!(after.steals, steals);
            assert_eq!(after.tasks, before.tasks + CORES as u64);
            held.end.wait();
        });
    }
}

#[test]
fn a_worker_looks_at_the_list_of_its_domain_and_then_at_those_behind() {
    bounded(|| {
        let free = CoreId(6);
        let held = Held::all_but(free, |_| ());
        let (send, done) = mpsc::channel();
        for domain in [0, 1, 2, 3, 0, 1, 2, 3] {
            let send = send.clone();
            held.pool.on(domain).spawn(move || send.send((domain, pool::current_core())).unwrap());
        }
        held.ready.wait();
        assert_eq!(done_by(free, &done, 8), [1, 1, 2, 2, 3, 3, 0, 0]);
        held.end.wait();
    });
}
