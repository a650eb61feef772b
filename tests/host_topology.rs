//! The two readers of topologies against machines that are recorded in `tests/trees`, against
//! this one, and against each other.
#![forbid(unsafe_code)]

#[path = "trees/unpack.rs"]
mod unpack;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use evenkeel::host::{Host, HostError, Source, pin_current_thread, synthetic, sysfs};
use evenkeel::model::Topology;

const RECORDED: [&str; 7] = [
    "two-packages-smt",
    "one-domain",
    "no-numa",
    "memory-only-node",
    "asymmetric-l3",
    "gaps",
    "no-caches",
];

/// The folder of recorded machines.
fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees")
}

/// A recorded machine as files, which go with the value.
fn tree(name: &str) -> tempfile::TempDir {
    let text = std::fs::read_to_string(trees().join(name).with_extension("txt"));
    unpack::unpack(&text.expect("the tree is recorded"))
}

fn by_sysfs(name: &str) -> Topology {
    sysfs::topology(tree(name).path()).expect("the tree is whole")
}

/// Domains as `(number, memory in GiB, the units of each core)`.
fn outline(topology: &Topology) -> Vec<(u32, u64, Vec<Vec<u32>>)> {
    let domain = |d: &evenkeel::model::Domain| {
        (d.id, d.memory >> 30, d.cores.iter().map(|c| c.units.clone()).collect())
    };
    topology.domains.iter().map(domain).collect()
}

