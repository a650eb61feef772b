//! Graphs: each node once, after all its predecessors, run after run.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use evenkeel::model::CoreId;
use evenkeel::pool::graph::{Graph, Ring};
use evenkeel::pool::{self, Pool};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{bounded, pool, two_domains};

type Edges = Vec<(usize, usize)>;

/// What is to come before what, and how often each node has run.
struct Watch {
    predecessors: Vec<Vec<usize>>,
    runs: Vec<AtomicUsize>,
}

impl Watch {
    fn new(n: usize, edges: &Edges) -> Watch {
        let mut predecessors = vec![Vec::new(); n];
        edges.iter().for_each(|(a, b)| predecessors[*b].push(*a));
        Watch { predecessors, runs: (0..n).map(|_| AtomicUsize::new(0)).collect() }
    }

    /// Node `node` runs, for the `round`th time. Relaxed: the graph is to see to the order.
    fn visit(&self, node: usize, round: usize) {
        for before in &self.predecessors[node] {
            assert_eq!(self.runs[*before].load(Ordering::Relaxed), round, "{before} → {node}");
        }
        assert_eq!(self.runs[node].fetch_add(1, Ordering::Relaxed), round - 1, "{node}");
    }

    fn all_have_run(&self, rounds: usize) {
        assert!(self.runs.iter().all(|runs| runs.load(Ordering::Relaxed) == rounds));
    }
}

/// Runs the graph several times; nodes do now and then what makes their worker wait, or leaves
/// something else on its deque.
fn watch(pool: &Pool, n: usize, edges: &Edges) {
    const ROUNDS: usize = 4;
    let watch = Watch::new(n, edges);
    let mut graph = Graph::from_edges(n, edges.iter().copied()).unwrap();
    assert_eq!((graph.len(), graph.is_empty()), (n, n == 0));
    for round in 1..=ROUNDS {
        pool.install(|| {
            graph.run(|node| {
                watch.visit(node, round);
                match node % 11 {
                    3 => thread::yield_now(),
                    5 => pool::scope(|s| (0..3).for_each(|_| s.spawn(thread::yield_now))),
                    7 => _ = pool::join(thread::yield_now, || ()),
                    9 => pool::spawn(|| ()),
                    _ => {}
                }
            });
        });
        watch.all_have_run(round);
    }
}

/// Edges from left to right between nodes that stand in any order.
fn dag() -> impl Strategy<Value = (usize, Edges)> {
    (0usize..60).prop_flat_map(|n| {
        let edges = proptest::collection::vec((0..n.max(1), 0..n.max(1)), 0..=3 * n);
        (Just((0..n).collect::<Vec<_>>()).prop_shuffle(), edges).prop_map(move |(number, edges)| {
            let edges = edges.into_iter().filter(|(a, b)| a != b);
            let edges = edges.map(|(a, b)| (number[a.min(b)], number[a.max(b)]));
            (n, edges.collect())
        })
    })
}

#[test]
fn any_graph_is_run_in_order_by_any_number_of_workers() {
    bounded(|| {
        let pools: Vec<Pool> = (1..=8).map(pool).collect();
        let all = (dag(), 0..pools.len());
        let outcome = TestRunner::default().run(&all, |((n, edges), workers)| {
            watch(&pools[workers], n, &edges);
            Ok(())
        });
        outcome.unwrap();
    });
}

fn grid(width: usize) -> Edges {
    let right = (0..width * width).filter(move |i| i % width + 1 < width).map(|i| (i, i + 1));
    right.chain((0..width * (width - 1)).map(|i| (i, i + width))).collect()
}

#[test]
fn graphs_that_are_all_length_or_all_width() {
    bounded(|| {
        const N: usize = 10_000;
        let fan = (1..N - 1).flat_map(|i| [(0, i), (i, N - 1)]).collect();
        let two_chains = (2..N).map(|i| (i - 2, i)).collect();
        let twice = (1..N).flat_map(|i| [(i - 1, i), (i - 1, i)]).collect();
        let shapes: [(usize, Edges); 8] = [
            (0, vec![]),
            (1, vec![]),
            (N, vec![]),
            (N, (1..N).map(|i| (i - 1, i)).collect()),
            (N, grid(100)),
            (N, fan),
            (N, two_chains),
            (N, twice),
        ];
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            shapes.iter().for_each(|(n, edges)| watch(&pool, *n, edges));
        }
    });
}

#[test]
fn a_ring_is_refused_and_named() {
    let ring = Graph::from_edges(5, [(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)]).unwrap_err();
    assert_eq!(ring, Ring(vec![2, 3, 1]));
    let text = "nodes wait for each other in a ring: 2 → 3 → 1 → 2; leave out one of these edges";
    assert_eq!(ring.to_string(), text);
    assert_eq!(Graph::from_edges(2, [(1, 1)]).unwrap_err(), Ring(vec![1]));
    let long = Graph::from_edges(100, (0..100).map(|i| (i, (i + 1) % 100))).unwrap_err();
    assert!(long.to_string().contains("12 → (88 more) → 1;"), "{long}");

    let mut builder = Graph::builder();
    let (a, b) = (builder.add(|| ()), builder.add(|| ()));
    builder.precede(a, b);
    builder.precede(b, a);
    assert_eq!(builder.build().unwrap_err().0.len(), 2);
}

#[test]
#[should_panic = "an edge names node 3, and there are 3, counted from 0"]
fn an_edge_to_nowhere_is_refused() {
    let _ = Graph::from_edges(3, [(0, 3)]);
}

