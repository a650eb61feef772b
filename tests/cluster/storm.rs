//! Four hosts, three subclusters beside the master, and everything that can happen to them in one run.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::hosts::Hosts;
use crate::launcher::{EVENKEEL, Launcher};
use crate::random::Random;
use crate::ranks::{self, Rank, ranks};
use crate::records::{self, Parents};
use crate::scratch::{LIMIT, Running, Scratch, poll};
use crate::sweep;

const TASKS: u32 = 2000;
const COMMAND: &str = "sleep 0.4";
const LONG: Duration = Duration::from_secs(400);
const LEASE: [&str; 2] = ["--lease", "2s"];
const LEASE_TIME: Duration = Duration::from_secs(2);

/// What happens, and to which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    NodeKilled,
    NodeStopped,
    SubMasterKilled,
    LinkCut(u64),
    HostKilled,
}

/// All but the last in an order that chance chooses.
const BLOWS: [(Blow, &str); 6] = [
    (Blow::NodeKilled, "h1"),
    (Blow::LinkCut(2), "h1"),
    (Blow::SubMasterKilled, "h2"),
    (Blow::LinkCut(60), "h2"),
    (Blow::NodeStopped, "h3"),
    (Blow::HostKilled, "h3"),
];

/// A run, and what joined it.
struct Fleet<'a> {
    hosts: &'a Hosts,
    scratch: &'a Scratch,
    run: Running<'a>,
    /// Whether each host has a launcher of its own, which joins the run.
    joins: bool,
    joined: Vec<Running<'a>>,
}

impl<'a> Fleet<'a> {
    /// One world over all hosts, the first of which has the master alone.
    fn launched(hosts: &'a Hosts, scratch: &'a Scratch) -> Fleet<'a> {
        let launch = ["run", "h0", EVENKEEL, "launch", "-n", "7", "--hosts", "h0:1,h1:2,h2:2,h3:2"];
        let args = [&launch[..], &["run", "job.toml", "--run-dir", "run"], &LEASE].concat();
        let mut run = scratch.start_command(hosts.command(scratch, &args));
        let ranks = ranks::of_running(&mut run, scratch);
        let subclusters: Vec<u64> = ranks.iter().map(|rank| rank.subcluster).collect();
        assert_eq!(subclusters, [0, 1, 1, 2, 2, 3, 3]);
        Fleet { hosts, scratch, run, joins: false, joined: Vec::new() }
    }

    /// A run on the first host, which the others join with a launcher each.
    fn joined(hosts: &'a Hosts, scratch: &'a Scratch) -> Fleet<'a> {
        let run = ["run", "h0", EVENKEEL, "run", "--single", "job.toml", "--run-dir", "run"];
        let args = [&run[..], &["--listen", "eth0"], &LEASE].concat();
        let mut run = scratch.start_command(hosts.command(scratch, &args));
        run.wait_until("the address", || scratch.path("run/address").exists());
        let mut fleet = Fleet { hosts, scratch, run, joins: true, joined: Vec::new() };
        ["h1", "h2", "h3"].into_iter().for_each(|host| fleet.join(host));
        fleet
    }

    /// Has two ranks of a host join the run.
    fn join(&mut self, host: &str) {
        let before = self.of_host(host).len();
        let launcher = Launcher::linked().expect("it was there before");
        let command = launcher.command(self.scratch, 2, &[EVENKEEL, "join", "run"]);
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
        let args = [&["run", host], &words[..]].concat();
        let command = self.hosts.command(self.scratch, &args);
        self.joined.push(self.scratch.start_command(command));
        let come = poll(LIMIT, || self.of_host(host).len() > before);
        assert!(come, "{host}: {}", self.joined.last().unwrap().stderr());
    }

    fn of_host(&self, host: &str) -> Vec<Rank> {
        ranks(self.scratch).into_iter().filter(|rank| rank.host == host).collect()
    }

    /// Strikes, and sees to it that whoever was struck down comes back, where a launcher lets it.
    fn strike(&mut self, blow: Blow, host: &str) {
        let of_host = self.of_host(host);
        let [.., sub_master, node] = &of_host[..] else { panic!("two ranks of {host}") };
        match blow {
            Blow::NodeKilled => node.signal(Signal::KILL),
            Blow::SubMasterKilled => sub_master.signal(Signal::KILL),
            // Nothing can be waited for: it is the time itself that is tried.
            Blow::NodeStopped => {
                node.signal(Signal::STOP);
                thread::sleep(3 * LEASE_TIME);
                node.signal(Signal::CONT);
            }
            Blow::LinkCut(seconds) => {
                self.hosts.does(&format!("cut {host}"));
                thread::sleep(Duration::from_secs(seconds));
                self.hosts.does(&format!("heal {host}"));
            }
            Blow::HostKilled => drop(self.hosts.does(&format!("kill {host}"))),
        }
        if self.joins && matches!(blow, Blow::NodeKilled | Blow::SubMasterKilled) {
            self.join(host);
        }
    }
}

