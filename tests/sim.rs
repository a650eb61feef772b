//! The simulation: a slice of the swarm, seeds that once found something, and what users see.

use std::sync::Arc;

use evenkeel::model::{
    ExitCode, Job, PeerId, Platform, Record, Resources, Settings, Span, State, Task, TaskId, Time,
};
use evenkeel::sim::{
    Fault, FaultPlan, Kind, Scenario, SimConfig, SimOutcome, Simulation, Stats, Violation, swarm,
};

/// Seeds that broke a rule, and what they found.
const FOUND: [(u64, &str); 14] = [
    (1, "times of a sub-master's own node were told by its clock as if it were the master's"),
    (2, "a task that adds tasks lost its value before they were tied to it"),
    (297, "what ended after an interrupted run was closed was recorded, but not counted"),
    (418, "likewise"),
    (0, "a task that was added behind one that had failed waited for ever"),
    (107, "a subcluster kept what none of its nodes could run any more"),
    (133, "likewise, until nothing happened any more"),
    (896, "an interrupted run did not end when what was in limbo was the last that was out"),
    (2200, "likewise"),
    (24126, "who learned late of its master's death went on for longer than the next one waited"),
    (
        1356,
        "what a node ended that had left before the next master came was recorded as of nowhere",
    ),
    (
        9713,
        "what a master's own process was given went on to others, and the next one did not know",
    ),
    (48969, "a welcome that came when its lease was over let a node start what came with it"),
    (1719, "what two clocks run apart while a renewal is on its way was left out of the error"),
];

/// Likewise, of those that draw from all there is.
const FOUND_WIDE: [(u64, &str); 7] = [
    (
        154_851,
        "a node far from its sub-master doubted it before an answer could come, again and again",
    ),
    (535_681, "what was granted together with an answer that left no time was never begun"),
    (
        944_698,
        "a sub-master that woke up claimed what one of its nodes had taken elsewhere meanwhile",
    ),
    (895_797, "a sub-master dealt what came with a welcome that was over to its own node"),
    (110_656, "what had not reached a node that went elsewhere was nobody's any more"),
    (171_654, "a node whose time was up was given the same task without end by a later master"),
    (912_856, "a run was given up for want of nodes when these had left since their time was up"),
];

fn run_of(kind: Kind, seed: u64) -> Result<SimOutcome, Box<Violation>> {
    Simulation::new(Scenario { seed, kind }.config()).run()
}

fn run(seed: u64) -> Result<SimOutcome, Box<Violation>> {
    run_of(Kind::Wide, seed)
}