#[test]
fn closures_run_in_order_and_may_keep_what_they_know() {
    bounded(|| {
        let pool = pool(3);
        let (mut sums, log) = (Vec::new(), Mutex::new(Vec::new()));
        let mut builder = Graph::builder();
        let mut calls = 0;
        let last = builder.add(|| {
            let mut log = log.lock().unwrap();
            sums.push(log.drain(..).sum::<usize>());
        });
        for i in 0..50 {
            let log = &log;
            let node = builder.add(move || {
                calls += 1;
                log.lock().unwrap().push(i * calls);
            });
            builder.precede(node, last);
        }
        let mut tasks = builder.build().unwrap();
        pool.install(|| tasks.run());
        tasks.run();
        pool.install(|| tasks.run());
        drop(tasks);
        assert_eq!(sums, [1225, 2 * 1225, 3 * 1225]);
    });
}

#[test]
fn the_first_panic_goes_on_and_the_graph_can_be_run_again() {
    fn check(run: impl Fn(&mut Graph, &(dyn Fn(usize) + Sync))) {
        // One way in, many ways through, one way out.
        let edges = (2..200).flat_map(|i| [(0, 1), (1, i), (i, 200)]);
        let mut graph = Graph::from_edges(201, edges).unwrap();
        for bad in [1, 7, 200, 0] {
            let seen = AtomicUsize::new(0);
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                run(&mut graph, &|node| {
                    seen.fetch_add(1, Ordering::Relaxed);
                    if node == bad {
                        panic::panic_any(bad);
                    }
                    assert!(bad > 1 || node <= bad, "{node} came after a node that did not end");
                });
            }));
            assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&bad));
            assert!(bad != 1 || seen.into_inner() == 2);
            let seen = AtomicUsize::new(0);
            run(&mut graph, &|_| _ = seen.fetch_add(1, Ordering::Relaxed));
            assert_eq!(seen.into_inner(), 201);
        }
    }
    bounded(|| {
        check(|graph, body| graph.run(body));
        for workers in [1, 4] {
            let pool = pool(workers);
            check(|graph, body| pool.install(|| graph.run(body)));
        }
    });
}

#[test]
fn a_team_runs_it_alone() {
    bounded(|| {
        let pool = pool(4);
        let (send, receive) = mpsc::channel();
        pool.start(&[3, 1].map(CoreId), move |_| {
            let seen = Mutex::new(Vec::new());
            let mut graph = Graph::from_edges(900, grid(30)).unwrap();
            (0..20).for_each(|_| {
                graph.run(|_| seen.lock().unwrap().push(pool::current_core().unwrap()));
            });
            send.send(seen.into_inner().unwrap()).unwrap();
        });
        let seen = receive.recv().unwrap();
        assert_eq!(seen.len(), 20 * 900);
        assert!(seen.iter().all(|core| [3, 1].map(CoreId).contains(core)));
    });
}

/// Four nodes that wait for each other: it takes four workers to get past them.
#[test]
fn nodes_that_are_ready_run_at_the_same_time() {
    bounded(|| {
        let pool = pool(4);
        let barrier = std::sync::Barrier::new(4);
        let mut graph = Graph::from_edges(5, (1..5).map(|i| (0, i))).unwrap();
        for _ in 0..20 {
            pool.install(|| {
                graph.run(|node| {
                    if node > 0 {
                        barrier.wait();
                    }
                });
            });
        }
    });
}

/// Graphs come and go within the nodes of another; none of their nodes may be taken for one of a
/// graph that lay in the same place before.
#[test]
fn a_node_may_run_a_graph_of_its_own() {
    bounded(|| {
        for workers in [1, 2, 5] {
            let pool = pool(workers);
            let ended = AtomicUsize::new(0);
            let mut outer = Graph::from_edges(100, grid(10)).unwrap();
            for round in 1..=10 {
                pool.install(|| {
                    outer.run(|node| {
                        let n = node % 7 * 5;
                        let edges = (1..n).map(|i| (i / 2, i)).collect();
                        let watch = Watch::new(n, &edges);
                        let mut inner = Graph::from_edges(n, edges).unwrap();
                        inner.run(|node| watch.visit(node, 1));
                        watch.all_have_run(1);
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                });
                assert_eq!(ended.load(Ordering::Relaxed), 100 * round);
            }
        }
    });
}

#[test]
fn outside_a_pool_the_caller_runs_it_alone() {
    let (here, order) = (thread::current().id(), Mutex::new(Vec::new()));
    let mut graph = Graph::from_edges(4, [(3, 1), (1, 0), (3, 2), (2, 0)]).unwrap();
    graph.run(|node| {
        assert_eq!(thread::current().id(), here);
        order.lock().unwrap().push(node);
    });
    assert_eq!(order.into_inner().unwrap(), [3, 1, 2, 0]);
}

/// The worker that runs the graph takes nothing from lists meanwhile: what goes home, it cannot
/// run.
#[test]
fn nodes_go_home() {
    bounded(|| {
        let pool = two_domains();
        for _ in 0..50 {
            pool.install(|| {
                let here = pool::current_core().unwrap();
                let mut graph = Graph::from_edges(100, grid(10)).unwrap();
                (0..100).for_each(|node| graph.home(node, 1 - here.index()));
                let strays = AtomicUsize::new(0);
                pool::isolate(|| {
                    graph.run(|_| {
                        let stray = pool::current_core() == Some(here);
                        strays.fetch_add(usize::from(stray), Ordering::Relaxed);
                    });
                });
                assert_eq!(strays.into_inner(), 0);
            });
        }
    });
}

#[test]
fn a_home_that_nobody_works_in_is_none() {
    bounded(|| {
        let mut builder = Graph::builder();
        let ran = AtomicBool::new(false);
        let node = builder.add(|| ran.store(true, Ordering::Relaxed));
        builder.home(node, 7);
        let mut tasks = builder.build().unwrap();
        pool(1).install(|| tasks.run());
        drop(tasks);
        assert!(ran.into_inner());
    });
}
