//! How processes divide a host.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use evenkeel::host::{share, synthetic};
use evenkeel::model::{CoreId, Topology};
use proptest::prelude::*;

fn host(text: &str) -> Topology {
    synthetic::topology(text).expect("it describes a machine")
}

fn cores(topology: &Topology) -> Vec<u32> {
    topology.cores().map(|core| core.id.0).collect()
}

/// The cores of each of `count` processes.
fn parts(host: &Topology, count: usize) -> Vec<Vec<u32>> {
    (0..count).map(|index| cores(&share(host, index, count).topology)).collect()
}

#[test]
fn one_process_has_all() {
    let host = host("package:2 numa:2 core:2 pu:2");
    let all = share(&host, 0, 1);
    assert_eq!(all.topology, host);
    assert!(all.pinned);
}

#[test]
fn domains_are_dealt_out_whole() {
    let host = host("package:2 numa:2 core:2");
    assert_eq!(parts(&host, 4), [[0, 1], [2, 3], [4, 5], [6, 7]]);
    assert_eq!(parts(&host, 2), [[0, 1, 2, 3], [4, 5, 6, 7]]);
    assert_eq!(parts(&host, 3), [vec![0, 1, 2, 3], vec![4, 5], vec![6, 7]]);
}

#[test]
fn domains_of_a_package_stay_together_however_they_are_numbered() {
    let mut host = host("package:2 numa:2 core:1");
    // Domains 0 and 2 in package 0, domains 1 and 3 in package 1.
    for (domain, package) in host.domains.iter_mut().zip([0, 1, 0, 1]) {
        domain.cores[0].package = package;
    }
    assert_eq!(parts(&host, 2), [[0, 2], [1, 3]]);
}

#[test]
fn more_processes_than_domains_divide_within_them() {
    assert_eq!(parts(&host("numa:2 core:4"), 3), [vec![0, 1], vec![2, 3], vec![4, 5, 6, 7]]);
    assert_eq!(parts(&host("numa:2 core:3"), 4), [vec![0], vec![1, 2], vec![3], vec![4, 5]]);
}

#[test]
fn a_domain_with_more_cores_gets_more_processes() {
    let small = host("numa:2 core:6").restricted(|unit| unit < 8);
    assert_eq!(parts(&small, 4), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6, 7]]);
}

#[test]
fn neighbours_by_cache_stay_together() {
    let mut host = host("core:4");
    for (core, cache) in host.domains[0].cores.iter_mut().zip([0, 1, 0, 1]) {
        core.cache = cache;
    }
    assert_eq!(parts(&host, 2), [[0, 2], [1, 3]]);
}

#[test]
fn more_processes_than_cores_share_them_unpinned() {
    let host = host("core:2 pu:2");
    let shares: Vec<_> = (0..5).map(|index| share(&host, index, 5)).collect();
    assert!(shares.iter().all(|share| !share.pinned && share.topology.core_count() == 1));
    let cores: Vec<CoreId> = shares.iter().flat_map(|s| s.topology.cores()).map(|c| c.id).collect();
    assert_eq!(cores, [0, 2, 0, 2, 0].map(CoreId));
    assert!(share(&host, 0, 2).pinned);
}

#[test]
fn nothing_is_shared_as_nothing() {
    let share = share(&Topology::default(), 1, 3);
    assert_eq!(share.topology, Topology::default());
    assert!(!share.pinned);
}

#[test]
#[should_panic(expected = "process 2 is not one of 2")]
fn a_process_beyond_the_last_is_a_mistake() {
    let _ = share(&Topology::flat(4), 2, 2);
}

/// A host of up to 4 packages, 3 domains each, 6 cores each, some units not allowed.
fn any_host() -> impl Strategy<Value = Topology> {
    let shape = (1_u32..=4, 1_u32..=3, 1_u32..=6, 1_u32..=2);
    let hosts = shape.prop_flat_map(|(packages, domains, cores, units)| {
        let total = (packages * domains * cores * units) as usize;
        let text = format!("package:{packages} numa:{domains} core:{cores} pu:{units}");
        (Just(text), prop::collection::vec(prop::bool::weighted(0.8), total))
    });
    let restrict =
        |(text, keep): (String, Vec<bool>)| host(&text).restricted(|unit| keep[unit as usize]);
    hosts.prop_map(restrict).prop_filter("a host has a core", |host| host.core_count() > 0)
}

proptest! {
    #[test]
    fn parts_are_disjoint_and_make_up_the_whole(host in any_host(), part in 0.0..1.0) {
        let count = 1 + (part * host.core_count() as f64) as usize;
        prop_assume!(count <= host.core_count());
        let parts = parts(&host, count);
        prop_assert!(parts.iter().all(|part| !part.is_empty()));
        let mut all = parts.concat();
        all.sort_unstable();
        prop_assert_eq!(all, cores(&host));
        // Units and memory of a part are those of the host.
        for index in 0..count {
            let share = share(&host, index, count);
            prop_assert!(share.pinned);
            for core in share.topology.cores() {
                prop_assert!(host.cores().any(|other| other == core));
            }
        }
    }

    #[test]
    fn domains_go_before_evenness(host in any_host(), part in 0.0..1.0) {
        let count = 1 + (part * host.core_count() as f64) as usize;
        prop_assume!(count <= host.core_count());
        let shares: Vec<Topology> =
            (0..count).map(|index| share(&host, index, count).topology).collect();
        if count <= host.domains.len() {
            // Whole domains.
            prop_assert!(shares.iter().flat_map(|s| &s.domains).all(|d| host.domains.contains(d)));
            // Nobody has a largest domain more than their due.
            let due = host.core_count().div_ceil(count);
            let largest = host.domains.iter().map(|d| d.cores.len()).max().unwrap_or(0);
            prop_assert!(shares.iter().all(|s| s.core_count() <= due + largest));
        } else {
            prop_assert!(shares.iter().all(|s| s.domains.len() == 1));
            // Within a domain sizes differ by at most one.
            for domain in &host.domains {
                let of_domain = shares.iter().filter(|s| s.domains[0].id == domain.id);
                let sizes: BTreeSet<usize> = of_domain.map(Topology::core_count).collect();
                let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
                prop_assert!(most - least <= 1, "{:?}", sizes);
            }
        }
    }

    #[test]
    fn equal_domains_are_dealt_out_evenly(domains in 1_u32..9, cores in 1_u32..5, count in 1_usize..9) {
        prop_assume!(count <= domains as usize);
        let host = host(&format!("numa:{domains} core:{cores}"));
        let sizes: BTreeSet<usize> =
            (0..count).map(|index| share(&host, index, count).topology.domains.len()).collect();
        let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
        prop_assert!(most - least <= 1, "{:?}", sizes);
    }
}
