//! The graph as compressed rows, and what its nodes do.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::model::rows::Rows;
use crate::pool::graph::Graph;
use crate::sim::Rng;

/// A graph whose nodes are numbered so that each comes after its predecessors.
#[derive(Debug)]
pub struct Dag {
    predecessors: Rows<u32>,
    successors: Rows<u32>,
    /// The predecessor whose way each node goes on with; itself if it has none.
    before: Vec<u32>,
    /// How many nodes are on the way to each, itself included; 0 before it has run.
    ways: Vec<AtomicU32>,
}

impl Dag {
    /// `nodes` in a line.
    pub(super) fn chain(nodes: u32) -> Dag {
        Dag::new(nodes, |node, row| row.extend(node.checked_sub(1)))
    }

    /// The greatest square that has at most `nodes`, row by row.
    pub(super) fn wavefront(nodes: u32) -> Dag {
        let width = nodes.isqrt();
        Dag::new(width * width, |node, row| {
            row.extend(node.checked_sub(width));
            row.extend(node.checked_sub(1).filter(|_| !node.is_multiple_of(width)));
        })
    }

    /// Two predecessors for each of `nodes`, if there are two before it.
    pub(super) fn random(nodes: u32) -> Dag {
        let mut rng = Rng::new(1);
        Dag::new(nodes, |node, row| {
            if node > 0 {
                let mut any = || rng.below(u64::from(node)) as u32;
                let (a, b) = (any(), any());
                row.push(a);
                row.extend(Some(b).filter(|b| *b != a));
            }
        })
    }

    /// A graph for whose nodes, in order, `add` adds the predecessors to the row.
    fn new(nodes: u32, mut add: impl FnMut(u32, &mut Vec<u32>)) -> Dag {
        let (mut edges, mut row) = (Vec::new(), Vec::new());
        let mut before = Vec::with_capacity(nodes as usize);
        for node in 0..nodes {
            row.clear();
            add(node, &mut row);
            edges.extend(row.iter().map(|before| (*before, node)));
            // Now this, now that one, so that edges of all kinds are looked at.
            before.push(row.get(node as usize % row.len().max(1)).copied().unwrap_or(node));
        }
        let successors = Rows::new(nodes as usize, edges.iter().copied());
        let predecessors = Rows::new(nodes as usize, edges.iter().map(|(a, b)| (*b, *a)));
        let ways = (0..nodes).map(|_| AtomicU32::new(0)).collect();
        Dag { predecessors, successors, before, ways }
    }

    /// How many nodes it has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// Those that must have run before `node`, in ascending order or not.
    #[must_use]
    pub fn predecessors(&self, node: u32) -> &[u32] {
        self.predecessors.row(node)
    }

    /// Those that wait for `node`.
    #[must_use]
    pub fn successors(&self, node: u32) -> &[u32] {
        self.successors.row(node)
    }

    /// The same for the pool.
    pub(super) fn graph(&self) -> Graph {
        let nodes = 0..self.len() as u32;
        let edges = nodes
            .flat_map(|node| self.predecessors(node).iter().map(move |before| (*before, node)));
        let edges = edges.map(|(a, b)| (a as usize, b as usize));
        Graph::from_edges(self.len(), edges).expect("each comes after its predecessors")
    }

    /// Where the predecessors of each node begin, and in the end where those of the last one end;
    /// then all predecessors, node by node.
    #[must_use]
    pub fn predecessor_rows(&self) -> (&[u32], &[u32]) {
        self.predecessors.parts()
    }

    /// For each node the predecessor that [`visit`](Self::visit) looks at, or itself.
    #[must_use]
    pub fn before(&self) -> &[u32] {
        &self.before
    }

    /// What [`visit`](Self::visit) writes to, a place for each node.
    #[must_use]
    pub fn ways(&self) -> &[AtomicU32] {
        &self.ways
    }

    /// What the task of `node` does.
    #[inline]
    pub fn visit(&self, node: u32) {
        let node = node as usize;
        // Relaxed: whoever lets nodes run one after another sees to the order.
        let way = self.ways[self.before[node] as usize].load(Ordering::Relaxed);
        self.ways[node].store(way + 1, Ordering::Relaxed);
    }

    /// The ways to all nodes as one number; clears them.
    pub(super) fn take_ways(&mut self) -> u64 {
        let ways = self.ways.iter_mut().zip(1..);
        ways.fold(0, |sum: u64, (way, i)| {
            let way = u64::from(std::mem::take(way.get_mut()));
            sum.wrapping_add(u64::wrapping_mul(way, i))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All edges, looked up from both ends.
    fn edges(dag: &Dag) -> Vec<(u32, u32)> {
        let nodes = 0..dag.len() as u32;
        let forwards = nodes.clone().flat_map(|a| dag.successors(a).iter().map(move |b| (a, *b)));
        let backwards = nodes.flat_map(|b| dag.predecessors(b).iter().map(move |a| (*a, b)));
        let (mut edges, mut others): (Vec<_>, Vec<_>) = (forwards.collect(), backwards.collect());
        edges.sort_unstable();
        others.sort_unstable();
        assert_eq!(edges, others);
        edges
    }

    #[test]
    fn the_shapes_have_their_edges() {
        assert_eq!(edges(&Dag::chain(3)), [(0, 1), (1, 2)]);
        let square = Dag::wavefront(5);
        assert_eq!(square.len(), 4);
        assert_eq!(edges(&square), [(0, 1), (0, 2), (1, 3), (2, 3)]);
        let random = Dag::random(1000);
        assert!(edges(&random).iter().all(|(a, b)| a < b));
        assert!((1..1000).all(|node| (1..=2).contains(&random.predecessors(node).len())));
    }

    #[test]
    fn a_node_that_runs_too_early_is_seen() {
        let mut dag = Dag::chain(3);
        let mut run = |order: [u32; 3]| {
            order.into_iter().for_each(|node| dag.visit(node));
            dag.take_ways()
        };
        let right = run([0, 1, 2]);
        assert_eq!(right, 1 + 2 * 2 + 3 * 3);
        assert_ne!(run([0, 2, 1]), right);
        assert_eq!(run([0, 1, 2]), right);
    }
}
