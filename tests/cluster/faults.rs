//! Runs over several hosts, and what happens to these meanwhile.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::hosts::Hosts;
use crate::launcher::Launcher;
use crate::ranks;
use crate::records::{self, Parents};
use crate::scratch::{Running, Scratch};
use crate::sweep::{self, comes_to};

/// Long enough for what a launcher takes that has to be ended after its run.
const LONG: Duration = Duration::from_secs(180);
/// How many tasks are done before anything happens.
const BEFORE: usize = 20;

fn launch<'a>(hosts: &Hosts, scratch: &'a Scratch, args: &[&str]) -> Running<'a> {
    let args = [&["launch", "run"], args].concat();
    scratch.start_command(hosts.command(scratch, &args))
}

/// Runs a job of `count` tasks on `hosts` and has something happen in the middle; all of it must
/// come to be done, and the launch to its end.
#[track_caller]
fn expect_survives(
    hosts: &Hosts,
    count: u32,
    lease: &str,
    happens: impl Fn(&mut Running, &Scratch),
) {
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, count);
    let args = ["job.toml", "--run-dir", "run", "--lease", lease];
    let mut running = launch(hosts, &scratch, &args);
    comes_to(&mut running, &scratch, BEFORE);
    happens(&mut running, &scratch);
    running.wait_within(LONG).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
}

/// Has a run of `count` tasks come to its end in the middle; resumed, all of it must come to be done.
#[track_caller]
fn expect_resumable(hosts: &Hosts, count: u32, ends: impl FnOnce(Running<'_>)) {
    let scratch = Scratch::new();
    let job: Parents = sweep::job(&scratch, count);
    let mut running = launch(hosts, &scratch, &["job.toml", "--run-dir", "run"]);
    comes_to(&mut running, &scratch, BEFORE);
    ends(running);
    launch(hosts, &scratch, &["--resume", "run"]).wait_within(LONG).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
}

/// Cuts `link` for so long. Nothing can be waited for: it is the time itself that is tried.
fn cut_for(hosts: &Hosts, link: &str, seconds: u64) {
    hosts.does(&format!("cut {link}"));
    thread::sleep(Duration::from_secs(seconds));
    hosts.does(&format!("heal {link}"));
}

#[test]
fn all_hosts_take_part_in_a_run() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, 300);
    launch(&hosts, &scratch, &["job.toml", "--run-dir", "run"]).wait_within(LONG).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let lines = records::lines(&scratch.path("run"));
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.json["host"].as_str()).collect();
    assert_eq!(names, ["h0", "h1", "h2"].into());
    let ranks = ranks::ranks(&scratch);
    assert_eq!(ranks.iter().map(|rank| rank.subcluster).collect::<Vec<_>>(), [0, 1, 2]);
    for host in ["h0", "h1", "h2"] {
        assert_eq!(hosts.pids(host), [""; 0], "left on {host}");
    }
}

#[test]
fn a_process_a_host_and_a_link_that_fail_cost_only_time() {
    if Launcher::linked_and_surviving().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(4) else { return };
    expect_survives(&hosts, 500, "1s", |running, scratch| {
        ranks::of_running(running, scratch)[1].kill(scratch);
        comes_to(running, scratch, 2 * BEFORE);
        cut_for(&hosts, "h2", 2);
        comes_to(running, scratch, 3 * BEFORE);
        hosts.does("kill h3");
    });
}

#[test]
fn a_run_that_ends_with_a_host_goes_on_when_resumed() {
    let Some(launcher) = Launcher::linked() else { return };
    if launcher.outlives_ranks() {
        eprintln!("skipped: under {launcher:?} a run outlives its hosts");
        return;
    }
    let Some(hosts) = Hosts::new(3) else { return };
    expect_resumable(&hosts, 300, |running| {
        hosts.does("kill h2");
        let finished = running.wait_within(LONG).expect(3);
        assert!(finished.stderr.contains("run --resume run"), "{}", finished.stderr);
    });
}

#[test]
#[ignore = "takes a minute: make hosts"]
fn a_host_that_is_cut_off_for_long_costs_only_time() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(4) else { return };
    for link in ["h2", "h0 h2"] {
        expect_survives(&hosts, 3500, "2s", |_, _| cut_for(&hosts, link, 20));
    }
}

#[test]
#[ignore = "takes half a minute: make hosts"]
fn a_link_between_two_that_do_not_lead_may_be_cut() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(4) else { return };
    expect_survives(&hosts, 1500, "2s", |_, _| cut_for(&hosts, "h1 h2", 5));
}

#[test]
#[ignore = "takes a minute: make hosts"]
fn a_host_that_hangs_or_loses_its_power_holds_up_no_launch() {
    if Launcher::linked().is_none() {
        return;
    }
    for fault in ["stop", "kill"] {
        let Some(hosts) = Hosts::new(3) else { return };
        expect_survives(&hosts, 500, "2s", |_, _| {
            // In silence: nothing of its end comes over the network.
            hosts.does("cut h2");
            hosts.does(&format!("{fault} h2"));
        });
    }
}

#[test]
#[ignore = "takes half a minute: make hosts"]
fn packets_that_are_lost_cost_only_time() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(3) else { return };
    expect_survives(&hosts, 800, "5s", |_, _| {
        hosts.does("lose h1 10");
    });
}

#[test]
#[ignore = "takes half a minute: make hosts"]
fn a_run_whose_first_host_dies_goes_on_when_resumed() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(3) else { return };
    expect_resumable(&hosts, 500, |running| {
        hosts.does("kill h0");
        // The command itself ran there.
        assert_eq!(running.wait_within(LONG).status.code(), None);
    });
}

/// The signal that a batch system sends before the time is up.
#[test]
#[ignore = "takes some seconds: make hosts"]
fn a_warning_reaches_a_run_on_several_hosts() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::new(3) else { return };
    expect_resumable(&hosts, 500, |running| {
        // No process stands between: what was started is `evenkeel` by now.
        running.signal(Signal::USR1);
        running.wait_within(LONG).expect(4);
    });
}
