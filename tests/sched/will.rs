//! What the user wants: cancelling, draining, interrupting, resuming.

use std::collections::BTreeSet;

use evenkeel::model::*;
use evenkeel::sched::{Entry, Event, Part};

use crate::story::*;

#[test]
fn cancelling_reaches_a_task_wherever_it_stands() {
    // One runs, one waits at the node, others at the sub-master and the master, one for another.
    let mut tasks = wide(12);
    tasks.push(task("waits").after([TaskId(11)]));
    tasks.push(task("behind").after([TaskId(12)]));
    let mut story = Story::of(&[&[1], &[1, 1]]).job(tasks);
    let ids = (0..13).filter(|i| *i != 5).map(TaskId).collect();
    story.tell(node(0), Event::Cancel(ids));
    story.settle();
    assert!(story.stopped.len() >= 2, "those that ran were stopped");
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    story.assert_whole();
    assert_eq!(story.count(State::Cancelled), 13);
    assert_eq!(story.record("leaf-5").state, State::Done);
    assert_eq!(story.record("leaf-11").reason.as_deref(), Some("cancelled by the user"));
    assert_eq!(story.record("behind").state, State::Cancelled);
}

#[test]
fn cancelling_what_has_ended_or_does_not_exist_does_nothing() {
    let mut story = Story::of(&[&[1]]).job(wide(2));
    story.end("leaf-0", well());
    story.tell(node(0), Event::Cancel(vec![TaskId(0), TaskId(77)]));
    assert_eq!(story.finish(), ExitCode::Done);
}

#[test]
fn a_cancelled_task_whose_node_dies_stays_cancelled() {
    let mut story = Story::of(&[&[1, 1]]).job(wide(2));
    let name = story.running.iter().find(|((p, _), _)| *p == node(1)).unwrap().1.work.name.clone();
    let id = story.running.values().find(|l| l.work.name == name).unwrap().key.task;
    story.hang(node(1));
    story.tell(node(0), Event::Cancel(vec![id]));
    story.kill(node(1));
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_eq!(story.record(&name).state, State::Cancelled);
    let reason = story.record(&name).reason.as_deref().unwrap_or_default();
    assert!(reason.starts_with("cancelled by the user; "), "{reason}");
    story.assert_whole();
}

#[test]
fn what_was_cancelled_while_it_was_out_is_not_run_by_a_resume() {
    // One attempt runs where nobody hears of it, others wait at nodes and sub-masters.
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(9));
    [1, 2].into_iter().for_each(|n| story.hang(node(n)));
    story.tell(node(0), Event::Cancel((0..9).filter(|i| *i != 4).map(TaskId).collect()));
    let told = story.journal.iter().position(|e| matches!(e, Entry::Unwanted(_)));
    let told = told.expect("the journal knows");
    let out: BTreeSet<u32> = cancelled(&story.journal[told]).into_iter().collect();
    assert!(out.len() >= 4, "{out:?} were out");
    for n in told + 1..=story.journal.len() {
        let mut resumed = story.resume_after(n);
        let code = resumed.finish();
        assert_eq!(code, ExitCode::TaskFailed, "after {n} entries");
        assert!(resumed.launched.iter().all(|l| !out.contains(&l.key.task.0)), "{n} entries");
        let ends = resumed.published.iter().filter(|r| out.contains(&r.task.0));
        assert!(ends.clone().all(|r| r.state == State::Cancelled), "{:?}", resumed.states());
        assert_eq!(ends.count(), out.len());
        resumed.assert_whole();
    }
}

