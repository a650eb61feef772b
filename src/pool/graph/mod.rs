//! Graphs: pieces of work of which some must come before others, built once and run many times.
//!
//! A [`Graph`] is which of its nodes come before which. What they do is said when it is run: one
//! closure, called with the number of each node. Where nodes do different things, a [`Tasks`] is a
//! graph with a closure for each.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use evenkeel::pool::Pool;
//! use evenkeel::pool::graph::Graph;
//!
//! // How many ways lead through a grid, going right or down: a wavefront from corner to corner.
//! const WIDTH: usize = 12;
//! let right = (0..WIDTH * WIDTH).filter(|i| i % WIDTH < WIDTH - 1).map(|i| (i, i + 1));
//! let down = (0..WIDTH * (WIDTH - 1)).map(|i| (i, i + WIDTH));
//! let mut grid = Graph::from_edges(WIDTH * WIDTH, right.chain(down))?;
//!
//! let ways: Vec<AtomicU64> = (0..WIDTH * WIDTH).map(|_| AtomicU64::new(1)).collect();
//! let pool = Pool::builder().threads(2).build()?;
//! pool.install(|| {
//!     grid.run(|i| {
//!         if i % WIDTH > 0 && i >= WIDTH {
//!             let [above, left] = [i - WIDTH, i - 1].map(|i| ways[i].load(Ordering::Relaxed));
//!             ways[i].store(above + left, Ordering::Relaxed);
//!         }
//!     });
//! });
//! assert_eq!(ways.last().unwrap().load(Ordering::Relaxed), 705_432);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A graph is for what is known beforehand. A node whose work turns out only while it runs spawns it
//! into a [`scope`](super::scope), or builds a graph of its own and runs it; in both cases the
//! node ends, and its successors come, after all of that.

mod node;
mod run;
mod tasks;

use std::fmt;
use std::sync::Arc;

pub use tasks::{Builder, Tasks};

use super::context::Context;
use crate::model::rows::Rows;
use node::{Head, Node};
use run::Current;

/// Which nodes must be run before which others; see the [module](self).
///
/// The nodes are numbered from 0. It takes 36 bytes for a node and 4 for an edge, and a run
/// allocates nothing but what a deque needs that has never held as much.
pub struct Graph {
    /// The nodes, and in the end one that has those as successors which wait for none.
    nodes: Box<[Node]>,
    /// The rows of all nodes.
    successors: Box<[u32]>,
    heads: Box<[Head]>,
    current: Arc<Current>,
    /// The domain of each node, or none at all.
    homes: Box<[u32]>,
    /// All nodes, each after its predecessors.
    order: Box<[u32]>,
}

/// Nodes that wait for each other in a ring: each must be run before the next, and the last before
/// the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring(pub Vec<usize>);

/// The domain of a node that is at home nowhere.
const NOWHERE: u32 = u32::MAX;

impl Graph {
    /// `n` nodes, of which for each edge `(a, b)` node `a` must be run before `b`. It does no harm
    /// if an edge is there twice.
    ///
    /// # Errors
    /// If nodes wait for each other in a ring; one such ring is given.
    ///
    /// # Panics
    /// If an edge names a node that is not there, or if nodes and edges together are 2^32 or more.
    pub fn from_edges(
        n: usize,
        edges: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Graph, Ring> {
        let known = |node: usize| {
            assert!(node < n, "an edge names node {node}, and there are {n}, counted from 0");
            node as u32
        };
        let edges: Vec<(u32, u32)> = edges.into_iter().map(|(a, b)| (known(a), known(b))).collect();
        let size = n + edges.len();
        assert!(
            size < u32::MAX as usize,
            "{size} nodes and edges are too many: they are counted in 32 bits"
        );

        let rows = Rows::new(n, edges.iter().copied());
        let order = rows.order(|to| *to);
        let order = order.map_err(|ring| Ring(ring.iter().map(|node| *node as usize).collect()))?;
        let mut predecessors = vec![0; n];
        edges.iter().for_each(|(_, to)| predecessors[*to as usize] += 1);
        drop(edges);
        let mut nodes = Vec::with_capacity(n + 1);
        let mut successors = Vec::with_capacity(size);
        for (node, predecessors) in (0..).zip(&predecessors) {
            let first = successors.len();
            successors.extend_from_slice(rows.row(node));
            nodes.push(Node::new(*predecessors, first..successors.len()));
        }
        let first = successors.len();
        successors.extend((0..n as u32).filter(|node| predecessors[*node as usize] == 0));
        nodes.push(Node::new(0, first..successors.len()));
        let current = Arc::default();
        Ok(Graph {
            nodes: nodes.into(),
            successors: successors.into(),
            heads: (0..n).map(|_| Head::new(&current)).collect(),
            current,
            homes: Box::default(),
            order: order.into(),
        })
    }

    /// For a graph whose nodes are closures.
    #[must_use]
    pub fn builder<'env>() -> Builder<'env> {
        Builder::default()
    }

    /// Gives a node a home: it begins by preference on a worker of this domain, by its place in
    /// the topology of the pool, where its data are near.
    ///
    /// A node that becomes ready elsewhere goes onto the list of its domain. It is run elsewhere
    /// all the same if its domain has enough to do already, or the team has no worker there.
    ///
    /// # Panics
    /// If the node is not there.
    pub fn home(&mut self, node: usize, domain: usize) {
        let n = self.len();
        assert!(node < n, "node {node} is given a home, and there are {n}, counted from 0");
        if self.homes.is_empty() {
            self.homes = vec![NOWHERE; n].into();
        }
        self.homes[node] = u32::try_from(domain).unwrap_or(NOWHERE);
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Calls `body` with each node, once and after all its predecessors, and returns when all are
    /// done.
    ///
    /// The caller's team does it, the caller included. What a node's predecessors have done is
    /// visible to it. Outside a pool the caller does it alone, in one order that fits.
    ///
    /// # Panics
    /// If `body` does: the first panic goes on here when no node is running any more. Nodes that
    /// had not begun are skipped. The graph can be run again.
    pub fn run(&mut self, body: impl Fn(usize) + Sync) {
        Context::with(|cx| match cx {
            Some(cx) => run::run(cx, self, &body),
            None => self.order.iter().for_each(|node| body(*node as usize)),
        });
    }

    /// The node that has those as successors which wait for none.
    fn beginning(&self) -> u32 {
        self.len() as u32
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("nodes", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for Ring {
    /// `nodes wait for each other in a ring: 2 → 3 → 2; leave out one of these edges`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        f.write_str("nodes wait for each other in a ring: ")?;
        self.0.iter().take(SHOWN).try_for_each(|node| write!(f, "{node} → "))?;
        if self.0.len() > SHOWN {
            write!(f, "({} more) → ", self.0.len() - SHOWN)?;
        }
        self.0.first().map_or(Ok(()), |first| write!(f, "{first}"))?;
        f.write_str("; leave out one of these edges")
    }
}

impl std::error::Error for Ring {}
