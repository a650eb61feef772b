//! Nodes that stand by, and what brings them in.

use std::collections::BTreeSet;

use evenkeel::model::*;
use evenkeel::sched::{Event, Part};

use crate::story::*;

fn seconds(n: u64) -> Span {
    Span::from_secs(n)
}

/// When a story has gone on for so long.
fn at(n: u64) -> Time {
    Time(1_000) + seconds(n)
}

/// A job on these nodes, of which those from the one numbered `first` on stand by.
fn standing_by(subclusters: &[&[u64]], first: u32, by: Time, tasks: Vec<Task>) -> Story {
    let by = move |peer: PeerId| (peer.0 >= first).then_some(by);
    let mut story = Story::with_standbys(subclusters, by).job(tasks);
    story.takes = seconds(10);
    story
}

fn costing(n: u32, cost: Span) -> Vec<Task> {
    wide(n).into_iter().map(|task| task.cost(cost)).collect()
}

/// Time passes in which what runs comes to its end, all at once.
fn wave(story: &mut Story) {
    story.pass(story.takes);
    let busy: Vec<String> = story.busy().into_iter().map(str::to_owned).collect();
    busy.iter().for_each(|name| story.end(name, well()));
}

fn to_the_end(story: &mut Story) -> ExitCode {
    for _ in 0..100 {
        if let Some(verdict) = &story.verdict {
            return verdict.code;
        }
        wave(story);
    }
    panic!("it does not end: {:?}", story.notes);
}

/// The nodes that were given something.
fn used(story: &Story) -> BTreeSet<u32> {
    story.launched.iter().map(|launch| launch.node.0).collect()
}

/// What was said of those who are brought in.
fn said(story: &Story) -> Vec<&str> {
    let notes = story.notes.iter().map(String::as_str);
    notes.filter(|note| note.contains("that stood by")).collect()
}

fn stand_by(story: &Story) -> Vec<u32> {
    story.forecast.standing_by.iter().map(|node| node.0).collect()
}

#[test]
fn who_stands_by_runs_nothing_while_the_run_is_on_time_and_leaves_at_its_end() {
    let mut story = standing_by(&[&[1], &[2, 2]], 1, at(100), costing(8, seconds(10)));
    assert_eq!(stand_by(&story), [1, 2]);
    assert_eq!(story.forecast.left, None, "told before there was a job");
    wave(&mut story);
    assert_eq!(story.forecast.left, Some(seconds(70)));
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert_eq!((used(&story), said(&story)), ([0].into(), vec![]));
    assert!(story.left.contains(&node(1)) && story.left.contains(&node(2)));
}

#[test]
fn all_of_a_world_is_brought_in_when_the_estimated_end_slips() {
    let mut story = standing_by(&[&[1], &[2, 2]], 1, at(100), costing(8, seconds(10)));
    story.takes = seconds(15);
    story.pass(seconds(14));
    assert_eq!((stand_by(&story), story.busy().len()), (vec![1, 2], 1));
    wave(&mut story);
    assert_eq!(stand_by(&story), [0; 0]);
    let [note] = said(&story)[..] else { panic!("{:?}", story.notes) };
    assert!(
        note.starts_with("nodes 1, 2 that stood by are brought in: the run will take"),
        "{note}"
    );
    assert_eq!(story.busy().len(), 5, "at once");
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    story.assert_whole();
    assert_eq!(used(&story), [0, 1, 2].into());
}

#[test]
fn of_unknown_costs_it_is_known_by_what_has_ended() {
    let mut story = standing_by(&[&[1], &[2]], 1, at(100), wide(20));
    story.pass(seconds(9));
    assert_eq!((stand_by(&story), used(&story)), (vec![1], [0].into()));
    wave(&mut story);
    assert_eq!(used(&story), [0, 1].into(), "{:?}", story.notes);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
}

#[test]
fn where_nothing_ends_the_end_slips_with_time() {
    // Three quarters of a minute later than foretold at the latest that what runs now ends.
    let mut story = standing_by(&[&[1], &[1]], 1, at(100), costing(8, seconds(10)));
    story.pass(seconds(29));
    assert_eq!(used(&story), [0].into());
    story.pass(seconds(2));
    assert_eq!(used(&story), [0, 1].into(), "{:?}", story.notes);
    // Of unknown costs, when it should have ended.
    let mut story = standing_by(&[&[1], &[1]], 1, at(100), wide(8));
    story.pass(seconds(99));
    assert_eq!(used(&story), [0].into());
    story.pass(seconds(2));
    assert_eq!(used(&story), [0, 1].into());
    assert!(said(&story)[0].ends_with("the run should have ended by now"), "{:?}", said(&story));
}

#[test]
fn nobody_is_brought_in_who_would_have_nothing_to_do() {
    let mut story = standing_by(&[&[1], &[2]], 1, at(30), chain(8));
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert!(story.now > at(60) && used(&story) == [0].into());
    // Only the first can run those.
    let large = costing(8, seconds(10)).into_iter().map(|task| task.cores(2)).collect();
    let mut story = standing_by(&[&[2], &[1]], 1, at(30), large);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert!(story.now > at(60) && used(&story) == [0].into());
}

