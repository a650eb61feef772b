//! Sub-masters below sub-masters.

use evenkeel::model::*;
use evenkeel::sched::Event;

use crate::story::*;

const LONGER_THAN_A_LEASE: Span = Span::from_secs(5);

/// Two groups of two subclusters. The second group is of p3 and p4, with the sub-master of the
/// group, and of p5 and p6 below it.
fn groups() -> Story {
    let story = Story::of_levels(&[2], &[&[1, 1], &[1], &[1, 1], &[1, 1]]).job(wide(80));
    assert_eq!(story.seat(6).ancestors, [5, 3].map(PeerId));
    assert_eq!(story.seat(2).ancestors, [2, 0].map(PeerId));
    story
}

/// What runs on these nodes once all have something to do.
fn under_way(nodes: &[u32]) -> (Story, Vec<(PeerId, AttemptKey)>) {
    let mut story = groups();
    story.run_until(|s| s.count(State::Done) == 10 && s.running.len() == 7);
    let is_of = |peer: &PeerId| nodes.contains(&peer.0);
    let running = story.running.keys().filter(|(peer, _)| is_of(peer)).copied().collect();
    (story, running)
}

fn assert_goes_on(story: &mut Story, running: &[(PeerId, AttemptKey)]) {
    for _ in 0..100 {
        story.pass(Span::from_millis(100));
        let there = |held: &&(PeerId, AttemptKey)| story.running.contains_key(held);
        assert_eq!(running.iter().filter(there).count(), running.len(), "{:?}", story.notes);
    }
    assert_eq!(story.stopped, []);
}

fn assert_counts(story: &mut Story, running: &[(PeerId, AttemptKey)]) {
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    for (peer, key) in running {
        let ends = |r: &&Record| (r.task, r.attempt) == (key.task, key.attempt);
        let record = story.published.iter().find(ends).expect("its first attempt counts");
        assert_eq!((record.state, record.place.as_ref().unwrap().node), (State::Done, *peer));
    }
}

#[test]
fn a_job_reaches_every_node_over_three_levels_and_each_is_of_its_own_subcluster() {
    let mut story = groups();
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    for (node, subcluster) in [0, 0, 1, 2, 2, 3, 3].into_iter().enumerate() {
        let place = |r: &Record| r.place.as_ref().map(|p| (p.node.0, p.subcluster.0));
        let here = story.published.iter().filter_map(place).filter(|p| p.0 == node as u32);
        let here: Vec<_> = here.collect();
        assert!(here.len() > 5, "node {node} has run {} tasks", here.len());
        assert!(here.iter().all(|p| p.1 == subcluster), "{here:?}");
    }
}

#[test]
fn a_group_lives_without_its_sub_master_with_all_that_runs_there() {
    let (mut story, running) = under_way(&[4, 5, 6]);
    story.kill(node(3));
    assert_goes_on(&mut story, &running);
    assert!(story.notes.iter().any(|n| n.contains("p5 hears nothing from p3 and goes to p0")));
    assert_counts(&mut story, &running);
    let lost = story.published.iter().filter(|r| r.state == State::Lost);
    // What ran on p3, and what waited there.
    assert!(lost.count() >= 1);
}

#[test]
fn who_hears_that_the_sub_master_of_its_group_is_dead_does_not_wait_for_its_silence() {
    let (mut story, running) = under_way(&[5, 6]);
    story.kill(node(3));
    story.tell(node(5), Event::Dead(node(3)));
    let (_, key) = running[1];
    let name = story.running[&(node(6), key)].work.name.clone();
    story.end(&name, well());
    assert_eq!(story.record(&name).state, State::Done);
    assert_counts(&mut story, &running);
}

#[test]
fn nodes_whose_sub_master_is_gone_turn_to_that_of_the_group() {
    let (mut story, running) = under_way(&[6]);
    story.kill(node(5));
    assert_goes_on(&mut story, &running);
    assert!(story.notes.iter().any(|n| n.contains("p6 hears nothing from p5 and goes to p3")));
    assert_counts(&mut story, &running);
    // Once more than two levels up.
    let (mut story, running) = under_way(&[4, 6]);
    story.kill(node(5));
    story.kill(node(3));
    assert_goes_on(&mut story, &running);
    assert_counts(&mut story, &running);
}

