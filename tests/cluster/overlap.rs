//! Whether a task may run in two places at once, seen by what it leaves behind.

use rustix::process::Signal;

use crate::hosts::Hosts;
use crate::launcher::{EVENKEEL, Launcher};
use crate::ranks::{self, Rank, ranks};
use crate::records::{self, Parents};
use crate::scratch::{LIMIT, Running, Scratch, poll};

/// How long what a process ran may outlive it, and how long it takes to end it: what is promised.
const BOUND: f64 = 1.0;

/// Each task writes down twenty times a second that it lives, for six seconds.
fn beating(scratch: &Scratch, n: u64) -> Parents {
    let beat = "date +%s.%N >> beats-$EVENKEEL_TASK_NAME-$EVENKEEL_ATTEMPT; sleep 0.05";
    scratch.write(
        "job.toml",
        &format!(
            "name = \"beats\"\n[[sweep]]\nname = \"t\"\nproduct = {{ i = {{ from = 1, to = {n} }} }}\n\
             cwd = \"{}\"\ncommand = \"i=0; while [ $i -lt 120 ]; do {beat}; i=$((i+1)); done\"\n",
            scratch.path("").display()
        ),
    );
    (1..=n).map(|i| (format!("t-{i}"), Vec::new())).collect()
}

fn beats(scratch: &Scratch, task: &str, attempt: u64) -> Vec<f64> {
    let text = scratch.read(&format!("beats-{task}-{attempt}"));
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Sees that something was lost, and whether all of that may have gone on beside the next attempt.
#[track_caller]
fn expect_marks(scratch: &Scratch, marked: bool) {
    let lines = records::lines(&scratch.path("run"));
    let lost: Vec<_> = lines.iter().filter(|line| line.state == "lost").collect();
    let is_marked = |line: &&records::Line| line.json.get("overlap").is_some();
    assert!(!lost.is_empty(), "nothing was lost");
    assert!(lost.iter().all(|line| is_marked(line) == marked), "{lost:?}");
}

/// Starts a run on one host, which another joins, and strikes that when its tasks live. Gives by how
/// much tasks overlapped with their next attempts at most, in seconds: mostly less than nothing.
fn overlap(strike: impl FnOnce(&Hosts, &Rank)) -> Option<f64> {
    let hosts = Hosts::new(2)?;
    let scratch = Scratch::new();
    let job = beating(&scratch, 4);
    let start = |words: &[&str]| scratch.start_command(hosts.command(&scratch, words));
    let run = ["run", "h0", EVENKEEL, "run", "--single", "job.toml", "--run-dir", "run"];
    let mut run: Running<'_> = start(&[&run[..], &["--listen", "eth0", "--lease", "1s"]].concat());
    run.wait_until("the address", || scratch.path("run/address").exists());
    let _joined = start(&["run", "h1", EVENKEEL, "join", "run", "--single"]);
    let on_both = || job.keys().all(|task| beats(&scratch, task, 1).len() > 4);
    assert!(poll(LIMIT, on_both), "{}", run.stderr());
    let joined = ranks(&scratch).into_iter().find(|rank| rank.host == "h1").expect("it joined");
    strike(&hosts, &joined);
    run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    // Over a link nobody sees a process end on another host.
    expect_marks(&scratch, true);
    let again = job.keys().filter(|task| !beats(&scratch, task, 2).is_empty());
    let overlaps = again.map(|task| {
        let (first, second) = (beats(&scratch, task, 1), beats(&scratch, task, 2));
        assert!(first.len() < 120, "{task} was not struck");
        first[first.len() - 1] - second[0]
    });
    let overlaps: Vec<f64> = overlaps.collect();
    assert_eq!(overlaps.len(), 2, "those of one host ran again");
    Some(overlaps.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

#[test]
fn what_ran_on_a_host_that_is_cut_off_has_ended_before_it_runs_elsewhere() {
    let Some(overlap) = overlap(|hosts, _| drop(hosts.does("cut h1"))) else { return };
    eprintln!("overlap {overlap:.3} s");
    assert!(overlap <= BOUND, "{overlap} s");
}

#[test]
fn what_ran_under_a_process_that_is_killed_has_ended_before_it_runs_elsewhere() {
    let Some(overlap) = overlap(|_, joined| joined.signal(Signal::KILL)) else { return };
    eprintln!("overlap {overlap:.3} s");
    assert!(overlap <= BOUND, "{overlap} s");
}

#[test]
fn what_ran_under_a_rank_that_its_host_saw_end_is_not_marked() {
    if Launcher::linked_and_surviving().is_none() {
        return;
    }
    // The second host has a sub-master and a node.
    for victim in [2, 3] {
        let Some(hosts) = Hosts::new(2) else { return };
        let scratch = Scratch::new();
        let job = beating(&scratch, 8);
        let launch = ["run", "h0", EVENKEEL, "launch", "-n", "4", "--hosts", "h0:2,h1:2"];
        let run = ["run", "job.toml", "--run-dir", "run", "--lease", "5s"];
        let args = [&launch[..], &run].concat();
        let mut running = scratch.start_command(hosts.command(&scratch, &args));
        let ranks = ranks::of_running(&mut running, &scratch);
        assert_eq!((&*ranks[victim].host, ranks[victim].subcluster), ("h1", 1));
        let begun = |n: &u64| !beats(&scratch, &format!("t-{n}"), 1).is_empty();
        running.wait_until("all ranks run something", || (1..=8).filter(begun).count() >= 4);
        ranks[victim].kill(&scratch);
        running.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        expect_marks(&scratch, false);
    }
}
