//! Subclusters that cannot do what they were given as soon as was thought. What has not started comes
//! back from them by recall alone, once others are idle; ARCHITECTURE.md says why that is enough.
#![allow(clippy::print_stderr, reason = "how long a run takes is worth seeing")]

use evenkeel::model::{ExitCode, Job, Link, PeerId, Platform, Span, Task, Time};
use evenkeel::sim::{Fault, FaultPlan, SimConfig, Simulation};

/// Of two nodes each.
const SUBCLUSTERS: u32 = 4;
const CORES: u64 = 4;
const ALL: u64 = SUBCLUSTERS as u64 * 2 * CORES;
/// As many tasks as all cores do in so many rounds.
const ROUNDS: u64 = 10;
/// How far the lengths of tasks deviate.
const DEVIATION: f64 = 0.2;
/// The two nodes of the second subcluster, of which the first has its sub-master.
const HIT: [PeerId; 2] = [PeerId(2), PeerId(3)];
/// The last group commit, and what is on its way.
const REST: f64 = 0.05;

/// How many seconds a run takes whose second subcluster has this speed.
fn makespan(what: &str, length: f64, speed: f64, faults: Vec<(Time, Fault)>) -> f64 {
    let mut platform = Platform::uniform(SUBCLUSTERS, 2, CORES);
    platform.subclusters[1].nodes.iter_mut().for_each(|node| node.speed = speed);
    platform.link = Link { latency: Span::from_micros(50), bandwidth: f64::INFINITY };
    let mut job = Job::new("loose");
    for i in 0..ROUNDS * ALL {
        let task = Task::kernel(format!("t{i}"), "spin", ());
        job.add(task.cost(Span::from_secs_f64(length)));
    }
    let ranks = vec![0; job.tasks.len()];
    let mut config = SimConfig::new(platform, job, ranks);
    (config.deviation, config.commit) = (DEVIATION, Span::from_millis(10));
    config.faults = FaultPlan(faults);
    let outcome = Simulation::new(config).run().unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::Done);
    let seconds = outcome.makespan.as_secs();
    eprintln!("tasks of {length} s, {what}: {seconds:.3} s");
    seconds
}

/// What greedy scheduling takes at most on cores of this speed together, if what comes last takes so
/// long (Graham 1969): nothing waits as long as anybody is idle.
fn greedy(length: f64, cores: f64, last: f64) -> f64 {
    let work = (ROUNDS * ALL) as f64 * length;
    work / cores + last * (1.0 + DEVIATION) + REST
}

#[test]
fn what_a_slow_subcluster_has_not_begun_does_not_wait_for_it() {
    let (fast, slow) = ((ALL - 2 * CORES) as f64, (2 * CORES) as f64);
    for length in [1.0, 0.1, 0.01] {
        let even = makespan("all alike", length, 1.0, Vec::new());
        assert!(even < greedy(length, ALL as f64, length), "{even}");
        let speed = 0.25;
        let uneven = makespan("one subcluster slow", length, speed, Vec::new());
        assert!(uneven < greedy(length, fast + slow * speed, length / speed), "{uneven}");
    }
}

#[test]
fn what_waits_where_half_of_the_nodes_leave_does_not_wait_for_the_other_half() {
    for length in [1.0, 0.1, 0.01] {
        let at = Time::ZERO + Span::from_secs_f64(0.4 * ROUNDS as f64 * length);
        let leaves = vec![(at, Fault::Drain { peer: HIT[1] })];
        let took = makespan("half of a subcluster leaves", length, 1.0, leaves);
        assert!(took < greedy(length, (ALL - CORES) as f64, length), "{took}");
    }
}