#[test]
fn a_sub_master_of_a_group_that_hung_comes_back_to_one_that_others_have_left() {
    let (mut story, running) = under_way(&[5, 6]);
    story.hang(node(3));
    story.pass(LONGER_THAN_A_LEASE);
    story.wake(node(3));
    assert_goes_on(&mut story, &running);
    assert_counts(&mut story, &running);
}

#[test]
fn a_sub_master_that_restarts_below_another_gives_nothing_away_meanwhile() {
    let (mut story, running) = under_way(&[6]);
    story.hang(node(6));
    story.restart(node(5));
    story.pass(Span::from_secs(1));
    let (_, key) = running[0];
    let again = story.launched.iter().filter(|l| l.key.task == key.task).count();
    assert_eq!(again, 1, "its node may run it still");
    story.pass(LONGER_THAN_A_LEASE);
    story.wake(node(6));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn a_group_follows_another_master_with_all_that_runs_there() {
    let (mut story, running) = under_way(&[2, 3, 4, 5, 6]);
    story.kill(node(0));
    [1, 2, 3].into_iter().for_each(|n| story.tell(node(n), Event::Dead(node(0))));
    story.pass(LONGER_THAN_A_LEASE);
    assert!(running.iter().all(|held| story.running.contains_key(held)), "{:?}", story.notes);
    story.succeed();
    assert_counts(&mut story, &running);
}

#[test]
fn what_the_user_wants_goes_down_all_levels() {
    let (mut story, running) = under_way(&[6]);
    let (_, key) = running[0];
    story.tell(node(0), Event::Cancel(vec![key.task]));
    assert_eq!(story.stopped, [key]);
    story.tell(node(4), Event::Drain);
    story.run_until(|s| s.left.contains(&node(4)));
    story.tell(node(0), Event::Interrupt);
    assert_eq!(story.finish(), ExitCode::Interrupted);
    assert_eq!(story.count(State::Lost), 0, "{:?}", story.states());
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::TaskFailed);
    resumed.assert_whole();
}

/// Has p3 asked to leave, with p4 beside it and p5 and p6 below; sees that it goes and they stay.
fn leaves_alone(story: &mut Story, running: &[(PeerId, AttemptKey)]) {
    story.tell(node(3), Event::Drain);
    assert!(story.notes.iter().any(|n| n.contains("p5 is sent on by p3 and goes to p0")));
    story.run_until(|s| s.left.contains(&node(3)));
    assert!(story.left.contains(&node(4)) && !story.left.contains(&node(5)));
    assert_counts(story, running);
    assert_eq!(story.count(State::Lost), 0, "{:?}", story.states());
    let by = |r: &&Record| [5, 6].contains(&r.place.as_ref().unwrap().node.0);
    let theirs = story.published.iter().filter(by).count();
    assert!(theirs > 2 * 80 / 7, "they are given more: {theirs}");
}

#[test]
fn a_sub_master_that_leaves_sends_on_those_that_are_below_it() {
    let (mut story, running) = under_way(&[3, 4, 5, 6]);
    leaves_alone(&mut story, &running);
}

#[test]
fn who_cannot_go_on_yet_is_sent_on_again() {
    let (mut story, running) = under_way(&[3, 4, 5, 6]);
    story.tell(node(5), Event::Down(node(0)));
    story.tell(node(3), Event::Drain);
    story.pass(LONGER_THAN_A_LEASE);
    assert!(running.iter().all(|held| story.running.contains_key(held)), "{:?}", story.notes);
    assert!(!story.left.contains(&node(3)), "it stays for the sake of those below it");
    story.tell(node(5), Event::Up(node(0)));
    story.pass(LONGER_THAN_A_LEASE);
    leaves_alone(&mut story, &running);
}

#[test]
fn a_sub_master_may_die_while_it_sends_others_on() {
    let (mut story, running) = under_way(&[5, 6]);
    story.tell(node(5), Event::Down(node(0)));
    story.tell(node(3), Event::Drain);
    story.kill(node(3));
    story.tell(node(5), Event::Up(node(0)));
    assert_goes_on(&mut story, &running);
    assert_counts(&mut story, &running);
}

#[test]
fn an_idle_subcluster_takes_over_from_another_far_away() {
    let mut story = Story::of_levels(&[2], &[&[1], &[1], &[1], &[1]]).job(wide(12));
    // Whatever p3 has it never ends; all the rest gets done.
    story.hang(node(3));
    story.run_for(200, |s| s.count(State::Done) == 11);
    story.wake(node(3));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert!(story.count(State::Lost) <= 4, "{:?}", story.states());
}
