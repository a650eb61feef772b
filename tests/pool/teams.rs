//! Teams keep to their cores, take turns, and give the workers back.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use evenkeel::model::{Core, CoreId, Domain, Topology};
use evenkeel::pool::{self, Pool};

use super::{Random, bounded, pool};

/// Splits until there are `leaves`, calling `leaf` at each.
fn tree(leaves: usize, leaf: &(impl Fn() + Sync)) {
    if leaves == 1 {
        leaf();
    } else {
        pool::join(|| tree(leaves / 2, leaf), || tree(leaves - leaves / 2, leaf));
    }
}

/// The cores on which work was seen.
#[derive(Default)]
struct Seen(Mutex<BTreeSet<CoreId>>);

impl Seen {
    fn here(&self) {
        self.0.lock().unwrap().insert(pool::current_core().expect("on a worker"));
    }
}

/// Two domains of two caches of two cores.
fn host() -> Topology {
    let core = |i: u32| Core { id: CoreId(i), package: i / 4, cache: i / 2, units: vec![i] };
    let domain =
        |d: u32| Domain { id: d, memory: 0, cores: (4 * d..4 * d + 4).map(core).collect() };
    Topology { domains: vec![domain(0), domain(1)], distances: vec![vec![10, 20], vec![20, 10]] }
}

#[test]
fn disjoint_teams_run_at_the_same_time_and_keep_to_their_cores() {
    bounded(|| {
        let pool = Pool::builder().topology(host()).pin(false).build().unwrap();
        let (send, receive) = mpsc::channel();
        let teams =
            [vec![1, 0], vec![6, 2, 5], vec![4]].map(|t| t.into_iter().map(CoreId).collect());
        for round in 0..30 {
            for cores in &teams {
                let (send, cores): (_, Vec<CoreId>) = (send.clone(), Vec::clone(cores));
                pool.start(&cores.clone(), move |team| {
                    assert_eq!((team.cores(), team.len()), (&cores[..], cores.len()));
                    assert_eq!(pool::current_core(), Some(cores[0]));
                    let seen = Arc::new(Seen::default());
                    tree(200, &|| seen.here());
                    pool::scope(|s| (0..50).for_each(|_| s.spawn(|| seen.here())));
                    for _ in 0..50 {
                        let (seen, send, cores) = (Arc::clone(&seen), send.clone(), cores.clone());
                        pool::spawn(move || {
                            seen.here();
                            let seen = seen.0.lock().unwrap().clone();
                            send.send((cores, seen)).unwrap();
                        });
                    }
                });
            }
            // The others meanwhile work for everybody.
            if round % 4 == 0 {
                let seen = Seen::default();
                pool.install(|| tree(200, &|| seen.here()));
            }
        }
        drop(send);
        let mut count = 0;
        for (cores, seen) in receive.iter().take(30 * 3 * 50) {
            assert!(seen.iter().all(|core| cores.contains(core)), "{seen:?} in {cores:?}");
            count += 1;
        }
        assert_eq!(count, 4500);
    });
}

#[test]
fn all_members_of_a_team_take_part() {
    bounded(|| {
        let pool = pool(4);
        let (send, receive) = mpsc::channel();
        // Four closures that wait for each other: it takes four workers to get past them.
        pool.start(&[3, 1, 0, 2].map(CoreId), move |_| {
            let barrier = std::sync::Barrier::new(4);
            pool::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| {
                        barrier.wait();
                    });
                }
            });
            send.send(()).unwrap();
        });
        assert_eq!(receive.recv(), Ok(()));
    });
}

