//! Graphs of tasks that have next to nothing to do, run again and again.

mod dag;
mod naive;

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, pools};
pub use dag::Dag;
use naive::Counters;

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Shape::ALL.into_iter().map(|shape| case(shape, setting)?.measure(setting)).collect()
}

/// How the nodes hang together.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Each waits for the one before.
    Chain,
    /// A square in which each waits for its neighbours above and to the left.
    Wavefront,
    /// Each waits for two of all those before it.
    Random,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 3] = [Shape::Chain, Shape::Wavefront, Shape::Random];

    fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::Wavefront => "wavefront",
            Shape::Random => "random",
        }
    }
}

/// A graph of this shape, built before anything is timed. Each node writes how long the way is
/// that led to it, by one of its predecessors, so that one that runs too early or twice is seen.
///
/// # Errors
/// If the pools do not get their threads.
pub fn case(shape: Shape, setting: &Setting) -> Result<Case<Dag, ()>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let dag = match shape {
        Shape::Chain => Dag::chain(setting.size),
        Shape::Wavefront => Dag::wavefront(setting.size),
        Shape::Random => Dag::random(setting.size),
    };
    let (mut graph, counters) = (dag.graph(), Counters::new(&dag));
    let (name, nodes) = (format!("{}, {} nodes", shape.name(), dag.len()), dag.len() as f64);
    let figure = Figure { name: "per node", unit: Unit::Nanoseconds };
    Ok(Case::timed(name, figure, nodes, dag, |dag, ()| dag.take_ways())
        .with(SEQUENTIAL, |dag| (0..dag.len() as u32).for_each(|node| dag.visit(node)))
        .with(OURS, move |dag| ours.install(|| graph.run(|node| dag.visit(node as u32))))
        .with(RAYON, move |dag| rayon.install(|| naive::run(dag, &counters))))
}
