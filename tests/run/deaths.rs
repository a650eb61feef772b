//! Nodes that die in the middle of a job.

use std::collections::BTreeMap;

use evenkeel::exec::Registry;
use evenkeel::live;
use evenkeel::model::{Job, PeerId, Span, State, TaskId, Value};
use evenkeel::run::Options;

use crate::jobs::reduction;
use crate::marked::Mark;
use crate::options;
use crate::watched::{Watched, expect_all_done};

/// A node that has no other role, and the one that is sub-master of the second subcluster.
const ORDINARY: PeerId = PeerId(3);
const SUB_MASTER: PeerId = PeerId(2);
/// With three levels, the sub-masters of the second group, and of a subcluster in it.
const GROUP: PeerId = PeerId(4);
const IN_GROUP: PeerId = PeerId(6);
const TASKS: usize = 40;

fn layers(mark: &Mark) -> Job {
    let mut job = Job::new("layers");
    for i in 0..TASKS {
        let task = mark.sleep(&format!("t{i}"), 0.03);
        let after = i.checked_sub(10).map(|parent| TaskId(parent as u32));
        job.add(task.after(after));
    }
    job
}

fn short_lease() -> Options {
    Options { lease: Span::from_secs(1), ..options(4, 2) }
}

/// Two groups of two subclusters of two nodes each: one below the master, one below
/// [`GROUP`](GROUP), in which another is below [`IN_GROUP`](IN_GROUP).
fn three_levels() -> Options {
    Options { lease: Span::from_secs(1), fans: vec![2], ..options(8, 4) }
}

/// Kills `node` when so many attempts are on record, and sees that nothing is lost.
fn kill_after(node: PeerId, heard: usize) {
    kill_in(&short_lease(), node, heard);
}

fn kill_in(options: &Options, node: PeerId, heard: usize) {
    let mark = Mark::new();
    let watched = Watched::start(layers(&mark), &Registry::default(), options);
    watched.hear(heard);
    watched.handle.kill(node);
    mark.expect_no_process(Some(node));
    let outcome = watched.wait();
    let lost = expect_all_done(&outcome, TASKS);
    mark.expect_no_process(None);

    // A command may have ended twice only where its first attempt is on record as lost.
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    mark.ended().into_iter().for_each(|name| *ended.entry(name).or_default() += 1);
    assert_eq!(ended.len(), TASKS);
    for (name, times) in ended {
        let lost = outcome.records.iter().filter(|r| r.name == name && r.state == State::Lost);
        let lost = lost.count();
        assert!(times <= 1 + lost, "{name} ended {times} times, and was lost {lost} times");
    }
    eprintln!("{node} killed after {heard} records: {lost} attempts lost");
}

#[test]
fn an_ordinary_node_that_dies_early_costs_only_time() {
    kill_after(ORDINARY, 1);
}

#[test]
fn an_ordinary_node_that_dies_midway_costs_only_time() {
    kill_after(ORDINARY, TASKS / 2);
}

#[test]
fn an_ordinary_node_that_dies_late_costs_only_time() {
    kill_after(ORDINARY, TASKS - 4);
}

#[test]
fn a_sub_master_that_dies_early_costs_only_time() {
    kill_after(SUB_MASTER, 1);
}

#[test]
fn a_sub_master_that_dies_midway_costs_only_time() {
    kill_after(SUB_MASTER, TASKS / 2);
}

#[test]
fn a_sub_master_that_dies_late_costs_only_time() {
    kill_after(SUB_MASTER, TASKS - 4);
}

#[test]
fn sub_masters_that_die_with_others_above_and_below_cost_only_time() {
    for (victim, heard) in [(GROUP, 1), (GROUP, TASKS / 2), (IN_GROUP, TASKS / 2)] {
        kill_in(&three_levels(), victim, heard);
    }
}

#[test]
fn a_node_that_dies_before_anything_is_on_record_costs_only_time() {
    kill_after(ORDINARY, 0);
}

#[test]
fn all_nodes_but_the_masters_may_die() {
    let mark = Mark::new();
    let watched = Watched::start(layers(&mark), &Registry::default(), &short_lease());
    for node in [3, 2, 1].map(PeerId) {
        watched.hear(5);
        watched.handle.kill(node);
        mark.expect_no_process(Some(node));
    }
    expect_all_done(&watched.wait(), TASKS);
    mark.expect_no_process(None);
}

#[test]
fn a_run_that_is_dropped_leaves_no_process() {
    let mark = Mark::new();
    let mut job = Job::new("long");
    job.add(mark.sleep("short", 0.0));
    (0..8).for_each(|i| {
        job.add(mark.sleep(&format!("long-{i}"), 1000.0));
    });
    let watched = Watched::start(job, &Registry::default(), &options(2, 1));
    watched.hear(1);
    drop(watched);
    mark.expect_no_process(None);
}

#[test]
fn a_reduction_gives_the_same_number_when_a_node_dies() {
    for node in [ORDINARY, SUB_MASTER] {
        for heard in [1, 100, 250] {
            let (job, total, expected) = reduction(200);
            let tasks = job.tasks.len();
            let watched = Watched::start(job, &Registry::default(), &short_lease());
            watched.hear(heard);
            watched.handle.kill(node);
            let outcome = watched.wait();
            expect_all_done(&outcome, tasks);
            assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(expected));
        }
    }
}

#[test]
fn a_recorded_run_in_which_a_node_died_is_replayed_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let mark = Mark::new();
    let path = folder.path().join("run");
    let options = Options { folder: Some(path.clone()), record: true, ..short_lease() };
    let watched = Watched::start(layers(&mark), &Registry::default(), &options);
    watched.hear(TASKS / 4);
    watched.handle.kill(ORDINARY);
    expect_all_done(&watched.wait(), TASKS);
    let replayed = live::replay(&path).unwrap();
    assert_eq!(replayed.len(), 4);
    assert!(replayed.iter().all(|one| one.steps > 0 && one.bytes > 0), "{replayed:?}");
}
