//! Nodes on which everything fails.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use evenkeel::model::*;
use evenkeel::sched::{Event, Part};

use crate::story::*;

/// Tasks that wait for nothing, each of which may fail as often as need be.
fn patient(n: u32) -> Vec<Task> {
    wide(n).into_iter().map(|task| with_retries(task, 50)).collect()
}

/// A job on these nodes where nothing goes well on `broken` ones.
fn with_broken(subclusters: &[&[u64]], broken: &[u32], tasks: Vec<Task>) -> Story {
    let broken: BTreeSet<PeerId> = broken.iter().map(|n| node(*n)).collect();
    let ends = move |l: &Launch| if broken.contains(&l.node) { badly() } else { well() };
    Story::of(subclusters).ending(ends).job(tasks)
}

/// What was said of nodes that are drained, in order.
fn said(story: &Story) -> Vec<&str> {
    let notes = story.notes.iter().map(String::as_str);
    notes.filter(|note| note.contains("failed there in a row")).collect()
}

/// How many different tasks failed on a node.
fn failed_on(story: &Story, n: u32) -> usize {
    let here = |r: &&Record| r.place.as_ref().is_some_and(|place| place.node == node(n));
    let failed = story.published.iter().filter(|r| r.state == State::Failed).filter(here);
    failed.map(|record| record.task).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_broken_node_among_good_ones_is_drained_after_its_fifth_failure_and_the_rest_is_done() {
    let mut story = with_broken(&[&[1, 1, 1, 1, 1, 1]], &[4], patient(120));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let [note] = said(&story)[..] else { panic!("{:?}", story.notes) };
    assert!(
        note.starts_with("node 4 on host-4 is drained: 5 tasks failed there in a row"),
        "{note}"
    );
    assert!(note.contains("it can come back by `evenkeel join`"), "{note}");
    assert!(story.left.contains(&node(4)));
    // One more had begun.
    assert!((5..=6).contains(&failed_on(&story, 4)), "{}", failed_on(&story, 4));
    assert_eq!(story.count(State::Lost), 0);
}

#[test]
fn a_job_that_fails_everywhere_quarantines_nobody() {
    let tasks = wide(200).into_iter().map(|task| with_retries(task, 1)).collect();
    let mut story = Story::of(&[&[1, 1, 1], &[2, 1]]).ending(|_| badly()).job(tasks);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_eq!(story.count(State::Failed), 400);
    assert_eq!(said(&story), [""; 0]);
}

#[test]
fn bad_tasks_among_good_ones_do_not_make_nodes_bad() {
    // Every other one fails wherever it is tried, once or again.
    for retries in [0, 2] {
        let tasks = wide(600).into_iter().map(|task| with_retries(task, retries)).collect();
        let mix = |id: u32| (id ^ (id >> 15)).wrapping_mul(0x2c1b_3c6d);
        let hash = move |id: u32| mix(mix(id.wrapping_mul(2_654_435_761))) >> 16;
        let ends = move |l: &Launch| if hash(l.key.task.0) % 2 == 0 { badly() } else { well() };
        let mut story = Story::of(&[&[1, 2, 1], &[1, 1]]).ending(ends).job(tasks);
        assert_eq!(story.finish(), ExitCode::TaskFailed);
        assert!(story.count(State::Failed) > 250, "{}", story.count(State::Failed));
        assert_eq!(said(&story), [""; 0]);
    }
}

#[test]
fn bad_tasks_that_only_some_nodes_can_run_do_not_make_these_bad() {
    let mut tasks = wide(200);
    for task in tasks.iter_mut().step_by(4) {
        task.request = Arc::new(Request::of(Resources::cores(2)));
    }
    let ends = |l: &Launch| if l.cores.len() == 2 { badly() } else { well() };
    let mut story = Story::of(&[&[1, 1, 1, 1], &[2], &[2]]).ending(ends).job(tasks);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_eq!(story.count(State::Failed), 50);
    assert_eq!(said(&story), [""; 0]);
}

#[test]
fn the_last_node_that_could_run_what_is_left_stays() {
    // A subcluster of one node, on which all fails but what it alone can run.
    let with = |large: bool| {
        let mut tasks = patient(120);
        let mut last = task("large").after((0..120).map(TaskId));
        last.request = Arc::new(Request::of(Resources::cores(2)));
        tasks.extend(large.then_some(last));
        let ends = |l: &Launch| match l.node == node(5) && l.work.name != "large" {
            true => badly(),
            false => well(),
        };
        Story::of(&[&[1, 1, 1, 1, 1], &[2]]).ending(ends).job(tasks)
    };
    let mut story = with(true);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.record("large").place.as_ref().unwrap().node, node(5));
    let failed = story.count(State::Failed);
    assert!(failed_on(&story, 5) > 5 && failed > 15, "{failed}");
    assert_eq!(said(&story), [""; 0]);
    let mut story = with(false);
    story.run_until(|s| s.left.contains(&node(5)));
    assert_eq!(story.verdict, None, "it leaves before the end");
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(said(&story).len(), 1);
}

