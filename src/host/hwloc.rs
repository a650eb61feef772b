//! The topology as hwloc sees it.

use hwloc2::{ObjectType, Topology as Hwloc, TopologyFlag, TopologyObject};
use std::collections::BTreeMap;

use super::unit::{Unit, assemble};
use crate::model::Topology;

/// What hwloc gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The units that are online, allowed or not.
    pub topology: Topology,
    /// Whether it is this machine, and not one that `HWLOC_XMLFILE`, `HWLOC_SYNTHETIC` or
    /// `HWLOC_FSROOT` put in its place.
    pub this_system: bool,
}

/// Asks hwloc, which heeds its environment variables; `distance` is between NUMA domains by the
/// operating system's numbers. Nothing if it gives no topology, or one in which a unit has no
/// memory.
pub fn topology(distance: impl Fn(u32, u32) -> u32) -> Option<Seen> {
    // What is not allowed to us is part of the host all the same.
    let flags = vec![TopologyFlag::IncludeDisallowed];
    let hwloc = Hwloc::with_flags(flags)?;
    let mut units = Vec::new();
    let mut memory = BTreeMap::new();
    for object in hwloc.objects_with_type(&ObjectType::PU).ok()? {
        let unit = unit(object)?;
        memory.entry(unit.domain).or_insert_with(|| domain_memory(object));
        units.push(unit);
    }
    let topology = assemble(units, |domain| memory[&domain], distance);
    // hwloc offers to bind threads only to the machine that it runs on.
    Some(Seen { topology, this_system: hwloc.support().cpu().set_current_thread() })
}

fn unit(object: &TopologyObject) -> Option<Unit> {
    let holder = |kind| ancestors(object).find(|o| o.object_type() == kind);
    let cache = ancestors(object).filter(|o| is_cache(&o.object_type())).last();
    Some(Unit {
        id: object.os_index(),
        core: holder(ObjectType::Core).map_or(Some(object.os_index()), first_unit)?,
        package: holder(ObjectType::Package).map_or(0, TopologyObject::os_index),
        cache: cache.and_then(first_unit),
        domain: first_node(object)?,
    })
}

/// Memory of the domain that `object` is in: what hwloc counts below the largest object that
/// touches no other domain. (The NUMA nodes themselves cannot be reached through the binding:
/// they hang beside the tree, at a depth that it takes for an error.)
fn domain_memory(object: &TopologyObject) -> u64 {
    let nodes = object.nodeset();
    ancestors(object).take_while(|o| o.nodeset() == nodes).last().map_or(0, |o| o.total_memory())
}

/// What `object` is in, from itself outwards.
fn ancestors(object: &TopologyObject) -> impl Iterator<Item = &TopologyObject> {
    std::iter::successors(Some(object), |o| o.parent())
}

const fn is_cache(kind: &ObjectType) -> bool {
    use ObjectType::{L1Cache, L2Cache, L3Cache, L4Cache, L5Cache};
    matches!(kind, L1Cache | L2Cache | L3Cache | L4Cache | L5Cache)
}

fn first_unit(object: &TopologyObject) -> Option<u32> {
    u32::try_from(object.cpuset()?.first()).ok()
}

/// The NUMA domain of `object`. Memory without cores (high bandwidth, attached by CXL) may be
/// local to it as well; it is numbered after the ordinary domains.
fn first_node(object: &TopologyObject) -> Option<u32> {
    u32::try_from(object.nodeset()?.first()).ok()
}
