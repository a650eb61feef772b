//! A run in virtual time.

use super::outcome::Done;
use super::{Options, Outcome, RunError};
use crate::model::{
    CoreId, Cost, Graph, Job, NodeInfo, PeerId, Platform, ResourceId, Span, Standby, SubclusterId,
};
use crate::policy;
use crate::sim::{FaultPlan, SimConfig, Simulation, Stats};

/// What a simulated run meets with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Where everything random comes from.
    pub seed: u64,
    /// How long a node may be silent before it is taken for dead.
    pub lease: Span,
    /// What goes wrong.
    pub faults: FaultPlan,
}

impl Default for Conditions {
    /// Nothing goes wrong.
    fn default() -> Self {
        Conditions { seed: 0, lease: Options::default().lease, faults: FaultPlan::none() }
    }
}

/// Runs `job` in virtual time on `platform`, by the very machines of a real run: attempts take
/// their cost, or where the job does not say, what is [predicted](policy::predict).
///
/// What the processes tell each other takes the latency of the links and no bandwidth: it is
/// little beside what tasks hand over, and that is not simulated yet.
///
/// # Errors
/// If tasks wait for each other in a ring, or the platform has no node for one.
pub fn simulate(
    mut job: Job,
    platform: Platform,
    conditions: &Conditions,
) -> Result<(Outcome, Stats), RunError> {
    let costs: Vec<Cost> =
        policy::predict(&job).into_iter().map(|cost| cost.into_owned()).collect();
    for (task, cost) in job.tasks.iter_mut().zip(costs) {
        task.cost = cost;
    }
    let ring = |cycle: crate::model::Cycle| {
        let names = cycle.0.into_iter().map(|id| job.task_name(id).to_string());
        RunError::Cycle(names.collect())
    };
    let graph = Graph::new(&job).map_err(ring)?;
    let platform = platform.in_terms_of(&job.resources);
    let ranks = policy::upward_ranks(&job, &graph, &platform);
    let ranks = ranks.into_iter().map(|rank| rank.0).collect();
    let lower_bound = policy::lower_bound(&job, &graph, &platform);
    let (name, nodes) = (job.name.clone(), nodes(&platform));
    let platform = without_bandwidth(platform);
    let Conditions { seed, lease, faults } = conditions.clone();
    let config = SimConfig { seed, lease, faults, ..SimConfig::new(platform, job, ranks) };
    let simulated = Simulation::new(config).run().map_err(RunError::Violation)?;
    let outcome = Outcome {
        name,
        verdict: simulated.verdict,
        lower_bound,
        nodes,
        folder: None,
        done: Done::new(&simulated.records),
        records: simulated.records,
    };
    Ok((outcome, simulated.stats))
}

fn nodes(platform: &Platform) -> Vec<NodeInfo> {
    let nodes = platform.nodes().zip(0..).map(|((subcluster, node), i)| {
        let cores = node.capacity.get(ResourceId::CORES).ceil() as u32;
        NodeInfo {
            node: PeerId(i),
            subcluster: SubclusterId(subcluster as u32),
            host: node.name.clone(),
            pid: 0,
            cores: (0..cores).map(CoreId).collect(),
            pinned: true,
            capacity: node.capacity.clone(),
            standby: Standby::No,
        }
    });
    nodes.collect()
}

fn without_bandwidth(mut platform: Platform) -> Platform {
    let inside = platform.subclusters.iter_mut().map(|subcluster| &mut subcluster.link);
    for link in inside.chain([&mut platform.link]) {
        link.bandwidth = f64::INFINITY;
    }
    platform
}