/// What a run cost.
struct Cost {
    time: Duration,
    /// Attempts that are on record as lost.
    lost: u64,
}

/// Lets a run come to its end, with what happens to it meanwhile.
fn run(fleet: &mut Fleet<'_>, job: &Parents, blows: &[(Blow, &str)], random: &mut Random) -> Cost {
    let scratch = fleet.scratch;
    let begun = Instant::now();
    for (blow, host) in blows {
        let goal = sweep::recorded(scratch, "run") + 50 + random.below(100) as usize;
        fleet.run.wait_until("some records", || sweep::recorded(scratch, "run") >= goal);
        fleet.strike(*blow, host);
    }
    let ended = poll(LONG, || scratch.path("run/verdict.json").exists());
    assert!(ended, "{blows:?}: {}", fleet.run.stderr());
    let time = begun.elapsed();
    records::expect_all_done(&scratch.path("run"), job);
    let lost = records::verdict(&scratch.path("run"))["counts"]["lost"].as_u64().unwrap();
    Cost { time, lost }
}

/// So many runs through all that can happen, beside one to which nothing does.
fn storms(times: u64, is_one_world: bool) {
    let mut random = Random::new();
    let mut calm = None;
    for storm in 0..=times {
        let Some(hosts) = Hosts::new(4) else { return };
        let scratch = Scratch::new();
        let job = sweep::job_of(&scratch, TASKS, COMMAND);
        let begin = if is_one_world { Fleet::launched } else { Fleet::joined };
        let mut fleet = begin(&hosts, &scratch);
        let mut blows = if storm == 0 { Vec::new() } else { BLOWS.to_vec() };
        for i in (1..blows.len().saturating_sub(1)).rev() {
            blows.swap(i, random.below(i as u64 + 1) as usize);
        }
        let cost = run(&mut fleet, &job, &blows, &mut random);
        let Fleet { run, .. } = fleet;
        run.wait_within(LONG).expect(0);
        let undisturbed = *calm.get_or_insert(cost.time);
        eprintln!(
            "{storm}: {:.1} s, {:+.1} s, {} attempts lost: {blows:?}",
            cost.time.as_secs_f64(),
            cost.time.as_secs_f64() - undisturbed.as_secs_f64(),
            cost.lost
        );
    }
}

fn times() -> u64 {
    std::env::var("EVENKEEL_STORMS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

#[test]
#[ignore = "takes minutes: make hosts"]
fn a_world_weathers_all_that_can_happen_to_it() {
    if Launcher::linked_and_surviving().is_some() {
        storms(times(), true);
    }
}

#[test]
#[ignore = "takes minutes: make hosts"]
fn worlds_that_joined_weather_all_that_can_happen_to_them() {
    if Launcher::linked().is_some() {
        storms(times(), false);
    }
}
