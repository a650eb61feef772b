//! The cores of a host, divided among its ranks.

use std::collections::BTreeSet;

use evenkeel::host::{current_thread_mask, pin_current_thread};

use crate::launcher::{Launcher, run};
use crate::ranks::{Rank, ranks};
use crate::scratch::Scratch;

const JOB: &str = "name = \"j\"\n[[task]]\nname = \"a\"\nkernel = \"noop\"\n";

/// The four ranks of a run that was started by what `before` says, and what was said of them.
fn placed(launcher: Launcher, before: &[&str]) -> (Vec<Rank>, String) {
    let scratch = Scratch::new();
    scratch.write("job.toml", JOB);
    let argv = [before, &run(&["job.toml", "--run-dir", "run", "--subclusters", "2"])].concat();
    let finished = scratch.start_command(launcher.command(&scratch, 4, &argv)).wait().expect(0);
    let ranks = ranks(&scratch);
    let places: Vec<_> = ranks.iter().map(|rank| (rank.node, rank.subcluster)).collect();
    assert_eq!(places, [(0, 0), (1, 0), (2, 1), (3, 1)]);
    (ranks, finished.stderr)
}

#[test]
fn ranks_of_a_large_host_have_cores_of_their_own() {
    let Some(launcher) = Launcher::linked() else { return };
    // For the ranks alone: the launcher looks at the machine as it is.
    let machine = "HWLOC_SYNTHETIC=package:2 numa:2 core:4 pu:2";
    let (ranks, stderr) = placed(launcher, &["env", machine]);
    assert!(ranks.iter().all(|rank| rank.cores.len() == 4), "{ranks:?}");
    let all: BTreeSet<u64> = ranks.iter().flat_map(|rank| rank.cores.clone()).collect();
    assert_eq!(all.len(), 16, "each core is of one rank: {ranks:?}");
    assert!(!stderr.contains("share"), "{stderr}");
}

#[test]
fn ranks_that_are_more_than_the_cores_share_them_and_say_so() {
    let Some(launcher) = Launcher::linked() else { return };
    let mut units = current_thread_mask().unwrap();
    units.truncate(2);
    pin_current_thread(&units).unwrap();
    let (ranks, stderr) = placed(launcher, &[]);
    assert!(ranks.iter().all(|rank| rank.cores.len() == 1 && !rank.pinned), "{ranks:?}");
    let all: BTreeSet<u64> = ranks.iter().flat_map(|rank| rank.cores.clone()).collect();
    assert!(all.len() <= 2, "{ranks:?}");
    assert_eq!(stderr.matches("4 nodes share").count(), 1, "{stderr}");
    assert!(stderr.contains("their workers are not pinned"), "{stderr}");
}
