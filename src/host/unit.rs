//! Processing units as every reader finds them, and the topology that they make up.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Core, CoreId, Domain, Topology};

/// A processing unit (hardware thread) and what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The operating system's number.
    pub(super) id: u32,
    /// The lowest number among the units of its core.
    pub(super) core: u32,
    /// The number of its package.
    pub(super) package: u32,
    /// The lowest number among the units that share its last-level cache; nothing where caches
    /// are not told of: then a package is taken to share one.
    pub(super) cache: Option<u32>,
    /// The number of its NUMA domain.
    pub(super) domain: u32,
}

/// The topology of `units`.
///
/// `memory` is asked for each domain that has cores, `distance` for each pair of them, both by
/// the operating system's numbers. Domains without cores are left out, and caches are numbered
/// from 0 in the order of their first units, so that two readers that saw the same machine agree.
pub(super) fn assemble(
    mut units: Vec<Unit>,
    memory: impl Fn(u32) -> u64,
    distance: impl Fn(u32, u32) -> u32,
) -> Topology {
    units.sort_by_key(|unit| unit.id);
    let mut caches = BTreeMap::new();
    let mut cores: BTreeMap<u32, (u32, Core)> = BTreeMap::new();
    for unit in &units {
        let next = caches.len() as u32;
        let key = unit.cache.map_or((1, unit.package), |cache| (0, cache));
        let cache = *caches.entry(key).or_insert(next);
        let fresh = || {
            // The lowest unit that is there: the one that `core` names may be offline.
            let core = Core { id: CoreId(unit.id), package: unit.package, cache, units: vec![] };
            (unit.domain, core)
        };
        cores.entry(unit.core).or_insert_with(fresh).1.units.push(unit.id);
    }
    let ids: BTreeSet<u32> = cores.values().map(|(domain, _)| *domain).collect();
    let domain = |id: &u32| {
        let mut cores: Vec<Core> = cores
            .values()
            .filter(|(domain, _)| domain == id)
            .map(|(_, core)| core.clone())
            .collect();
        cores.sort_by_key(|core| core.id);
        Domain { id: *id, memory: memory(*id), cores }
    };
    let row = |from: &u32| ids.iter().map(|to| distance(*from, *to)).collect();
    Topology { domains: ids.iter().map(domain).collect(), distances: ids.iter().map(row).collect() }
}

/// What firmware says where nobody has measured: 10 within a domain, 20 to any other.
pub(super) const fn default_distance(from: u32, to: u32) -> u32 {
    if from == to { 10 } else { 20 }
}

/// One core for each of `ids`, all equally near: what is assumed where nothing can be found out.
pub(super) fn flat(ids: impl IntoIterator<Item = u32>) -> Topology {
    let unit = |id| Unit { id, core: id, package: 0, cache: None, domain: 0 };
    assemble(ids.into_iter().map(unit).collect(), |_| 0, default_distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_named_by_its_first_unit_that_is_there() {
        let unit = |id, core| Unit { id, core, package: 0, cache: Some(0), domain: 3 };
        let topology = assemble(vec![unit(5, 1), unit(2, 2), unit(6, 2)], |_| 7, default_distance);
        assert_eq!(topology.domains.len(), 1);
        let domain = &topology.domains[0];
        assert_eq!((domain.id, domain.memory), (3, 7));
        let cores: Vec<_> = domain.cores.iter().map(|c| (c.id.0, c.units.clone())).collect();
        assert_eq!(cores, [(2, vec![2, 6]), (5, vec![5])]);
    }

    #[test]
    fn caches_that_nobody_tells_of_are_one_a_package() {
        let unit = |id, package| Unit { id, core: id, package, cache: None, domain: 0 };
        let units = vec![unit(0, 0), unit(1, 1), unit(2, 0)];
        let topology = assemble(units, |_| 0, default_distance);
        let caches: Vec<u32> = topology.cores().map(|c| c.cache).collect();
        assert_eq!(caches, [0, 1, 0]);
    }

    #[test]
    fn flat_is_what_the_model_calls_flat() {
        assert_eq!(flat(0..5), Topology::flat(5));
    }
}
