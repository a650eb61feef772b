//! What one host is made of: NUMA domains, physical cores, processing units.

use std::fmt;

use super::CoreId;

/// The part of a host that is being talked about: all of it, what is allowed, or one process's
/// share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// NUMA domains in the order of their operating-system numbers; a host without NUMA is one.
    pub domains: Vec<Domain>,
    /// `distances[i][j]` from `domains[i]` to `domains[j]` as the firmware tells it: 10 is
    /// local.
    pub distances: Vec<Vec<u32>>,
}

/// A NUMA domain: cores that are equally near to the same memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// The operating system's number.
    pub id: u32,
    /// Its memory in bytes; 0 if not known.
    pub memory: u64,
    /// Its cores, by id.
    pub cores: Vec<Core>,
}

/// A physical core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// The operating system's number of its first processing unit.
    pub id: CoreId,
    /// The package (socket) it sits in.
    pub package: u32,
    /// The last-level cache that it shares: cores with the same number share one.
    pub cache: u32,
    /// The operating system's numbers of its processing units (hardware threads).
    pub units: Vec<u32>,
}

impl Topology {
    /// `n` cores in one domain with one cache, numbered from 0: what is assumed where nothing
    /// can be found out.
    #[must_use]
    pub fn flat(n: u32) -> Topology {
        let core = |i| Core { id: CoreId(i), package: 0, cache: 0, units: vec![i] };
        let domain = Domain { id: 0, memory: 0, cores: (0..n).map(core).collect() };
        Topology { domains: vec![domain], distances: vec![vec![10]] }
    }

    /// All cores, domain by domain.
    pub fn cores(&self) -> impl Iterator<Item = &Core> {
        self.domains.iter().flat_map(|d| &d.cores)
    }

    /// How many cores there are.
    #[must_use]
    pub fn core_count(&self) -> usize {
        self.cores().count()
    }

    /// The place in [`domains`](Self::domains) of the domain that `core` belongs to.
    #[must_use]
    pub fn domain_of(&self, core: CoreId) -> Option<usize> {
        self.domains.iter().position(|d| d.cores.iter().any(|c| c.id == core))
    }

    /// Only what `keep` says of each processing unit; cores and domains that lose all of theirs
    /// go too.
    #[must_use]
    pub fn restricted(&self, keep: impl Fn(u32) -> bool) -> Topology {
        let mut kept = Vec::new();
        let mut domains = Vec::new();
        for (i, domain) in self.domains.iter().enumerate() {
            let cores: Vec<Core> = domain
                .cores
                .iter()
                .map(|core| Core {
                    units: core.units.iter().copied().filter(|unit| keep(*unit)).collect(),
                    ..core.clone()
                })
                .filter(|core| !core.units.is_empty())
                .collect();
            if !cores.is_empty() {
                kept.push(i);
                domains.push(Domain { cores, ..domain.clone() });
            }
        }
        let row = |i: &usize| kept.iter().map(|j| self.distances[*i][*j]).collect();
        Topology { distances: kept.iter().map(row).collect(), domains }
    }
}

impl fmt::Display for Topology {
    /// `2 domains, 16 cores`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (domains, cores) = (self.domains.len(), self.core_count());
        write!(f, "{domains} domain{}, {cores} core{}", plural(domains), plural(cores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restricting_drops_empty_cores_and_domains_with_their_distances() {
        let mut host = Topology::flat(2);
        host.domains.push(Domain {
            id: 1,
            memory: 0,
            cores: vec![Core { id: CoreId(2), package: 1, cache: 1, units: vec![2, 3] }],
        });
        host.distances = vec![vec![10, 20], vec![20, 10]];
        let part = host.restricted(|unit| unit == 3);
        assert_eq!(part.core_count(), 1);
        assert_eq!(part.domains[0].id, 1);
        assert_eq!(part.domains[0].cores[0].units, [3]);
        assert_eq!(part.distances, [[10]]);
    }
}
