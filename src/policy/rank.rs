//! Upward ranks: how long the rest of a job takes from the start of a task on, along its
//! longest path.

use crate::model::{Dependency, Graph, Job, Platform, Span};

use super::cost::predict;
use super::processors::Processors;

/// The upward rank of each task, by task (Topcuoglu, Hariri, Wu 2002): its mean cost over the
/// processors that can run it, and the longest of the ranks of its successors with the mean
/// communication on the way there. That mean is over all pairs of distinct processors, among
/// which two of one node communicate for nothing.
///
/// Unknown costs are [predicted](predict).
#[must_use]
pub fn upward_ranks(job: &Job, graph: &Graph, platform: &Platform) -> Vec<Span> {
    let ranks = ExactRanks::new(job, graph, &Processors::new(platform));
    ranks.numerators.iter().map(|n| rounded(*n, ranks.denominator)).collect()
}

/// The upward rank of each task, by task, where no platform is known: mean costs over the
/// processor classes, no communication. What is dispatched first when more is ready than can
/// run; a task ranks at least as high as any that waits for it.
#[must_use]
pub fn priorities(job: &Job, graph: &Graph) -> Vec<Span> {
    let costs = predict(job);
    let ranks = longest_paths(graph, |task| u128::from(costs[task].mean().0), |_| 0);
    ranks.into_iter().map(|rank| rounded(rank, 1)).collect()
}

/// Upward ranks as fractions of nanoseconds over one denominator, so that ranks that are equal
/// on paper are equal here: rounded to a nanosecond, thirds add up differently on each path.
pub(super) struct ExactRanks {
    pub(super) numerators: Vec<u128>,
    denominator: u128,
}

impl ExactRanks {
    pub(super) fn new(job: &Job, graph: &Graph, processors: &Processors<'_>) -> ExactRanks {
        // Both the number of processors and that of pairs of them divide this.
        let count = processors.count as u128;
        let denominator = (count * count.saturating_sub(1)).max(1);
        let costs = predict(job);
        let links = processors.links();
        let cost = |task: usize| {
            let fits = processors.fits(&job.tasks[task], &costs[task]);
            let (mut total, mut able) = (0u128, 0u128);
            for (fit, kind) in fits.iter().zip(&processors.kinds) {
                if let Some(fit) = fit {
                    total += u128::from(fit.span.0) * kind.processors as u128;
                    able += kind.processors as u128;
                }
            }
            total.saturating_mul(denominator) / able.max(1)
        };
        let communication = |edge: &Dependency| {
            let over = links.iter().map(|(link, n)| u128::from(link.transfer(edge.bytes).0) * n);
            over.fold(0, u128::saturating_add)
        };
        ExactRanks { numerators: longest_paths(graph, cost, communication), denominator }
    }
}

/// For each task the length of the longest path from its start to the end of the graph.
pub(super) fn longest_paths(
    graph: &Graph,
    cost: impl Fn(usize) -> u128,
    communication: impl Fn(&Dependency) -> u128,
) -> Vec<u128> {
    let mut lengths = vec![0u128; graph.len()];
    for id in graph.order().iter().rev() {
        let successors = graph.successors(*id).iter();
        let rest = successors.map(|e| lengths[e.task.index()].saturating_add(communication(e)));
        lengths[id.index()] = rest.max().unwrap_or(0).saturating_add(cost(id.index()));
    }
    lengths
}

/// `numerator / denominator` nanoseconds, to the nearest.
fn rounded(numerator: u128, denominator: u128) -> Span {
    let nanos = numerator.saturating_add(denominator / 2) / denominator;
    Span(u64::try_from(nanos).unwrap_or(u64::MAX))
}
