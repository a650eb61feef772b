//! Graphs whose nodes are closures.

use std::cell::UnsafeCell;
use std::fmt;

use super::{Graph, Ring};

/// A graph with a closure for each node, from [`Graph::builder`]. It can be run many times.
///
/// ```
/// use evenkeel::pool::Pool;
/// use evenkeel::pool::graph::Graph;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// let (left, right, sum) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
/// let mut builder = Graph::builder();
/// let a = builder.add(|| left.store(3, Relaxed));
/// let b = builder.add(|| right.store(4, Relaxed));
/// let c = builder.add(|| sum.store(left.load(Relaxed) + right.load(Relaxed), Relaxed));
/// builder.precede(a, c);
/// builder.precede(b, c);
/// let mut tasks = builder.build()?;
///
/// let pool = Pool::builder().threads(2).build()?;
/// pool.install(|| tasks.run());
/// assert_eq!(sum.load(Relaxed), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tasks<'env> {
    graph: Graph,
    bodies: Vec<Body<'env>>,
}

/// What a node does. It may change what it holds: its node runs once in each run of the graph.
struct Body<'env>(UnsafeCell<Box<dyn FnMut() + Send + 'env>>);

// SAFETY: nothing is done with a shared one but `call`, by one thread at a time.
unsafe impl Sync for Body<'_> {}

impl Body<'_> {
    /// # Safety
    /// No other call of it is under way, and those before are visible.
    unsafe fn call(&self) {
        // SAFETY: so nobody else has a reference to the closure.
        unsafe { (*self.0.get())() }
    }
}

impl Tasks<'_> {
    /// Runs each closure, once and after all those that precede it; see [`Graph::run`].
    ///
    /// # Panics
    /// As [`Graph::run`].
    pub fn run(&mut self) {
        let bodies = &self.bodies;
        // SAFETY: a graph runs each node once, ends before the caller can run it again, and here
        // that is the only way to the closures.
        self.graph.run(|node| unsafe { bodies[node].call() });
    }
}

impl fmt::Debug for Tasks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// Takes closures, and which of them precede which others; from [`Graph::builder`].
#[derive(Default)]
pub struct Builder<'env> {
    bodies: Vec<Body<'env>>,
    edges: Vec<(usize, usize)>,
    homes: Vec<(usize, usize)>,
}

impl<'env> Builder<'env> {
    /// Adds a node that calls `body` each time that the graph is run, and gives back its number:
    /// they count from 0.
    pub fn add(&mut self, body: impl FnMut() + Send + 'env) -> usize {
        self.bodies.push(Body(UnsafeCell::new(Box::new(body))));
        self.bodies.len() - 1
    }

    /// Node `a` must have ended before `b` begins.
    pub fn precede(&mut self, a: usize, b: usize) {
        self.edges.push((a, b));
    }

    /// Gives a node a home; see [`Graph::home`].
    pub fn home(&mut self, node: usize, domain: usize) {
        self.homes.push((node, domain));
    }

    /// The graph.
    ///
    /// # Errors
    /// If nodes precede each other in a ring; one such ring is given.
    ///
    /// # Panics
    /// As [`Graph::from_edges`] and [`Graph::home`].
    pub fn build(self) -> Result<Tasks<'env>, Ring> {
        let mut graph = Graph::from_edges(self.bodies.len(), self.edges)?;
        self.homes.into_iter().for_each(|(node, domain)| graph.home(node, domain));
        Ok(Tasks { graph, bodies: self.bodies })
    }
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("nodes", &self.bodies.len()).finish_non_exhaustive()
    }
}