fn cancelled(entry: &Entry) -> Vec<u32> {
    match entry {
        Entry::Unwanted(ids) => ids.iter().map(|id| id.0).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_node_that_drains_finishes_what_runs_gives_back_the_rest_and_leaves() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    let running =
        story.running.iter().find(|((p, _), _)| *p == node(2)).unwrap().1.work.name.clone();
    story.tell(node(2), Event::Drain);
    assert_eq!(story.runs_on(node(2)), 1, "what runs goes on");
    assert!(story.left.is_empty());
    story.end(&running, well());
    assert!(story.left.contains(&node(2)));
    assert_eq!(story.runs_on(node(2)), 0);
    story.kill(node(2));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert_eq!(story.count(State::Lost), 0, "{:?}", story.states());
}

/// Ends what runs on `nodes`, which are to leave, and sees that they have, and nothing is lost.
fn expect_leave(mut story: Story, nodes: &[u32]) {
    let is_one = |peer: PeerId| nodes.iter().any(|n| node(*n) == peer);
    let runs = |s: &Story| s.running.keys().filter(|(peer, _)| is_one(*peer)).count();
    assert!(runs(&story) > 0, "what runs goes on");
    let names = story.running.iter().filter(|((peer, _), _)| is_one(*peer));
    let names: Vec<String> = names.map(|(_, launch)| launch.work.name.to_string()).collect();
    names.iter().for_each(|name| story.end(name, well()));
    story.pass(Span::from_millis(100));
    assert_eq!(runs(&story), 0);
    nodes.iter().for_each(|n| assert!(story.left.contains(&node(*n)), "{n}: {:?}", story.notes));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert_eq!(story.count(State::Lost), 0, "{:?}", story.states());
}

#[test]
fn a_node_that_the_master_is_told_to_drain_leaves() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(0), Event::DrainPart(Part::Node(node(2))));
    expect_leave(story, &[2]);
}

#[test]
fn a_subcluster_that_the_master_is_told_to_drain_leaves_with_its_sub_master() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(0), Event::DrainPart(Part::Subcluster(SubclusterId(1))));
    expect_leave(story, &[1, 2]);
}

#[test]
fn a_sub_master_that_is_to_leave_takes_its_subcluster_along() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(1), Event::Drain);
    expect_leave(story, &[1, 2]);
    // One that is alone in its subcluster leaves with its only node.
    let mut story = Story::of(&[&[1], &[1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(0), Event::DrainPart(Part::Node(node(1))));
    expect_leave(story, &[1]);
}

#[test]
fn the_process_with_the_master_stays_when_its_nodes_leave() {
    let mut story = Story::of(&[&[1, 1], &[1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(0), Event::DrainPart(Part::Subcluster(SubclusterId(0))));
    let names: Vec<String> =
        story.running.values().map(|launch| launch.work.name.to_string()).collect();
    names.iter().for_each(|name| story.end(name, well()));
    story.pass(Span::from_millis(100));
    assert!(!story.left.contains(&node(0)) && story.left.contains(&node(1)));
    assert_eq!((story.runs_on(node(0)), story.runs_on(node(2))), (0, 1));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    story.tell(node(0), Event::DrainPart(Part::Node(node(77))));
    assert!(story.notes.last().unwrap().contains("node 77 is to leave, and is not there"));
}

#[test]
fn a_draining_node_gives_back_at_once_what_crosses_its_drain() {
    let mut story = Story::of(&[&[1, 1]]).job(wide(10));
    story.hang(node(0));
    story.tell(node(1), Event::Drain);
    story.wake(node(0));
    let waits_at_1 = story.launched.iter().filter(|l| l.node == node(1)).count();
    assert_eq!(waits_at_1, 1);
    // Node 1 never ends what it runs, and yet everything else gets done.
    while story.count(State::Done) < 9 {
        let next = story.running.iter().find(|((p, _), _)| *p == node(0));
        let name = next.expect("node 0 has work").1.work.name.clone();
        story.end(&name, well());
        story.pass(TAKES);
    }
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.count(State::Lost), 0);
}

#[test]
fn a_sub_master_whose_node_has_left_stays_for_others_and_leaves_with_them() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.tell(node(0), Event::DrainPart(Part::Node(node(1))));
    story.run_until(|s| s.runs_on(node(1)) == 0);
    assert!(story.left.is_empty());
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.left, [0, 1, 2].map(PeerId).into());
    story.assert_whole();
}