#[test]
fn work_outside_teams_never_runs_on_a_core_that_a_team_has() {
    bounded(|| {
        let pool = pool(4);
        let (began, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        pool.start(&[CoreId(2)], move |_| {
            began.send(()).unwrap();
            let _ = ended.recv();
        });
        begun.recv().unwrap();
        let seen = Seen::default();
        for _ in 0..20 {
            pool.install(|| tree(100, &|| seen.here()));
        }
        assert!(!seen.0.lock().unwrap().contains(&CoreId(2)));
        drop(end);
    });
}

#[test]
fn install_and_spawn_of_the_same_pool_stay_in_the_team() {
    bounded(|| {
        let pool = Arc::new(pool(4));
        let (send, receive) = mpsc::channel();
        let inner = Arc::clone(&pool);
        pool.start(&[1, 2].map(CoreId), move |_| {
            let seen = Arc::new(Seen::default());
            inner.install(|| tree(500, &|| seen.here()));
            for _ in 0..100 {
                let (seen, send) = (Arc::clone(&seen), send.clone());
                inner.spawn(move || {
                    seen.here();
                    send.send(seen).unwrap();
                });
            }
        });
        for seen in receive {
            assert!(seen.0.lock().unwrap().is_subset(&[1, 2].map(CoreId).into()));
        }
    });
}

#[test]
fn a_team_holds_its_workers_until_what_it_spawned_has_ended() {
    bounded(|| {
        let pool = pool(1);
        let log = Arc::new(Mutex::new(Vec::new()));
        let (first, second) = (Arc::clone(&log), Arc::clone(&log));
        let (done, ended) = mpsc::channel();
        pool.start(&[CoreId(0)], move |_| {
            let inner = Arc::clone(&first);
            pool::spawn(move || {
                let innermost = Arc::clone(&inner);
                pool::spawn(move || innermost.lock().unwrap().push("spawned by spawned"));
                inner.lock().unwrap().push("spawned");
            });
            first.lock().unwrap().push("work");
        });
        pool.start(&[CoreId(0)], move |_| {
            second.lock().unwrap().push("next");
            done.send(()).unwrap();
        });
        ended.recv().unwrap();
        assert_eq!(*log.lock().unwrap(), ["work", "spawned", "spawned by spawned", "next"]);
    });
}

/// Starts are never to overlap; if they do, they take turns, whatever the order of their cores.
#[test]
fn overlapping_teams_take_turns() {
    bounded(|| {
        let pool = pool(5);
        let owners: Arc<Vec<AtomicUsize>> = Arc::new((0..5).map(|_| AtomicUsize::new(0)).collect());
        let (send, receive) = mpsc::channel();
        let mut random = Random(7);
        for name in 1..=400 {
            let mut cores: Vec<u32> = (0..5).collect();
            for i in 0..5 {
                cores.swap(i, random.below(5) as usize);
            }
            cores.truncate(1 + random.below(4) as usize);
            let cores: Vec<CoreId> = cores.into_iter().map(CoreId).collect();
            let (send, owners) = (send.clone(), Arc::clone(&owners));
            pool.start(&cores, move |_| {
                tree(20, &|| {
                    // Between taking and leaving, the core is nobody else's.
                    let owner = &owners[pool::current_core().unwrap().index()];
                    assert!([0, name].contains(&owner.swap(name, Ordering::Relaxed)));
                    thread::yield_now();
                    owner.store(0, Ordering::Relaxed);
                });
                send.send(name).unwrap();
            });
        }
        drop(send);
        let mut seen: Vec<usize> = receive.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (1..=400).collect::<Vec<_>>());
    });
}

#[test]
fn work_may_start_a_team_on_its_own_core() {
    bounded(|| {
        let pool = Arc::new(pool(1));
        let (send, receive) = mpsc::channel();
        let inner = Arc::clone(&pool);
        pool.start(&[CoreId(0)], move |_| {
            inner.start(&[CoreId(0)], move |_| send.send("second").unwrap());
        });
        assert_eq!(receive.recv(), Ok("second"));
    });
}

#[test]
fn cores_that_make_no_team_are_refused_at_once() {
    let pool = pool(2);
    let refused = |cores: &[u32]| {
        let cores: Vec<CoreId> = cores.iter().copied().map(CoreId).collect();
        let start = || pool.start(&cores, |_| ());
        let payload = panic::catch_unwind(AssertUnwindSafe(start)).unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| (*payload.downcast_ref::<&str>().expect("a message")).to_owned())
    };
    assert_eq!(refused(&[]), "a team needs at least one core");
    assert_eq!(refused(&[0, 5]), "the pool has no worker on core c5");
    assert_eq!(refused(&[1, 0, 1]), "core c1 is named twice in one team");
    assert_eq!(pool.install(|| 1), 1);
}
