//! Sub-masters below sub-masters: nine ranks in two groups of three subclusters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::process::Signal;

use crate::gates::{self, open, started};
use crate::launcher::{Launcher, run};
use crate::ranks::{self, Rank};
use crate::records::{self, Line, Parents};
use crate::scratch::{LIMIT, Running, Scratch, poll};

const RANKS: u32 = 9;
const ARGS: [&str; 5] = ["job.toml", "--run-dir", "run", "--subclusters", "2x3"];
/// The sub-master of the second group, alone in its subcluster. Below it are p6, with a subcluster of
/// two of which the other node is a leaf, and p8.
const GROUP: usize = 5;
const LEAF: usize = 7;

/// So many commands wait for the test to let them end that each node has some beside what it runs.
const GATES: u32 = 6 * RANKS;

/// Waits until every node runs something.
fn all_have_begun(running: &mut Running<'_>, scratch: &Scratch, ranks: &[Rank]) {
    let cores: usize = ranks.iter().map(|rank| rank.cores.len()).sum();
    let goal = cores.min(GATES as usize);
    running.wait_until("a task on each core", || started(scratch) >= goal);
}

/// Sees that each of these nodes has done something at the first try.
#[track_caller]
fn expect_done_at_first(lines: &[Line], nodes: &[u64]) {
    for node in nodes {
        let is_there = |line: &&Line| line.json["node"] == *node && line.state == "done";
        assert!(lines.iter().filter(is_there).any(|line| line.attempt == 1), "{node}: {lines:?}");
    }
}

/// Lets a run that has begun come to its end, and sees that all was done.
fn expect_ends(running: Running<'_>, scratch: &Scratch, job: &Parents) -> Vec<Line> {
    open(scratch);
    running.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), job);
    scratch.expect_no_process(Duration::from_secs(1));
    records::lines(&scratch.path("run"))
}

#[test]
fn a_job_reaches_all_ranks_over_three_levels() {
    let Some(launcher) = Launcher::linked() else { return };
    let (scratch, job) = gates::scratch_with(GATES);
    let mut running = scratch.start_command(launcher.command(&scratch, RANKS, &run(&ARGS)));
    let ranks = ranks::of_running(&mut running, &scratch);
    let subclusters: Vec<u64> = ranks.iter().map(|rank| rank.subcluster).collect();
    assert_eq!(subclusters, [0, 0, 1, 2, 2, 3, 4, 4, 5]);
    all_have_begun(&mut running, &scratch, &ranks);
    let lines = expect_ends(running, &scratch, &job);
    assert!(lines.iter().all(|line| line.attempt == 1), "nothing was lost: {lines:?}");
    let mut places: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for line in &lines {
        let number = |key: &str| line.json[key].as_u64().unwrap();
        places.entry(number("node")).or_default().insert(number("subcluster"));
    }
    let of_rank = |rank: &Rank| (rank.node, BTreeSet::from([rank.subcluster]));
    assert_eq!(places, ranks.iter().map(of_rank).collect(), "each in its own subcluster");
}

/// Waits until the sub-masters below the one in the middle say that they go on, and why.
#[track_caller]
fn expect_to_go_on(running: &Running<'_>, why: &str) {
    for sub_master in [6, 8] {
        let words = format!("p{sub_master} {why} p5 and goes to p0 with all below it");
        assert!(poll(LIMIT, || running.stderr().contains(&words)), "{}", running.stderr());
    }
}

#[test]
fn what_runs_below_a_sub_master_that_is_killed_goes_on() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let (scratch, job) = gates::scratch_with(GATES);
    let mut running = scratch.start_command(launcher.surviving(&scratch, RANKS, &run(&ARGS)));
    let ranks = ranks::of_running(&mut running, &scratch);
    all_have_begun(&mut running, &scratch, &ranks);
    for victim in [GROUP, LEAF] {
        ranks[victim].kill(&scratch);
    }
    expect_to_go_on(&running, "hears nothing from");
    let lines = expect_ends(running, &scratch, &job);
    for line in lines.iter().filter(|line| line.state != "done") {
        let node = line.json["node"].as_u64();
        let died = [None, Some(GROUP as u64), Some(LEAF as u64)];
        assert!(line.state == "lost" && died.contains(&node), "{}", line.json);
    }
    expect_done_at_first(&lines, &[6, 8]);
}

#[test]
fn a_sub_master_that_is_asked_to_leave_takes_nobody_along_who_is_below_it() {
    let Some(launcher) = Launcher::linked() else { return };
    let (scratch, job) = gates::scratch_with(GATES);
    let mut running = scratch.start_command(launcher.command(&scratch, RANKS, &run(&ARGS)));
    let ranks = ranks::of_running(&mut running, &scratch);
    all_have_begun(&mut running, &scratch, &ranks);
    ranks[GROUP].signal(Signal::USR1);
    expect_to_go_on(&running, "is sent on by");
    let lines = expect_ends(running, &scratch, &job);
    assert!(lines.iter().all(|line| line.attempt == 1), "nothing was lost: {lines:?}");
    expect_done_at_first(&lines, &[5, 6, 7, 8]);
}