#[test]
fn an_interrupt_lets_what_runs_end_and_the_rest_goes_on_later() {
    let mut story = Story::of(&[&[1, 1], &[1]]).job(wide(20));
    story.run_until(|s| s.count(State::Done) == 4);
    let started = story.launched.len();
    story.tell(node(0), Event::Interrupt);
    assert_eq!(story.finish(), ExitCode::Interrupted);
    assert_eq!(story.launched.len(), started, "nothing new was started");
    assert_eq!(story.count(State::Done), started);
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::Done);
    resumed.assert_whole();
    assert_eq!(resumed.count(State::Lost), 0, "nothing was out: {:?}", resumed.states());
}

#[test]
fn a_second_interrupt_does_not_wait() {
    let mut story = Story::of(&[&[1, 1]]).job(wide(5));
    story.tell(node(0), Event::Interrupt);
    assert!(story.verdict.is_none());
    story.tell(node(0), Event::Interrupt);
    assert_eq!(story.verdict.as_ref().unwrap().code, ExitCode::Interrupted);
    assert!(story.left.contains(&node(1)));
    story.pass(Span::from_secs(1));
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::Done);
    assert_eq!(resumed.count(State::Lost), 2, "{:?}", resumed.states());
    resumed.assert_whole();
}

/// Fails now and then, adds tasks, hands values on.
fn eventful(l: &Launch) -> Ending {
    let child = |name: &str| task(name).after([l.key.task]);
    let added = match l.work.name.as_str() {
        "parent" => vec![
            Addition { task: child("c0"), siblings: vec![] },
            Addition { task: task("c1"), siblings: vec![0] },
        ],
        _ => Vec::new(),
    };
    let failed = l.work.name == "bad" || l.work.name == "flaky" && l.key.attempt.0 == 1;
    let value = Value::Int(i64::from(l.key.task.0) + 1);
    Ending { added, value, ..Ending::new(Exit::Code(i32::from(failed)), None) }
}

fn eventful_job() -> Vec<Task> {
    vec![
        task("a"),
        task("parent").after([TaskId(0)]),
        with_retries(task("flaky"), 3).after([TaskId(0)]),
        task("bad"),
        task("stranded").after([TaskId(3), TaskId(1)]),
        task("sum").after([TaskId(2), TaskId(1)]),
    ]
}

#[test]
fn a_run_goes_on_from_wherever_its_journal_ends() {
    let mut story = Story::of(&[&[1, 1], &[1]]).ending(eventful).job(eventful_job());
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    story.assert_whole();
    let is_whole = |journal: &[Entry]| journal.iter().any(|e| matches!(e, Entry::Sealed));
    let mut resumed = 0;
    for n in (0..=story.journal.len()).filter(|n| is_whole(&story.journal[..*n])) {
        let mut again = story.resume_after(n).ending(|l| {
            for (id, value) in &l.work.inputs {
                assert_eq!(*value, Value::Int(i64::from(id.0) + 1), "{} of {}", id, l.key);
            }
            // What failed once in the first life may have to fail again.
            eventful(l)
        });
        assert_eq!(again.finish(), ExitCode::TaskFailed, "after {n} entries");
        again.assert_whole();
        let ends = |s: &Story, name| s.record(name).state;
        for name in ["a", "parent", "flaky", "bad", "stranded", "sum", "c0", "c1"] {
            assert_eq!(ends(&again, name), ends(&story, name), "{name} after {n} entries");
        }
        // And the second life's journal serves a third.
        let mut third = again.resume();
        assert_eq!(third.finish(), ExitCode::TaskFailed);
        assert!(third.launched.is_empty(), "everything had ended");
        resumed += 1;
    }
    assert!(resumed >= 15);
}

#[test]
fn records_of_the_first_life_are_published_again_in_the_second() {
    let mut story = Story::of(&[&[1]]).job(wide(4));
    story.run_until(|s| s.count(State::Done) == 2);
    let resumed = story.resume();
    let name = |r: &Record| (r.name.clone(), r.attempt, r.state);
    let old: Vec<_> = story.published.iter().map(name).collect();
    let new: Vec<_> = resumed.published.iter().map(name).collect();
    assert_eq!(new[..2], old[..]);
}
