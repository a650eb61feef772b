//! Counting as a workload.

use super::{Counts, Tree, count, count_by_dividing, count_by_rayon};
use crate::bench::{
    BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, churn, pools,
};

/// The trees that are counted where none is named: a flat one and a deep one.
const USUAL: [&str; 2] = ["T1", "T3"];

pub(in crate::bench) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    trees(setting).map(|tree| case(tree, setting)?.measure(setting)).collect()
}

/// Those that are to be counted.
pub fn trees(setting: &Setting) -> impl Iterator<Item = &'static Tree> {
    let usual = setting.tree.is_none().then_some(USUAL).into_iter().flatten();
    setting.tree.into_iter().chain(usual.filter_map(Tree::named))
}

/// Counts this tree.
///
/// # Errors
/// If the pools do not get their threads.
pub fn case(
    tree: &'static Tree,
    setting: &Setting,
) -> Result<Case<&'static Tree, Counts>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let nodes = tree.counts.nodes;
    let name = format!("{}, {nodes} nodes", tree.name);
    let figure = Figure { name: "per node", unit: Unit::Nanoseconds };
    Ok(Case::timed(name, figure, nodes as f64, tree, |_, counts| digest(counts))
        .with(SEQUENTIAL, |tree| count(tree))
        .with(OURS, move |tree| ours.install(|| count_by_dividing(tree)))
        .with(RAYON, move |tree| rayon.install(|| count_by_rayon(tree))))
}

/// All that was counted, as one number.
fn digest(Counts { nodes, depth, leaves }: Counts) -> u64 {
    [nodes, u64::from(depth), leaves].into_iter().fold(0, |sum, count| churn(sum ^ count, 1))
}
