//! Ranks on two hosts: two network namespaces of this one with a cable between them, each with a
//! name of its own. What one sees of the other is what goes over the network.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::effects::{self, comes_to_a_random_moment, expect_only_the_unfinished_again};
use crate::jobs;
use crate::launcher::{Launcher, run};
use crate::random::Random;
use crate::ranks::{self, Rank};
use crate::records;
use crate::scratch::{LIMIT, Scratch, poll};

const ADDRESSES: [&str; 2] = ["198.18.0.1", "198.18.0.2"];
const NETWORK: &str = "198.18.0.0/24";
const ARGS: [&str; 5] = ["job.toml", "--run-dir", "run", "--lease", "1s"];

/// The namespaces. Dropping them ends what runs in them.
struct Hosts<'a> {
    scratch: &'a Scratch,
}

fn name(i: usize) -> String {
    format!("evenkeel-{}-{i}", std::process::id())
}

/// What `ip` says, if it does what it is asked to.
fn ip(args: &str) -> Option<String> {
    let output = Command::new("ip").args(args.split(' ')).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Hosts<'_> {
    /// None, aloud, where namespaces cannot be made.
    fn new(scratch: &Scratch) -> Option<Hosts<'_>> {
        let hosts = Hosts { scratch };
        let [one, other] = [0, 1].map(name);
        let mut steps = vec![
            format!("netns add {one}"),
            format!("netns add {other}"),
            format!("link add eth0 netns {one} type veth peer name eth0 netns {other}"),
        ];
        for (name, address) in [&one, &other].into_iter().zip(ADDRESSES) {
            steps.push(format!("-n {name} addr add {address}/24 dev eth0"));
            steps.push(format!("-n {name} link set eth0 up"));
            steps.push(format!("-n {name} link set lo up"));
        }
        if !steps.iter().all(|step| ip(step).is_some()) {
            eprintln!("skipped: network namespaces cannot be made here");
            return None;
        }
        // The kernel takes its time to see that the cable is plugged in.
        let is_plugged = |name: &String| {
            let state = ip(&format!("netns exec {name} cat /sys/class/net/eth0/operstate"));
            state.is_some_and(|state| state.trim() == "up")
        };
        assert!(poll(LIMIT, || [&one, &other].into_iter().all(is_plugged)), "no cable");
        // In place of ssh: [options] address command.
        let agent = format!(
            "#!/bin/sh\nwhile :; do case $1 in -*) shift;; *) break;; esac; done\n\
             case $1 in {}) host={one};; *) host={other};; esac; shift\n\
             exec ip netns exec $host unshare -u sh -c \"hostname $host; exec sh -c \\\"\\$0\\\"\" \"$*\"\n",
            ADDRESSES[0]
        );
        scratch.write("agent", &agent);
        fs::set_permissions(scratch.path("agent"), fs::Permissions::from_mode(0o755)).unwrap();
        Some(hosts)
    }

    /// A job on four ranks, the first two on the first host, where the launcher is too.
    fn command(&self, launcher: Launcher, survives: bool, args: &[&str]) -> Command {
        let agent = self.scratch.path("agent").display().to_string();
        let hosts = ADDRESSES.map(|address| format!("{address}:2")).join(",");
        let mut flags = match launcher {
            Launcher::OpenMpi => vec!["--host", &hosts, "--mca", "plm_rsh_agent", &agent],
            Launcher::Mpich => vec!["-hosts", &hosts, "-launcher", "ssh", "-launcher-exec", &agent],
        };
        if launcher == Launcher::OpenMpi {
            flags.extend(["--mca", "plm_rsh_no_tree_spawn", "1", "--mca", "pml", "ob1"]);
            flags.extend([
                "--mca",
                "btl",
                "self,vader,tcp",
                "--mca",
                "btl_tcp_if_include",
                NETWORK,
            ]);
            flags.extend(["--mca", "oob_tcp_if_include", NETWORK]);
        }
        if survives {
            flags.push("--enable-recovery");
        }
        let inner = launcher.command_with(&flags, self.scratch, 4, &run(args));
        let mut command = self.scratch.program(&agent);
        command.arg(ADDRESSES[0]).arg(inner.get_program()).args(inner.get_args());
        let set = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        // MPICH would use the memory that the hosts share.
        command.envs(set).envs([("UCX_TLS", "tcp,self"), ("UCX_NET_DEVICES", "eth0")]);
        command.env("FI_PROVIDER", "tcp");
        command
    }
}

impl Drop for Hosts<'_> {
    fn drop(&mut self) {
        for name in [0, 1].map(name) {
            for pid in ip(&format!("netns pids {name}")).unwrap_or_default().lines() {
                if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn a_run_on_two_hosts_has_a_subcluster_on_each() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(&scratch) else { return };
    let (text, job) = jobs::random_graph(&mut Random::new(), 60);
    scratch.write("job.toml", &text);
    scratch.start_command(hosts.command(launcher, false, &ARGS)).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let ranks = ranks::ranks(&scratch);
    let subclusters: Vec<_> = ranks.iter().map(|rank| rank.subcluster).collect();
    assert_eq!(subclusters, [0, 0, 1, 1]);
    let lines = records::lines(&scratch.path("run"));
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.json["host"].as_str()).collect();
    assert_eq!(names, [&name(0), &name(1)].map(String::as_str).into());
}

#[test]
fn a_rank_that_is_killed_on_either_host_costs_only_time() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let mut random = Random::new();
    for victim in [1, 2, 3] {
        let scratch = Scratch::new();
        let Some(hosts) = Hosts::new(&scratch) else { return };
        let job = effects::job(&scratch, &mut random, 50);
        let mut running = scratch.start_command(hosts.command(launcher, true, &ARGS));
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
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(&scratch) else { return };
    let job = effects::job(&scratch, &mut Random::new(), 50);
    let mut running = scratch.start_command(hosts.command(launcher, true, &ARGS));
    let ranks = ranks::of_running(&mut running, &scratch);
    running.wait_until("a task that runs", || !scratch.read("effects").is_empty());
    let moment = effects::now();
    ranks[0].signal(Signal::KILL);
    running.wait();
    scratch.expect_no_process(Duration::from_secs(1));
    ranks.iter().for_each(Rank::expect_gone);
    assert!(!scratch.path("run/verdict.json").exists());
    scratch.run(&["run", "--resume", "run", "--nodes", "2"]).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    expect_only_the_unfinished_again(&scratch.read("effects"), &[moment]);
}
