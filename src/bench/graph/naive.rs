//! A graph run by rayon, which has none: a task for each node that has become ready.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Dag;

/// For each node how many of its predecessors have not run.
pub(super) struct Counters(Vec<AtomicU32>);

impl Counters {
    pub(super) fn new(dag: &Dag) -> Counters {
        let counters = (0..dag.len()).map(|node| AtomicU32::new(waits(dag, node as u32)));
        Counters(counters.collect())
    }

    /// Counts one predecessor of `node` as done; `true` for the last, which makes the counter
    /// ready for the next run.
    fn count_down(&self, dag: &Dag, node: u32) -> bool {
        let counter = &self.0[node as usize];
        // Acquire and release: whoever runs the node sees what all its predecessors have done.
        let last = counter.fetch_sub(1, Ordering::AcqRel) == 1;
        if last {
            counter.store(waits(dag, node), Ordering::Relaxed);
        }
        last
    }
}

fn waits(dag: &Dag, node: u32) -> u32 {
    dag.predecessors(node).len() as u32
}

fn roots(dag: &Dag) -> impl Iterator<Item = u32> {
    (0..dag.len() as u32).filter(|node| waits(dag, *node) == 0)
}

/// Runs all nodes.
pub(super) fn run(dag: &Dag, counters: &Counters) {
    rayon::scope(|s| {
        roots(dag).for_each(|root| s.spawn(move |s| fire(s, dag, counters, root)));
    });
}

fn fire<'s>(scope: &rayon::Scope<'s>, dag: &'s Dag, counters: &'s Counters, node: u32) {
    dag.visit(node);
    for next in dag.successors(node) {
        if counters.count_down(dag, *next) {
            scope.spawn(move |s| fire(s, dag, counters, *next));
        }
    }
}
