//! Limits of control groups, read from recorded files.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;

use evenkeel::host::cgroup::{Limits, limits};

/// The limits by these files, given as path and content.
fn read(files: &[(&str, &str)]) -> Limits {
    let root = tempfile::tempdir().expect("there is room for a folder");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is ours");
        fs::write(path, format!("{content}\n")).expect("the folder is ours");
    }
    limits(root.path())
}

/// The mounts of a host with version 2 alone.
const UNIFIED: (&str, &str) = (
    "proc/self/mountinfo",
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
     35 23 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
);

fn units(ids: impl IntoIterator<Item = u32>) -> Option<BTreeSet<u32>> {
    Some(ids.into_iter().collect())
}

#[test]
fn in_version_2_the_tightest_group_on_the_way_up_counts() {
    let limits = read(&[
        UNIFIED,
        ("proc/self/cgroup", "0::/system.slice/slurmstepd.scope/job_7/step_0"),
        ("sys/fs/cgroup/cpuset.cpus.effective", "0-63"),
        ("sys/fs/cgroup/cpu.max", "max 100000"),
        ("sys/fs/cgroup/system.slice/memory.max", "68719476736"),
        ("sys/fs/cgroup/system.slice/cpu.max", "6400000 100000"),
        ("sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/cpu.max", "250000 100000"),
        ("sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.max", "4294967296"),
        ("sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/cpuset.cpus.effective", "0-7"),
        ("sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/memory.max", "max"),
        ("sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/cpu.max", "800000 100000"),
    ]);
    let expected = Limits { cpu_quota: Some(2.5), memory: Some(4_294_967_296), units: units(0..8) };
    assert_eq!(limits, expected);
}

#[test]
fn in_version_1_each_controller_has_its_own_hierarchy() {
    let limits = read(&[
        (
            "proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        ),
        ("proc/self/cgroup", "4:memory:/batch/7\n3:cpuset:/seven\n2:cpu,cpuacct:/b\n0::/"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
        ("sys/fs/cgroup/cpu,cpuacct/b/cpu.cfs_quota_us", "150000"),
        ("sys/fs/cgroup/cpu,cpuacct/b/cpu.cfs_period_us", "100000"),
        ("sys/fs/cgroup/cpuset/cpuset.cpus", "0-3"),
        ("sys/fs/cgroup/cpuset/seven/cpuset.cpus", "2-5"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
        ("sys/fs/cgroup/memory/batch/memory.limit_in_bytes", "1073741824"),
        ("sys/fs/cgroup/memory/batch/7/memory.limit_in_bytes", "9223372036854771712"),
        ("sys/fs/cgroup/memory/elsewhere/memory.limit_in_bytes", "1"),
    ]);
    let expected = Limits { cpu_quota: Some(1.5), memory: Some(1 << 30), units: units([2, 3]) };
    assert_eq!(limits, expected);
}

#[test]
fn a_container_sees_its_own_group_at_the_mount() {
    let mounts = "35 23 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
    for group in ["/docker/abc", "/", "/../..", "/somewhere/else"] {
        let limits = read(&[
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", &format!("0::{group}")),
            ("sys/fs/cgroup/cpu.max", "50000 100000"),
        ]);
        assert_eq!(limits.cpu_quota, Some(0.5), "{group}");
    }
}

#[test]
fn blanks_in_paths_are_found_again() {
    let limits = read(&[
        ("proc/self/mountinfo", r"35 23 0:30 / /c\040groups rw - cgroup2 cgroup2 rw"),
        ("proc/self/cgroup", "0::/my job: one"),
        ("c groups/my job: one/memory.max", "4096"),
    ]);
    assert_eq!(limits.memory, Some(4096));
}

#[test]
fn what_makes_no_sense_limits_nothing() {
    assert_eq!(read(&[]), Limits::default());
    let broken = read(&[
        UNIFIED,
        ("proc/self/cgroup", "nonsense\n0:\n0::/a"),
        ("sys/fs/cgroup/a/cpu.max", "plenty"),
        ("sys/fs/cgroup/a/memory.max", "-5"),
        ("sys/fs/cgroup/a/cpuset.cpus.effective", ""),
        ("sys/fs/cgroup/cpu.max", "100000 0"),
        ("sys/fs/cgroup/memory.max", "lots"),
        ("sys/fs/cgroup/cpuset.cpus.effective", "0-4294967295"),
    ]);
    assert_eq!(broken, Limits::default());
}
