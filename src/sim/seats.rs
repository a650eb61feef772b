//! From a platform to the seats of a run: one process per node.

use super::SimConfig;
use crate::model::{
    Core, CoreId, Domain, Epoch, Incarnation, PeerId, ResourceId, SubclusterId, Topology,
};
use crate::sched::{Former, RunId, Seat, ancestry};

/// A seat for each node, in order. The first of a subcluster has its sub-master, the very first
/// the master.
pub(super) fn seats(config: &SimConfig) -> Vec<Seat> {
    let sizes = config.platform.subclusters.iter().map(|s| s.nodes.len() as u32);
    let heads = sizes.scan(0, |first, size| {
        *first += size;
        Some(PeerId(*first - size))
    });
    let heads: Vec<PeerId> = heads.collect();
    let nodes = config.platform.nodes().enumerate();
    let seats = nodes.map(|(i, (subcluster, node))| {
        let peer = PeerId(i as u32);
        let above = ancestry(subcluster as u32, &config.fans);
        let cores = node.capacity.get(ResourceId::CORES).ceil() as u32;
        Seat {
            run: RunId(config.seed),
            peer,
            incarnation: Incarnation(1),
            epoch: Epoch(1),
            subcluster: SubclusterId(subcluster as u32),
            ancestors: above.into_iter().map(|s| heads[s as usize]).collect(),
            master: PeerId(0),
            host: node.name.clone(),
            topology: topology(cores, node.domains.max(1)),
            capacity: node.capacity.clone(),
            lease: config.lease,
            wait_for_nodes: config.wait_for_nodes,
            reattach: config.reattach,
            time_left: config.time_left,
            apart: true,
            standby: None,
            former: Former::Ended,
        }
    });
    seats.collect()
}

/// `cores` cores spread evenly over `domains`.
fn topology(cores: u32, domains: u32) -> Topology {
    let core = |id| Core { id: CoreId(id), package: 0, cache: 0, units: vec![id] };
    let bound = |d: u32| cores * d / domains;
    let domain =
        |d: u32| Domain { id: d, memory: 0, cores: (bound(d)..bound(d + 1)).map(core).collect() };
    let row = |a: u32| (0..domains).map(|b| if a == b { 10 } else { 20 }).collect();
    Topology {
        domains: (0..domains).map(domain).collect(),
        distances: (0..domains).map(row).collect(),
    }
}
