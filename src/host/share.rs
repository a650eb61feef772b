//! How processes of ours on one host divide its cores.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::{Core, Domain, Topology};

/// One process's part of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its cores.
    pub topology: Topology,
    /// Whether they are its own, so that workers may be pinned to them (on a host that is
    /// [real](super::Host::real)). If not there are more processes than cores: it has one core
    /// that it shares with others, and the kernel should place its worker.
    pub pinned: bool,
}

/// The part of process `index` out of `count` that run on one host.
///
/// `host` is what they may use together: the union of their masks, the same for each of them.
/// The parts are disjoint and make up the whole; the same arguments give the same part
/// everywhere. NUMA domains go before evenness:
/// - up to as many processes as domains: each gets whole domains, neighbours by package, and as
///   even a number of cores as that leaves possible;
/// - more processes than domains: each stays within one; a domain gets processes by its number
///   of cores, and divides its cores among them evenly, neighbours by cache;
/// - more processes than cores: core `index` modulo their number, not pinned.
///
/// # Panics
/// If `index` is not below `count`.
///
/// # Examples
/// ```
/// use evenkeel::host::{share, synthetic};
///
/// let host = synthetic::topology("package:2 numa:2 core:4")?;
/// let mine = share(&host, 1, 4);
/// assert_eq!(mine.topology.domains[0].id, 1);
/// assert!(mine.pinned);
/// # Ok::<(), evenkeel::host::HostError>(())
/// ```
#[must_use]
pub fn share(host: &Topology, index: usize, count: usize) -> Share {
    assert!(index < count, "process {index} is not one of {count}");
    let total = host.core_count();
    if count > total {
        let core = host.cores().nth(index.checked_rem(total).unwrap_or(0));
        return Share { topology: only(host, core), pinned: false };
    }
    let mut domains: Vec<&Domain> = host.domains.iter().filter(|d| !d.cores.is_empty()).collect();
    domains.sort_by_key(|d| (package(d), d.id));
    let topology = if count <= domains.len() {
        let sizes: Vec<usize> = domains.iter().map(|d| d.cores.len()).collect();
        let run = whole_domains(&sizes, index, count);
        only(host, domains[run].iter().flat_map(|d| &d.cores))
    } else {
        only(host, part_of_domain(&domains, index, count))
    };
    Share { topology, pinned: true }
}

/// The package that a domain is counted to.
fn package(domain: &Domain) -> Option<u32> {
    domain.cores.first().map(|core| core.package)
}

/// Which of consecutive domains with so many cores go to process `index` of at most as many
/// processes: each takes domains until all up to it have their due, but leaves one for each
/// after it.
fn whole_domains(sizes: &[usize], index: usize, count: usize) -> Range<usize> {
    let total: usize = sizes.iter().sum();
    let (mut start, mut end, mut given) = (0, 0, 0);
    for process in 0..=index {
        start = end;
        let last = sizes.len() - (count - 1 - process);
        loop {
            given += sizes[end];
            end += 1;
            // Compared without dividing: `given / total >= (process + 1) / count`.
            if end == last || (process + 1 < count && given * count >= (process + 1) * total) {
                break;
            }
        }
    }
    start..end
}

/// The cores of process `index` when there are more processes than domains.
fn part_of_domain<'a>(domains: &[&'a Domain], index: usize, count: usize) -> Vec<&'a Core> {
    let mut processes = vec![1; domains.len()];
    for _ in domains.len()..count {
        // The next one goes where most cores come to a process; the first of equals.
        let place = (0..domains.len()).reduce(|best, other| {
            let (a, b) = (domains[best].cores.len(), domains[other].cores.len());
            if b * processes[best] > a * processes[other] { other } else { best }
        });
        processes[place.expect("a host with a core has a domain")] += 1;
    }
    let mut before = 0;
    let (domain, processes) = domains
        .iter()
        .zip(processes)
        .find(|(_, processes)| {
            before += processes;
            index < before
        })
        .expect("the processes of all domains are `count`");
    let place = index + processes - before;
    let mut cores: Vec<&Core> = domain.cores.iter().collect();
    cores.sort_by_key(|core| (core.package, core.cache, core.id));
    let cut = |i: usize| i * cores.len() / processes;
    cores[cut(place)..cut(place + 1)].to_vec()
}

/// Only `cores` of `host`.
fn only<'a>(host: &Topology, cores: impl IntoIterator<Item = &'a Core>) -> Topology {
    let units: BTreeSet<u32> = cores.into_iter().flat_map(|core| &core.units).copied().collect();
    host.restricted(|unit| units.contains(&unit))
}
