//! Ranks that are killed on two hosts with two ranks each, the first two on the first host, where
//! the launcher is too.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;

use crate::effects::{self, comes_to_a_random_moment, expect_only_the_unfinished_again};
use crate::hosts::Hosts;
use crate::jobs;
use crate::launcher::{EVENKEEL, Launcher};
use crate::random::Random;
use crate::ranks::{self, Rank};
use crate::records;
use crate::scratch::{Running, Scratch};

/// Starts the job in `job.toml`.
fn start<'a>(hosts: &Hosts, scratch: &'a Scratch) -> Running<'a> {
    let launch = ["run", "h0", EVENKEEL, "launch", "-n", "4", "--hosts", "h0:2,h1:2"];
    let run = ["run", "job.toml", "--run-dir", "run", "--lease", "1s"];
    scratch.start_command(hosts.command(scratch, &[&launch[..], &run].concat()))
}

#[test]
fn a_run_on_two_hosts_has_a_subcluster_on_each() {
    if Launcher::linked().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(2) else { return };
    let (text, job) = jobs::random_graph(&mut Random::new(), 60);
    scratch.write("job.toml", &text);
    start(&hosts, &scratch).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let ranks = ranks::ranks(&scratch);
    let subclusters: Vec<_> = ranks.iter().map(|rank| rank.subcluster).collect();
    assert_eq!(subclusters, [0, 0, 1, 1]);
    let lines = records::lines(&scratch.path("run"));
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.json["host"].as_str()).collect();
    assert_eq!(names, ["h0", "h1"].into());
}

#[test]
fn a_rank_that_is_killed_on_either_host_costs_only_time() {
    if Launcher::linked_and_surviving().is_none() {
        return;
    }
    let mut random = Random::new();
    for victim in [1, 2, 3] {
        let scratch = Scratch::new();
        let Some(hosts) = Hosts::new(2) else { return };
        let job = effects::job(&scratch, &mut random, 50);
        let mut running = start(&hosts, &scratch);
        let ranks = ranks::of_running(&mut running, &scratch);
        if comes_to_a_random_moment(&mut running, &scratch, &mut random) {
            ranks[victim].kill(&scratch);
        }
        running.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn ranks_of_another_host_end_with_the_master() {
    if Launcher::linked_and_surviving().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(2) else { return };
    let job = effects::job(&scratch, &mut Random::new(), 50);
    let mut running = start(&hosts, &scratch);
    let ranks = ranks::of_running(&mut running, &scratch);
    running.wait_until("a task that runs", || !scratch.read("effects").is_empty());
    let moment = effects::now();
    ranks[0].signal(Signal::KILL);
    running.wait();
    scratch.expect_no_process(Duration::from_secs(1));
    ranks.iter().for_each(Rank::expect_gone);
    assert!(!scratch.path("run/verdict.json").exists());
    // There, where it can be seen at once that the master is dead.
    let resume = ["run", "h0", EVENKEEL, "run", "--resume", "run", "--nodes", "2"];
    scratch.start_command(hosts.command(&scratch, &resume)).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    expect_only_the_unfinished_again(&scratch.read("effects"), &[moment]);
}