#[test]
fn who_stands_by_is_brought_in_when_the_last_other_node_dies() {
    let mut story = standing_by(&[&[1], &[1], &[2]], 2, at(1000), costing(8, seconds(10)));
    story.tell(node(0), Event::Drain);
    wave(&mut story);
    assert_eq!((stand_by(&story), story.busy().len()), (vec![2], 1));
    story.kill(node(1));
    story.pass(LEASE + LEASE);
    let [note] = said(&story)[..] else { panic!("{:?}", story.notes) };
    let why = "node 2 that stood by is brought in: no other node that is left can run what waits";
    assert_eq!(note, why);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn who_alone_has_what_a_task_asks_for_is_brought_in_for_it() {
    let mut tasks = costing(4, seconds(10));
    tasks.push(task("large").cores(2).after([TaskId(0)]));
    let mut story = standing_by(&[&[1], &[1], &[2]], 1, at(1000), tasks);
    assert_eq!(used(&story), [0].into());
    wave(&mut story);
    assert!(used(&story).contains(&2), "{:?}", story.notes);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
}

#[test]
fn of_two_worlds_the_second_stays_if_the_first_will_do() {
    // Each is told another time, so that they are two.
    let by = |peer: PeerId| (peer.0 > 0).then(|| at(100 + u64::from(peer.0)));
    let worlds: [&[u64]; 3] = [&[1], &[1], &[1]];
    let mut story = Story::with_standbys(&worlds, by).job(costing(15, seconds(10)));
    assert_eq!(stand_by(&story), [2], "{:?}", story.notes);
    story.takes = seconds(10);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert_eq!(used(&story), [0, 1].into());
    let mut story = Story::with_standbys(&worlds, by).job(costing(25, seconds(10)));
    assert_eq!(stand_by(&story), [0; 0], "{:?}", story.notes);
    story.takes = seconds(10);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert!(story.now < at(101));
}

#[test]
fn a_new_master_leaves_them_standing_by_and_takes_them_in_when_it_is_late() {
    let mut story = standing_by(&[&[1], &[1], &[2, 2]], 2, at(100), costing(16, seconds(10)));
    wave(&mut story);
    assert_eq!(used(&story), [0, 1].into());
    story.kill(node(0));
    [1, 2, 3].into_iter().for_each(|n| story.tell(node(n), Event::Dead(node(0))));
    let master = story.succeed();
    assert_eq!(stand_by(&story), [2, 3]);
    assert_eq!(used(&story), [0, 1, master.0].into(), "{:?}", story.notes);
    story.takes = seconds(30);
    wave(&mut story);
    assert!(used(&story).is_superset(&[2, 3].into()), "{:?}", story.notes);
    // Once in they stay in, whoever is the master.
    story.kill(master);
    [1, 2, 3].into_iter().for_each(|n| story.tell(node(n), Event::Dead(master)));
    story.succeed();
    assert_eq!(stand_by(&story), [0; 0]);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn nodes_of_a_world_that_stands_by_outlive_its_sub_master_and_still_stand_by() {
    let mut story = standing_by(&[&[1], &[2, 2]], 1, at(100), costing(8, seconds(10)));
    story.kill(node(1));
    story.pass(LEASE);
    assert!(story.notes.iter().any(|note| note.contains("goes to p0")), "{:?}", story.notes);
    assert_eq!((stand_by(&story), used(&story)), (vec![2], [0].into()));
    story.takes = seconds(15);
    wave(&mut story);
    assert_eq!(used(&story), [0, 2].into(), "{:?}", story.notes);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn who_stands_by_leaves_when_asked_to_and_when_the_run_is_interrupted() {
    let mut story = standing_by(&[&[1], &[1], &[1, 1]], 1, at(100), costing(8, seconds(10)));
    story.tell(node(1), Event::Drain);
    story.tell(node(0), Event::DrainPart(Part::Node(node(3))));
    assert_eq!(story.left, [node(1), node(3)].into());
    assert_eq!(stand_by(&story), [2]);
    story.tell(node(0), Event::Interrupt);
    assert!(story.left.contains(&node(2)));
    assert_eq!(to_the_end(&mut story), ExitCode::Interrupted);
    assert_eq!(used(&story), [0].into());
}

#[test]
fn who_was_brought_in_and_starts_afresh_is_in_again() {
    let mut story = standing_by(&[&[1], &[1]], 1, at(60), costing(20, seconds(10)));
    assert_eq!(used(&story), [0, 1].into());
    story.restart(node(1));
    story.pass(LEASE + LEASE);
    assert_eq!((story.runs_on(node(1)), said(&story).len()), (1, 1), "{:?}", story.notes);
    story.hang(node(1));
    story.pass(LEASE + LEASE);
    story.wake(node(1));
    story.pass(LEASE);
    assert_eq!((story.runs_on(node(1)), stand_by(&story)), (1, vec![]), "{:?}", story.notes);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
}

#[test]
fn nobody_is_brought_in_for_those_who_are_awaited_with_what_they_run() {
    let large = costing(8, seconds(10)).into_iter().map(|task| task.cores(2)).collect();
    let mut story = standing_by(&[&[1], &[2, 2], &[2]], 3, at(1000), large);
    story.kill(node(1));
    // Its other node does not know yet, and is the only one that can do what is left.
    story.tell(node(0), Event::Dead(node(1)));
    assert_eq!((stand_by(&story), story.runs_on(node(2))), (vec![3], 1), "{:?}", story.notes);
    story.pass(LEASE);
    assert_eq!((stand_by(&story), story.runs_on(node(2))), (vec![3], 1), "{:?}", story.notes);
    assert_eq!(to_the_end(&mut story), ExitCode::Done);
    assert_eq!((used(&story), said(&story)), ([1, 2].into(), vec![]));
}
