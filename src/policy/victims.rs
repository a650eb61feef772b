//! From whom an idle worker takes work: the nearest first.

use crate::model::{Core, Topology};

/// How near a core is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// Under the same last-level cache.
    Cache,
    /// In the same NUMA domain.
    Domain,
    /// In another domain.
    Remote,
}

/// How near each core of `topology` is to the one at place `me`, all of them by their places in
/// [`Topology::cores`].
///
/// # Panics
/// If there is no core at place `me`.
#[must_use]
pub fn nearness(topology: &Topology, me: usize) -> Vec<Nearness> {
    let cores = places(topology);
    let mine = place(&cores, me);
    cores.iter().map(|place| place.nearness(mine)).collect()
}

/// The other cores of `topology` in the order in which the worker on core `me` looks for work,
/// all of them by their places in [`Topology::cores`].
///
/// First the cores under the same last-level cache, then those of the same NUMA domain, then
/// the other domains by distance. Within each of these groups the order by place is rotated:
/// among its own kind a worker begins behind itself, in another domain at the place that it
/// has in its own, and of equally distant domains it begins with the one behind its own; so
/// neighbours do not all fall upon the same victim.
///
/// # Panics
/// If there is no core at place `me`.
#[must_use]
pub fn victim_order(topology: &Topology, me: usize) -> Vec<usize> {
    let cores = places(topology);
    let mine = place(&cores, me);
    let domains = topology.domains.len();

    let near = |place: &Place<'_>| match place.nearness(mine) {
        Nearness::Remote => {
            let behind = (place.domain + domains - mine.domain) % domains;
            (Nearness::Remote, distance(topology, mine.domain, place.domain), behind)
        }
        near => (near, 0, 0),
    };
    let turn = |place: &Place<'_>| {
        let size = topology.domains[place.domain].cores.len();
        (place.within + size - mine.within % size) % size
    };
    let mut order: Vec<usize> = (0..cores.len()).filter(|&at| at != me).collect();
    order.sort_by_key(|&at| {
        let place = &cores[at];
        (near(place), place.domain != mine.domain, turn(place), at)
    });
    order
}

/// A core, the place of its domain, and its own place within that.
struct Place<'a> {
    core: &'a Core,
    domain: usize,
    within: usize,
}

impl Place<'_> {
    fn nearness(&self, other: &Place<'_>) -> Nearness {
        if self.core.cache == other.core.cache {
            Nearness::Cache
        } else if self.domain == other.domain {
            Nearness::Domain
        } else {
            Nearness::Remote
        }
    }
}

fn place<'a, 'b>(cores: &'b [Place<'a>], me: usize) -> &'b Place<'a> {
    assert!(me < cores.len(), "core {me} of {}: places are counted from 0", cores.len());
    &cores[me]
}

fn places(topology: &Topology) -> Vec<Place<'_>> {
    let domains = topology.domains.iter().enumerate();
    domains
        .flat_map(|(domain, d)| {
            d.cores.iter().enumerate().map(move |(within, core)| Place { core, domain, within })
        })
        .collect()
}

/// The distance between two domains; what is not told is as far as can be.
fn distance(topology: &Topology, from: usize, to: usize) -> u32 {
    topology.distances.get(from).and_then(|row| row.get(to)).copied().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{CoreId, Domain};

    /// `caches[d]` caches of `width` cores in domain `d`; distances grow with `|i - j|`.
    fn host(caches: &[u32], width: u32) -> Topology {
        let (mut core, mut cache) = (0, 0);
        let mut domains = Vec::new();
        for (id, &n) in caches.iter().enumerate() {
            let mut cores = Vec::new();
            for _ in 0..n {
                for _ in 0..width {
                    cores.push(Core { id: CoreId(core), package: 0, cache, units: vec![core] });
                    core += 1;
                }
                cache += 1;
            }
            domains.push(Domain { id: id as u32, memory: 0, cores });
        }
        let n = domains.len() as u32;
        let row = |i: u32| (0..n).map(|j| 10 + 10 * i.abs_diff(j)).collect();
        Topology { domains, distances: (0..n).map(row).collect() }
    }

    #[test]
    fn cache_then_domain_then_distance() {
        // Domains {0..4}, {4..8}, {8..12}, caches of two.
        let host = host(&[2, 2, 2], 2);
        assert_eq!(victim_order(&host, 0), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(victim_order(&host, 6), [7, 4, 5, 10, 11, 8, 9, 2, 3, 0, 1]);
    }

    #[test]
    fn nearness_is_told_of_each_core() {
        use Nearness::{Cache, Domain, Remote};
        let host = host(&[2, 1], 2);
        let near = [Domain, Domain, Cache, Cache, Remote, Remote];
        assert_eq!(nearness(&host, 2), near);
    }

    #[test]
    fn neighbours_begin_with_different_victims() {
        let flat = Topology::flat(8);
        let mut first: Vec<usize> = (0..8).map(|me| victim_order(&flat, me)[0]).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2, 3, 4, 5, 6, 7]);

        let two = host(&[1, 1], 4);
        let mut remote: Vec<usize> = (0..4).map(|me| victim_order(&two, me)[3]).collect();
        remote.sort_unstable();
        assert_eq!(remote, [4, 5, 6, 7]);
    }

    #[test]
    fn a_cache_that_spans_domains_comes_before_the_own_domain() {
        let mut host = host(&[2, 2], 1);
        host.domains[1].cores[0].cache = 0;
        assert_eq!(victim_order(&host, 0), [2, 1, 3]);
    }

    #[test]
    fn one_core_has_no_victims_and_missing_distances_do_no_harm() {
        assert!(victim_order(&Topology::flat(1), 0).is_empty());
        let mut host = host(&[1, 1, 1], 1);
        host.distances.clear();
        assert_eq!(victim_order(&host, 1), [2, 0]);
    }

    proptest! {
        #[test]
        fn every_other_core_once_and_never_a_nearer_one_after_a_farther_one(
            caches in prop::collection::vec(0u32..4, 1..6), width in 1u32..4, pick in any::<prop::sample::Index>(),
        ) {
            let host = host(&caches, width);
            prop_assume!(host.core_count() > 0);
            let me = pick.index(host.core_count());
            let order = victim_order(&host, me);

            let mut sorted = order.clone();
            sorted.sort_unstable();
            let others: Vec<usize> = (0..host.core_count()).filter(|&at| at != me).collect();
            prop_assert_eq!(sorted, others);

            let places = places(&host);
            let farness = |at: &usize| {
                let (a, b) = (&places[me], &places[*at]);
                let apart = distance(&host, a.domain, b.domain);
                (a.core.cache != b.core.cache, a.domain != b.domain, apart)
            };
            prop_assert!(order.is_sorted_by_key(farness));
        }
    }
}