#[test]
fn a_slice_of_the_swarm_keeps_every_rule() {
    let mut broken = Vec::new();
    for (kind, seeds) in [(Kind::Wide, 0..300), (Kind::Plain, 0..60)] {
        swarm(kind, seeds, |violation| broken.push(violation.to_string()));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn seeds_that_found_something_find_nothing_more() {
    let plain = FOUND.map(|(seed, what)| (Kind::Plain, seed, what));
    let wide = FOUND_WIDE.map(|(seed, what)| (Kind::Wide, seed, what));
    for (kind, seed, what) in plain.into_iter().chain(wide) {
        if let Err(violation) = run_of(kind, seed) {
            panic!("once: {what}\nnow: {violation}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    for seed in 0..20 {
        let (once, again) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!(once, again);
        assert_ne!(once.digest, run(seed + 1).unwrap().digest);
    }
}

#[test]
fn the_swarm_meets_what_it_is_for() {
    let mut total = Stats::default();
    let (mut codes, mut states, mut refused) = (Vec::new(), Vec::new(), 0);
    for seed in 0..150 {
        let outcome = run(seed).unwrap();
        total.missed += outcome.stats.missed;
        total.repeated += outcome.stats.repeated;
        total.restarts += outcome.stats.restarts;
        total.moves += outcome.stats.moves;
        total.lost += outcome.stats.lost;
        total.successions += outcome.stats.successions;
        total.superseded += outcome.stats.superseded;
        total.lined_up += outcome.stats.lined_up;
        total.joined += outcome.stats.joined;
        total.brought_in += outcome.stats.brought_in;
        total.twins += outcome.stats.twins;
        total.epochs += outcome.stats.epochs - 1;
        codes.push(outcome.verdict.code);
        states.extend(outcome.records.iter().map(|record| record.state));
        let reasons = outcome.records.into_iter().filter_map(|record| record.reason);
        refused += reasons.filter(|why| why.contains("value is not kept")).count();
    }
    let Stats { missed, repeated, restarts, moves, lost, epochs, .. } = total;
    let rare = [missed, repeated, restarts, lost, epochs.into(), total.joined];
    assert!(rare.iter().all(|n| *n > 30), "{total:?}");
    assert!(total.twins > 0, "{total:?}");
    assert!(total.lined_up > 100, "{total:?}");
    let rarer = [moves, total.successions, total.superseded, total.brought_in];
    assert!(rarer.iter().all(|n| *n > 5), "{total:?}");
    assert!(refused > 0, "nobody added a task behind a value that is gone");
    assert!([ExitCode::Done, ExitCode::TaskFailed].iter().all(|code| codes.contains(code)));
    assert!(
        [State::Done, State::Failed, State::Lost, State::Cancelled]
            .iter()
            .all(|s| states.contains(s))
    );
}

/// A chain of three tasks of a second each, and `loose` more beside it.
fn job(loose: u32) -> Job {
    let mut job = Job::new("chain");
    let second = |name: String| Task::kernel(name, "spin", ()).cost(Span::from_secs(1));
    let first = job.add(second("a".to_owned()));
    let next = job.add(second("b".to_owned()).after([first]));
    job.add(second("c".to_owned()).after([next]));
    for i in 0..loose {
        job.add(second(format!("loose{i}")));
    }
    job
}

fn foretell(platform: Platform, job: Job) -> SimOutcome {
    let ranks = vec![0; job.tasks.len()];
    Simulation::new(SimConfig::new(platform, job, ranks)).run().unwrap()
}

fn seconds(outcome: &SimOutcome) -> f64 {
    outcome.makespan.as_secs()
}

#[test]
fn a_makespan_is_foretold() {
    let alone = foretell(Platform::uniform(1, 1, 1), job(0));
    assert_eq!(alone.verdict.code, ExitCode::Done);
    assert_eq!(alone.records.len(), 3);
    // What is not the tasks' is the time to the last durable entry.
    assert!((3.0..3.3).contains(&seconds(&alone)), "{}", seconds(&alone));
    let wide = foretell(Platform::uniform(2, 2, 2), job(13));
    assert!((3.0..3.3).contains(&seconds(&wide)), "{}", seconds(&wide));
    let narrow = foretell(Platform::uniform(2, 2, 1), job(13));
    assert!((4.0..5.3).contains(&seconds(&narrow)), "{}", seconds(&narrow));
}

#[test]
fn speed_and_distance_count() {
    let mut platform = Platform::uniform(1, 1, 1);
    platform.subclusters[0].nodes[0].speed = 2.0;
    assert!((1.5..1.8).contains(&seconds(&foretell(platform, job(0)))));
    let mut far = Platform::uniform(2, 1, 4);
    far.subclusters[0].nodes[0].capacity = Resources::cores(1);
    far.link.latency = Span::from_millis(200);
    let mut job = job(0);
    // Only the far node has as much: there and back for each of the chain.
    job.tasks.iter_mut().for_each(|task| *task = task.clone().cores(2));
    assert!((4.0..4.8).contains(&seconds(&foretell(far, job))));
}

#[test]
fn what_dies_is_done_again_elsewhere() {
    let mut config = SimConfig::new(Platform::uniform(2, 2, 2), job(20), vec![0; 23]);
    config.faults = FaultPlan(vec![(
        Time::ZERO + Span::from_millis(1500),
        Fault::Crash { peer: PeerId(2), back: None },
    )]);
    let outcome = Simulation::new(config).run().unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::Done);
    let lost = outcome.records.iter().filter(|r| r.state == State::Lost).count();
    assert!(lost > 0);
    let mut done: Vec<TaskId> =
        outcome.records.iter().filter(|r| r.state == State::Done).map(|r| r.task).collect();
    done.sort();
    assert_eq!(done, (0..23).map(TaskId).collect::<Vec<_>>());
}

/// What became of a run of two subclusters whose six nodes have a task of a second each when this
/// happens, and room for more.
fn struck_by(seed: u64, faults: Vec<Fault>) -> SimOutcome {
    let mut config = SimConfig::new(Platform::uniform(2, 3, 2), job(5), vec![0; 8]);
    config.lease = Span::from_millis(300);
    let when = |n: u64| Time::ZERO + Span::from_millis(300 + 20 * n);
    config.faults = FaultPlan((0..).map(when).zip(faults).collect());
    config.seed = seed;
    let outcome = Simulation::new(config).run().unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(outcome.verdict.code, ExitCode::Done);
    outcome
}

fn marked(outcome: &SimOutcome) -> usize {
    outcome.records.iter().filter(|record| record.overlap).count()
}

#[test]
fn what_really_ran_twice_at_once_is_on_record() {
    let hang = |n| Fault::Hang { peer: PeerId(n), length: Span::from_secs(60) };
    for victims in [vec![2], vec![3], vec![3, 5]] {
        let outcome = struck_by(0, victims.into_iter().map(hang).collect());
        assert!(outcome.stats.twins > 0 && marked(&outcome) as u64 >= outcome.stats.twins);
    }
}

#[test]
fn of_who_was_seen_to_end_no_record_says_that_it_may_run_on() {
    let (mut none, mut some) = (0, 0);
    // Whoever has a link to it sees it, or not.
    for seed in 0..60 {
        let crash = |n| Fault::Crash { peer: PeerId(n), back: None };
        let outcome = struck_by(seed, [2, 4, 3].into_iter().map(crash).collect());
        assert!(outcome.stats.lost > 0 && outcome.stats.twins == 0);
        none += u32::from(marked(&outcome) == 0);
        some += u32::from(marked(&outcome) > 0);
    }
    assert!(none > 0 && some > 0, "{none} without marks, {some} with");
}

#[test]
fn a_node_that_breaks_is_taken_out() {
    let mut job = Job::new("loose");
    for i in 0..400 {
        let mut task = Task::kernel(format!("t{i}"), "spin", ()).cost(Span::from_millis(100));
        task.settings = Arc::new(Settings { retries: 500, ..Settings::default() });
        job.add(task);
    }
    // Above it are the sub-master of its subcluster and that of its group.
    let broken = PeerId(15);
    let faults = FaultPlan(vec![(Time::ZERO + Span::from_secs(1), Fault::Break { peer: broken })]);
    let ranks = vec![0; job.tasks.len()];
    let config = SimConfig::new(Platform::uniform(4, 4, 1), job, ranks);
    let outcome = Simulation::new(SimConfig { faults, fans: vec![2], ..config }).run().unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::Done);
    let failed = outcome.records.iter().filter(|r| r.state == State::Failed);
    let failed: Vec<&Record> = failed.collect();
    assert!(failed.iter().all(|r| r.place.as_ref().is_some_and(|p| p.node == broken)));
    assert!(failed.len() >= 5, "{}", failed.len());
    let last = |records: &mut dyn Iterator<Item = &Record>| records.filter_map(|r| r.end).max();
    let (out, end) = (last(&mut failed.into_iter()), last(&mut outcome.records.iter()));
    assert!(out.unwrap() + Span::from_millis(500) < end.unwrap(), "{out:?} of {end:?}");
}

#[test]
fn a_rule_that_is_broken_says_how_to_see_it_again() {
    let mut config = SimConfig::new(Platform::uniform(1, 1, 1), job(0), vec![0; 3]);
    config.seed = 42;
    // A kernel that never ends breaks the promise that a run does.
    config.behaviour = std::sync::Arc::new(|_, _, _| {
        let ending = evenkeel::model::Ending::new(evenkeel::model::Exit::Code(0), None);
        (Span::from_secs(1_000_000), ending)
    });
    let violation = Simulation::new(config).run().unwrap_err().to_string();
    assert!(violation.starts_with("seed 42: the run does not come to an end"), "{violation}");
    assert!(violation.contains("launches t0#1"), "{violation}");
}