#[test]
fn packages_domains_cores_and_siblings_are_told_apart() {
    let host = by_sysfs("two-packages-smt");
    let expected = [
        (0, 16, vec![vec![0, 8], vec![1, 9]]),
        (1, 16, vec![vec![2, 10], vec![3, 11]]),
        (2, 16, vec![vec![4, 12], vec![5]]),
        (3, 16, vec![vec![6, 14], vec![7, 15]]),
    ];
    assert_eq!(outline(&host), expected);
    assert_eq!(host.distances[0], [10, 12, 21, 21]);
    assert_eq!(host.distances[3], [21, 21, 12, 10]);
    let packages: Vec<u32> = host.cores().map(|c| c.package).collect();
    assert_eq!(packages, [0, 0, 0, 0, 1, 1, 1, 1]);
    let caches: Vec<u32> = host.cores().map(|c| c.cache).collect();
    assert_eq!(caches, [0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn a_core_whose_first_unit_is_offline_is_named_by_its_second() {
    let host = by_sysfs("one-domain");
    let expected = [(0, 8, vec![vec![0, 4], vec![2, 6], vec![3, 7], vec![5]])];
    assert_eq!(outline(&host), expected);
    assert_eq!(host.cores().last().map(|c| c.id.0), Some(5));
}

#[test]
fn a_kernel_without_numa_shows_one_domain_with_all_memory() {
    let host = by_sysfs("no-numa");
    assert_eq!(outline(&host), [(0, 4, vec![vec![0], vec![1], vec![2], vec![3]])]);
    assert_eq!(host.distances, [[10]]);
}

#[test]
fn memory_without_cores_is_no_domain_of_ours() {
    let host = by_sysfs("memory-only-node");
    let ids: Vec<u32> = host.domains.iter().map(|d| d.id).collect();
    assert_eq!(ids, [0, 1]);
    assert_eq!(host.distances, [[10, 20], [20, 10]]);
}

#[test]
fn caches_of_unequal_size_are_kept_apart() {
    let caches: Vec<u32> = by_sysfs("asymmetric-l3").cores().map(|c| c.cache).collect();
    assert_eq!(caches, [0, 0, 0, 0, 1, 1, 1, 2]);
}

#[test]
fn numbers_with_gaps_keep_their_distances() {
    let host = by_sysfs("gaps");
    let expected =
        [(0, 1, vec![vec![0], vec![2], vec![4]]), (8, 2, vec![vec![1], vec![3], vec![5]])];
    assert_eq!(outline(&host), expected);
    assert_eq!(host.distances, [[10, 40], [40, 10]]);
}

#[test]
fn a_file_that_is_not_the_kernels_is_named() {
    let tree = tree("one-domain");
    let path = tree.path().join("sys/devices/system/node/node0/distance");
    std::fs::write(&path, "far\n").expect("the tree is ours");
    let error = sysfs::topology(tree.path()).expect_err("`far` is no distance").to_string();
    assert!(error.contains("node0/distance should hold numbers"), "{error}");
    assert!(error.contains("\"far\""), "{error}");

    std::fs::remove_file(tree.path().join("sys/devices/system/cpu/online")).expect("it is there");
    let error = sysfs::topology(tree.path()).expect_err("nothing tells what is online");
    assert!(matches!(error, HostError::Unreadable { .. }), "{error}");
}

/// Prints what this process, started by another test with variables of its own, takes the host
/// for.
#[test]
#[ignore = "run by the other tests in a process of its own"]
#[expect(clippy::print_stdout, reason = "it answers the test that started it")]
fn child_says_what_it_sees() {
    match Host::discover() {
        Ok(host) => println!("<<{host:?}>>"),
        Err(error) => println!("<<{error}>>"),
    }
}

/// What a process of its own says of the host, or of its error, with `variables` set.
fn seen_with(variables: &[(&str, &Path)]) -> String {
    let test = env::current_exe().expect("this test is a program");
    let mut command = Command::new(test);
    command.args(["--exact", "child_says_what_it_sees", "--ignored", "--nocapture"]);
    for name in ["HWLOC_SYNTHETIC", "HWLOC_XMLFILE", "HWLOC_FSROOT", "HWLOC_THISSYSTEM"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().expect("the test starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.split_once("<<").and_then(|(_, rest)| rest.rsplit_once(">>"));
    let (answer, _) = answer.unwrap_or_else(|| panic!("no answer in {text}"));
    answer.to_owned()
}

/// That `host`, as printed, is of this topology and source, and not real.
fn assert_stands_in(host: &str, topology: &Topology, source: Source) {
    let expected = format!("topology: {topology:?}, allowed: {topology:?}, ");
    assert!(host.contains(&expected), "expected {expected}\nsaw {host}");
    assert!(host.ends_with(&format!("source: {source:?}, real: false }}")), "{host}");
}

/// Whoever reads machines in this build.
#[cfg(feature = "hwloc")]
const READER: Source = Source::Hwloc;
#[cfg(not(feature = "hwloc"))]
const READER: Source = Source::Sysfs;

#[test]
fn both_readers_see_the_same_recorded_machines() {
    for name in RECORDED {
        let files = tree(name);
        let expected = sysfs::topology(files.path()).expect("the tree is whole");
        let host = seen_with(&[("HWLOC_FSROOT", files.path())]);
        assert_stands_in(&host, &expected, READER);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn both_readers_see_the_same_in_this_machine() {
    let by_sysfs = || sysfs::topology(Path::new("/")).ok();
    // Memory may be plugged in between; then neither is wrong.
    let looks = (0..100).map(|_| (by_sysfs(), Host::discover(), by_sysfs()));
    let Some((Some(expected), host, _)) = looks.into_iter().find(|(a, _, b)| a == b) else {
        return;
    };
    let host = host.expect("this machine can be read");
    assert_eq!(host.topology, expected);
    assert_eq!(host.source, READER);
    assert!(host.real);
}

#[test]
fn what_is_allowed_is_part_of_this_machine() {
    let host = Host::discover().expect("this machine can be read");
    let units = |topology: &Topology| -> Vec<u32> {
        topology.cores().flat_map(|c| c.units.clone()).collect()
    };
    let all = units(&host.topology);
    assert!(!units(&host.allowed).is_empty());
    assert!(units(&host.allowed).iter().all(|unit| all.contains(unit)));
    assert!(!host.name.is_empty() && !host.boot_id.is_empty());
    assert!(host.memory.is_none_or(|bytes| bytes > 1 << 20));
    assert!((1..=host.allowed.core_count()).contains(&host.workers()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_affinity_mask_leaves_its_units_alone() {
    let host = Host::discover().expect("this machine can be read");
    let last = host.allowed.cores().last().and_then(|c| c.units.last().copied());
    let last = last.expect("a process may run somewhere");
    // A process that is started by a pinned thread is confined as that is.
    let seen = std::thread::spawn(move || {
        pin_current_thread(&[last]).expect("it is allowed");
        seen_with(&[])
    });
    let seen = seen.join().expect("the child answers");
    let (all, allowed) = seen.split_once("allowed: ").expect("a host is printed");
    assert_eq!(allowed.matches("CoreId").count(), 1, "{seen}");
    assert!(allowed.contains(&format!("units: [{last}]")), "{seen}");
    assert_eq!(all.matches("CoreId").count(), host.topology.core_count(), "{seen}");
    assert!(seen.ends_with("real: true }"), "{seen}");
}

#[test]
fn a_description_stands_in_for_this_machine() {
    for text in ["package:2 numa:2 l3:1 core:2 pu:2", "numa:2 core:8"] {
        let expected = synthetic::topology(text).expect("it describes a machine");
        let host = seen_with(&[("HWLOC_SYNTHETIC", Path::new(text))]);
        assert_stands_in(&host, &expected, Source::Synthetic);
    }
}

#[test]
fn what_cannot_stand_in_is_an_error_and_not_this_machine() {
    let cases = [
        ("HWLOC_SYNTHETIC", "numa:2 cores:8", "`cores` is none of"),
        ("HWLOC_XMLFILE", "/nonexistent.xml", "HWLOC_XMLFILE=/nonexistent.xml"),
        ("HWLOC_FSROOT", "/nonexistent", "HWLOC_FSROOT=/nonexistent holds no recorded tree"),
    ];
    for (name, value, expected) in cases {
        let answer = seen_with(&[(name, Path::new(value))]);
        assert!(answer.contains(expected), "{name}={value}: {answer}");
    }
    let both = [("HWLOC_SYNTHETIC", Path::new("core:2")), ("HWLOC_XMLFILE", Path::new("x"))];
    let answer = seen_with(&both);
    assert!(answer.contains("HWLOC_SYNTHETIC and HWLOC_XMLFILE both"), "{answer}");
}

#[cfg(feature = "hwloc")]
mod hwloc {
    use super::*;

    #[test]
    fn a_file_of_hwlocs_stands_in_for_this_machine() {
        let host = seen_with(&[("HWLOC_XMLFILE", &trees().join("two-packages.xml"))]);
        let mut expected = synthetic::topology("package:2 numa:2 l3:1 core:2 pu:2").unwrap();
        expected.domains.iter_mut().for_each(|d| d.memory = 1 << 30);
        assert_stands_in(&host, &expected, Source::XmlFile);
    }

    #[test]
    fn a_file_that_is_not_hwlocs_is_an_error_and_not_this_machine() {
        let answer = seen_with(&[("HWLOC_XMLFILE", &trees().join("README.md"))]);
        assert!(answer.contains("hwloc does not understand it"), "{answer}");
    }

    /// Prints what hwloc itself makes of the environment.
    #[test]
    #[ignore = "run by the other tests in a process of its own"]
    #[expect(clippy::print_stdout, reason = "it answers the test that started it")]
    fn child_says_what_hwloc_sees() {
        let distance = |from, to| if from == to { 10 } else { 20 };
        println!("<<{:?}>>", evenkeel::host::hwloc::topology(distance));
    }

    #[test]
    fn hwloc_understands_descriptions_as_we_do() {
        let descriptions = [
            "package:2 numa:2 l3:1 core:2 pu:2",
            "package:2 l3:2 core:2 pu:2",
            "numa:2 l3:2 l2:2 core:1 pu:1",
            "package:1 die:2 numa:1 l2:3 core:1 pu:4",
            "numa:3 package:2 core:1 pu:1",
        ];
        for text in descriptions {
            let mut expected = synthetic::topology(text).expect("it describes a machine");
            // hwloc makes memory up; we do not.
            expected.domains.iter_mut().for_each(|d| d.memory = 1 << 30);
            let test = env::current_exe().expect("this test is a program");
            let output = Command::new(test)
                .args(["--exact", "hwloc::child_says_what_hwloc_sees", "--ignored", "--nocapture"])
                .env("HWLOC_SYNTHETIC", text)
                .output()
                .expect("the test starts");
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected =
                format!("<<Some(Seen {{ topology: {expected:?}, this_system: false }})>>");
            assert!(answer.contains(&expected), "{text}: expected {expected}\nsaw {answer}");
        }
    }
}
