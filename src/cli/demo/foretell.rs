//! What the simulator makes of the demo before it begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Job, NodeInfo, PeerId, Platform, Record, Span, State, Time};
use crate::report::Summary;
use crate::run::{Conditions, RunError, simulate};
use crate::sim::{Fault, FaultPlan};

/// How long `job` will take on `nodes` of this host, of which `victim`, if any, is killed when
/// half of the tasks are done.
pub(super) fn foretell(
    job: &Job,
    nodes: &[NodeInfo],
    victim: Option<PeerId>,
    lease: Span,
) -> Result<Span, RunError> {
    let platform = platform(nodes);
    let simulated = |conditions| -> Result<Vec<Arc<Record>>, RunError> {
        let (outcome, _) = simulate(job.clone(), platform.clone(), &conditions)?;
        Ok(outcome.records)
    };
    let undisturbed = simulated(Conditions { lease, ..Conditions::default() })?;
    let Some(victim) = victim else { return Ok(makespan(&undisturbed)) };
    // Where nodes share cores, those that are left have them for themselves: from then on they
    // are faster than the platform has them, all but their leases.
    let left = nodes.iter().filter(|node| node.node != victim);
    let gain = speed(left) / speed(nodes);
    let half = half_time(&undisturbed);
    let faults = FaultPlan(vec![(half, Fault::Crash { peer: victim, back: None })]);
    let lease = lease.scale(gain);
    let disturbed = simulated(Conditions { lease, faults, ..Conditions::default() })?;
    let until = half.since(Time::ZERO);
    Ok(until + (makespan(&disturbed) - until).scale(1.0 / gain))
}

/// The nodes of this host as a platform.
fn platform(nodes: &[NodeInfo]) -> Platform {
    let subclusters = nodes.iter().map(|node| node.subcluster.0 + 1).max().unwrap_or(1);
    let mut platform = Platform::uniform(subclusters, 0, 0);
    let one = Platform::uniform(1, 1, 1).subclusters.remove(0).nodes.remove(0);
    for info in nodes {
        let mut node = one.clone();
        node.name = format!("node{}", info.node.0);
        node.capacity = info.capacity.clone();
        node.speed = speed(nodes);
        platform.subclusters[info.subcluster.index()].nodes.push(node);
    }
    platform
}

/// How fast a core of `nodes` is when all of them are busy: less than 1 where they share some.
fn speed<'a>(nodes: impl IntoIterator<Item = &'a NodeInfo>) -> f64 {
    let cores: Vec<_> = nodes.into_iter().flat_map(|node| &node.cores).collect();
    let distinct: BTreeSet<_> = cores.iter().collect();
    distinct.len() as f64 / cores.len().max(1) as f64
}

/// When half of the tasks were done.
fn half_time(records: &[Arc<Record>]) -> Time {
    let done = records.iter().filter(|record| record.state == State::Done);
    let mut ends: Vec<Time> = done.filter_map(|record| record.end).collect();
    ends.sort_unstable();
    ends.get(ends.len() / 2).copied().unwrap_or_default()
}

fn makespan(records: &[Arc<Record>]) -> Span {
    Summary::new("", records, &[], None).makespan
}
