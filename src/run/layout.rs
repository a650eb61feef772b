//! Who sits where: the host's cores divided among nodes, the nodes among subclusters.

use super::{NodeInfo, Options, RunError};
use crate::host::{self, Host};
use crate::model::{
    Amount, Epoch, Incarnation, PeerId, ResourceId, ResourceNames, Resources, SubclusterId,
    Topology,
};
use crate::sched::{RunId, Seat};

/// The nodes of a run on one host.
#[derive(Debug)]
pub(super) struct Layout {
    shares: Vec<host::Share>,
    nodes: Vec<NodeInfo>,
    sub_masters: Vec<PeerId>,
    /// What the user should know of it.
    pub(super) notes: Vec<String>,
}

impl Layout {
    pub(super) fn new(
        host: &Host,
        options: &Options,
        names: &ResourceNames,
    ) -> Result<Layout, RunError> {
        let (n, m) = (options.nodes, options.subclusters);
        if n == 0 || m == 0 || m > n {
            let problem = format!(
                "{m} subclusters of {n} nodes cannot be: ask for as many nodes at least, with --nodes"
            );
            return Err(RunError::Options(problem));
        }
        let (usable, mut notes) = usable(host);
        let shares: Vec<_> = (0..n).map(|i| host::share(&usable, i as usize, n as usize)).collect();
        if shares.iter().any(|share| !share.pinned) {
            let cores = usable.core_count();
            notes.push(format!("{n} nodes share {cores} cores: their workers are not pinned"));
        }
        if !host.real {
            notes.push(format!("the topology is from {}: workers are not pinned", host.source));
        }
        let subcluster = |i: u32| i * m / n;
        let first = |s: u32| (0..n).find(|i| subcluster(*i) == s).unwrap_or(0);
        let node = |i: u32| NodeInfo {
            node: PeerId(i),
            subcluster: SubclusterId(subcluster(i)),
            host: host.name.clone(),
            cores: shares[i as usize].topology.cores().map(|core| core.id).collect(),
            pinned: host.real && shares[i as usize].pinned,
            capacity: capacity(&shares[i as usize].topology, host, options, names),
        };
        let nodes: Vec<NodeInfo> = (0..n).map(node).collect();
        let sub_masters = (0..n).map(|i| PeerId(first(subcluster(i)))).collect();
        Ok(Layout { shares, nodes, sub_masters, notes })
    }

    pub(super) fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    pub(super) fn seat(&self, i: usize, run: RunId, epoch: Epoch, options: &Options) -> Seat {
        let node = &self.nodes[i];
        Seat {
            run,
            peer: node.node,
            incarnation: Incarnation(1),
            epoch,
            subcluster: node.subcluster,
            sub_master: self.sub_masters[i],
            master: PeerId(0),
            host: node.host.clone(),
            topology: self.shares[i].topology.clone(),
            capacity: node.capacity.clone(),
            lease: options.lease,
            wait_for_nodes: options.wait_for_nodes,
        }
    }
}

/// The nodes that a run on this host would have. Resources by name are in the terms of `names`.
///
/// # Errors
/// If the host cannot be made out, or the options contradict each other.
pub fn local_nodes(options: &Options, names: &ResourceNames) -> Result<Vec<NodeInfo>, RunError> {
    Ok(Layout::new(&Host::discover()?, options, names)?.nodes)
}

/// The cores that are allowed, and no more of them than the processor quota feeds.
fn usable(host: &Host) -> (Topology, Vec<String>) {
    let (workers, cores) = (host.workers(), host.allowed.core_count());
    if workers >= cores {
        return (host.allowed.clone(), Vec::new());
    }
    let fed: Vec<u32> = host.allowed.cores().take(workers).flat_map(|c| c.units.clone()).collect();
    let note =
        format!("a control group limits processor time: {workers} of {cores} cores are used");
    (host.allowed.restricted(|unit| fed.contains(&unit)), vec![note])
}

fn capacity(share: &Topology, host: &Host, options: &Options, names: &ResourceNames) -> Resources {
    let mut capacity = Resources::cores(share.core_count() as u64);
    let memory = host.memory.unwrap_or(0) / u64::from(options.nodes);
    capacity.set(ResourceId::MEMORY, Amount::whole(memory));
    for (name, amount) in &options.resources {
        // What no task asks for by name needs no counting.
        if let Some(id) = names.find(name) {
            capacity.set(id, *amount);
        }
    }
    capacity
}
