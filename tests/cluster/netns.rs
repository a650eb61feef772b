//! That the hosts of the box are what they are said to be.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::hosts::Hosts;
use crate::scratch::{LIMIT, Scratch, poll};

/// What comes of a connection from one host to another, on which nobody listens: a refusal that
/// comes over the network, or nothing in half a second.
#[track_caller]
fn expect_reached(hosts: &Hosts, from: &str, to: &str, reached: bool) {
    let scratch = Scratch::new();
    let dial = format!(": </dev/tcp/{to}/9");
    let command = || hosts.command(&scratch, &["run", from, "timeout", "0.5", "bash", "-c", &dial]);
    let is_so = || {
        let code = scratch.start_command(command()).wait().status.code();
        code == Some(if reached { 1 } else { 124 })
    };
    // The address may have to be asked for anew after a cut.
    assert!(poll(LIMIT, is_so), "{from} to {to}: it should be reached: {reached}");
}

#[test]
fn what_runs_on_a_host_is_there_and_ends_with_its_exit_code() {
    let Some(hosts) = Hosts::new(2) else { return };
    let scratch = Scratch::new();
    let line = "hostname; pwd; touch /dev/shm/mine; exit 7";
    let finished = scratch.start_command(hosts.command(&scratch, &["run", "h1", "sh", "-c", line]));
    let finished = finished.wait().expect(7);
    let folder = scratch.path("").canonicalize().unwrap();
    assert_eq!(finished.stdout, format!("h1\n{}\n", folder.display()));
    for (host, code) in [("h0", 1), ("h1", 0)] {
        let look = hosts.command(&scratch, &["run", host, "test", "-e", "/dev/shm/mine"]);
        scratch.start_command(look).wait().expect(code);
    }
    assert!(!Path::new("/dev/shm/mine").exists());
    // As launchers call ssh, from a host to another.
    let agent = "\"$OMPI_MCA_plm_rsh_agent\" -x -l me h0 hostname ';' 'exit 5'";
    let agent = hosts.command(&scratch, &["run", "h1", "sh", "-c", agent]);
    assert_eq!(scratch.start_command(agent).wait().expect(5).stdout, "h0\n");
}

#[test]
fn links_are_cut_and_heal_one_by_one() {
    let Some(hosts) = Hosts::new(3) else { return };
    expect_reached(&hosts, "h0", "h1", true);
    hosts.does("cut h1 h0");
    for (from, to, reached) in [("h0", "h1", false), ("h1", "h0", false), ("h1", "h2", true)] {
        expect_reached(&hosts, from, to, reached);
    }
    hosts.does("cut h2");
    expect_reached(&hosts, "h1", "h2", false);
    hosts.does("heal h0 h1");
    expect_reached(&hosts, "h0", "h1", true);
    expect_reached(&hosts, "h0", "h2", false);
    hosts.does("heal h2");
    expect_reached(&hosts, "h0", "h2", true);
    hosts.does("lose h2 100");
    expect_reached(&hosts, "h0", "h2", false);
    hosts.does("lose h2 0");
    expect_reached(&hosts, "h0", "h2", true);
}

#[test]
fn nothing_of_a_box_is_left() {
    let Some(hosts) = Hosts::new(2) else { return };
    let scratch = Scratch::new();
    let folder = hosts.does("folder");
    let line = "setsid sleep 1000 & setsid sleep 1000 & wait";
    let running = scratch.start_command(hosts.command(&scratch, &["run", "h1", "sh", "-c", line]));
    assert!(poll(LIMIT, || hosts.pids("h1").len() == 3), "{}", running.stderr());
    hosts.does("stop h1");
    assert!(hosts.does("list").contains("stopped"));
    drop(hosts);
    scratch.expect_no_process(Duration::ZERO);
    drop(running);
    assert!(!Path::new(folder.trim()).exists());
    let held = |pid: &str| fs::read_to_string(format!("/proc/{pid}/environ"));
    let name = folder.trim().rsplit('/').next().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let left = entries.filter(|entry| {
        let pid = entry.file_name();
        held(&pid.to_string_lossy()).is_ok_and(|environ| environ.contains(name))
    });
    assert_eq!(left.count(), 0, "the processes that hold the hosts are gone too");
}

#[test]
fn what_is_wrong_is_said() {
    let Some(hosts) = Hosts::new(1) else { return };
    let scratch = Scratch::new();
    for (args, part) in [
        (&["run", "h7", "true"][..], "no host h7"),
        (&["cut", "h0", "h0"], "two hosts"),
        (&["lose", "h0", "101"], "from 0 to 100"),
        (&["up", "none"], "from 1 to 250"),
        (&["hop"], "no command hop"),
        (&["kill"], "too few"),
    ] {
        let finished = scratch.start_command(hosts.command(&scratch, args)).wait().expect(2);
        assert!(finished.stderr.contains(part), "{args:?}: {}", finished.stderr);
    }
    // Those that are there stay, and are not taken for others.
    hosts.does("up 1");
    scratch.start_command(hosts.command(&scratch, &["up", "2"])).wait().expect(1);
}