#[test]
fn of_nodes_that_are_all_broken_one_stays() {
    // Now and then one is mended for a moment, so that something is done all the while.
    let mut tries = 0;
    let ends = move |l: &Launch| {
        tries += 1;
        if l.node == node(0) && tries % 3 == 0 { well() } else { badly() }
    };
    let mut story = Story::of(&[&[1, 1, 1]]).ending(ends).job(patient(400));
    story.finish();
    assert_eq!(said(&story).len(), 2, "{:?}", story.notes);
    assert!(story.verdict.as_ref().unwrap().code != ExitCode::Infrastructure);
}

#[test]
fn the_process_of_the_master_stays_without_its_node() {
    let mut story = with_broken(&[&[1, 1, 1, 1, 1, 1]], &[0], patient(120));
    assert_eq!(story.finish(), ExitCode::Done);
    assert!(said(&story)[0].starts_with("node 0 on host-0 is drained"), "{:?}", said(&story));
    assert!((5..=6).contains(&failed_on(&story, 0)), "{}", failed_on(&story, 0));
}

#[test]
fn below_a_sub_master_in_the_middle_it_is_the_node_that_leaves_and_nobody_else() {
    for broken in [6, 5, 3] {
        let shape: [&[u64]; 4] = [&[1, 1], &[1], &[1, 1], &[1, 1]];
        let ends = move |l: &Launch| if l.node == node(broken) { badly() } else { well() };
        let mut story = Story::of_levels(&[2], &shape).ending(ends).job(patient(200));
        story.run_until(|s| !said(s).is_empty());
        let at = story.published.len();
        story.run_until(|s| s.published.len() > at + 60);
        let gone: Vec<PeerId> = story.left.iter().copied().collect();
        let expected = if broken == 6 { vec![node(6)] } else { Vec::new() };
        assert_eq!(gone, expected, "who has others below it stays");
        assert_eq!(story.finish(), ExitCode::Done);
        assert_eq!(said(&story).len(), 1, "{:?}", said(&story));
        assert!((5..=6).contains(&failed_on(&story, broken)), "{}", failed_on(&story, broken));
        assert_eq!(story.count(State::Lost), 0);
    }
}

#[test]
fn who_was_drained_and_comes_again_starts_with_a_clean_slate() {
    let broken = Rc::new(Cell::new(true));
    let is_broken = Rc::clone(&broken);
    let ends = move |l: &Launch| match l.node == node(4) && is_broken.get() {
        true => badly(),
        false => well(),
    };
    let mut story = Story::of(&[&[1, 1, 1, 1, 1, 1]]).ending(ends).job(patient(400));
    story.run_until(|s| s.left.contains(&node(4)));
    broken.set(false);
    story.come_back(node(4));
    let done = |s: &Story| {
        let here = |r: &&Record| r.place.as_ref().is_some_and(|p| p.node == node(4));
        s.published.iter().filter(|r| r.state == State::Done).filter(here).count()
    };
    story.run_until(|s| done(s) == 10);
    assert_eq!(said(&story).len(), 1);
    broken.set(true);
    story.run_until(|s| s.left.contains(&node(4)));
    assert_eq!(said(&story).len(), 2);
    assert_eq!(story.finish(), ExitCode::Done);
}

#[test]
fn a_new_master_remembers_nothing_and_finds_it_out_again() {
    let ends = |l: &Launch| if l.node == node(4) { badly() } else { well() };
    let mut story = with_broken(&[&[1, 1, 1, 1, 1, 1]], &[4], patient(200));
    story.run_until(|s| s.left.contains(&node(4)));
    let mut resumed = story.resume().ending(ends);
    assert_eq!(resumed.finish(), ExitCode::Done);
    resumed.assert_whole();
    assert_eq!(said(&resumed).len(), 1, "{:?}", resumed.notes);
}

#[test]
fn nobody_is_counted_on_who_was_told_to_leave_and_is_not_gone_yet() {
    let mut story = with_broken(&[&[1, 1, 1], &[1, 1], &[1]], &[5], patient(200));
    story.run_until(|s| failed_on(s, 5) == 4);
    // The sub-master of p3 and p4 does not pass it on.
    story.hang(node(3));
    for n in [0, 1, 2, 3, 4] {
        story.tell(node(0), Event::DrainPart(Part::Node(node(n))));
    }
    assert!(!story.run_for(100, |s| s.left.contains(&node(5))));
    assert!(failed_on(&story, 5) > 5, "{}", failed_on(&story, 5));
    assert_eq!(said(&story), [""; 0]);
}

#[test]
fn failures_that_alternate_with_successes_do_not_count() {
    let mut tries = 0;
    let ends = move |l: &Launch| {
        tries += u32::from(l.node == node(4));
        // Four in a row, then one that goes well.
        if l.node == node(4) && tries % 5 != 0 { badly() } else { well() }
    };
    let mut story = Story::of(&[&[1, 1, 1, 1, 1, 1]]).ending(ends).job(patient(300));
    assert_eq!(story.finish(), ExitCode::Done);
    assert!(failed_on(&story, 4) > 20, "{}", failed_on(&story, 4));
    assert_eq!(said(&story), [""; 0]);
}
