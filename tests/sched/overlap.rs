//! What the records say of attempts whose end nobody has seen.

use evenkeel::model::*;
use evenkeel::sched::{Event, Former};

use crate::story::*;

const LONGER_THAN_A_LEASE: Span = Span::from_secs(5);

/// Two nodes beside the master's, under a sub-master of their own, all of them busy.
fn subcluster() -> Story {
    let mut story = Story::of(&[&[1], &[1, 1, 1]]).job(wide(60));
    story.run_until(|s| s.count(State::Done) == 6 && s.running.len() == 4);
    story
}

/// What was lost: how many may overlap with the next attempt, and how many do not.
fn marks(story: &Story) -> (usize, usize) {
    let lost = story.published.iter().filter(|record| record.state == State::Lost);
    let (marked, others): (Vec<_>, Vec<_>) = lost.partition(|record| record.overlap);
    let says = |record: &&Record| {
        record.reason.as_ref().is_some_and(|why| why.ends_with("beside the next attempt"))
    };
    assert!(marked.iter().all(says), "{marked:?}");
    assert!(!others.iter().any(says), "{others:?}");
    assert!(!story.published.iter().any(|r| r.overlap && r.state != State::Lost));
    (marked.len(), others.len())
}

/// Sees that all that was lost may overlap, or else that nothing of it does.
#[track_caller]
fn expect(story: &mut Story, overlap: bool, reason: &str) {
    story.pass(LONGER_THAN_A_LEASE + LONGER_THAN_A_LEASE);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let (marked, others) = marks(story);
    assert!(marked + others > 0, "nothing was lost: {:?}", story.notes);
    let all = if overlap { others } else { marked };
    assert_eq!(all, 0, "{marked} marked, {others} not: {:?}", story.notes);
    let lost = story.published.iter().find(|r| r.state == State::Lost).expect("there is one");
    let said = lost.reason.as_deref().unwrap_or_default();
    assert!(said.starts_with(reason), "{said}");
}

#[test]
fn a_node_that_fell_silent_may_go_on_beside_the_next_attempt() {
    let mut story = subcluster();
    story.kill(node(2));
    expect(&mut story, true, "node 2 on host host-2 fell silent: it may have gone on");
}

#[test]
fn a_node_that_was_seen_to_end_does_not() {
    // Whoever has seen it, and even if that is not its parent.
    for witness in [0, 1] {
        let mut story = subcluster();
        story.kill(node(2));
        story.tell(node(witness), Event::Dead(node(2)));
        expect(&mut story, false, "node 2 on host host-2 was lost");
    }
}

#[test]
fn a_node_that_says_itself_that_it_started_afresh_does_not() {
    let mut story = subcluster();
    story.restart(node(2));
    expect(&mut story, false, "node 2 on host host-2 was lost");
}

#[test]
fn a_node_that_was_cut_off_and_came_back_elsewhere_does_not() {
    let mut story = subcluster();
    // Its sub-master stands still, and says what it lost when the node is elsewhere as another.
    story.hang(node(2));
    story.pass(LONGER_THAN_A_LEASE);
    let (marked, others) = marks(&story);
    assert!(marked > 0 && others == 0, "nobody knew");
    story.wake(node(2));
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(marks(&story), (marked, 0), "what is written stays");
}

#[test]
fn of_a_sub_master_only_those_count_that_nothing_was_heard_of() {
    let mut story = subcluster();
    story.kill(node(1));
    expect(&mut story, true, "node 1 on host host-1 fell silent: it may have gone on");
    let mut story = subcluster();
    story.kill(node(1));
    story.tell(node(0), Event::Dead(node(1)));
    expect(&mut story, false, "sub-master p1 was lost");
    let mut story = subcluster();
    story.restart(node(1));
    expect(&mut story, false, "sub-master p1 was lost");
}

#[test]
fn where_a_sub_master_was_seen_to_end_its_nodes_may_still_be_silent() {
    for seen in [&[1][..], &[1, 3], &[1, 2, 3]] {
        let mut story = subcluster();
        [1, 2, 3].into_iter().for_each(|n| story.kill(node(n)));
        seen.iter().for_each(|n| story.tell(node(0), Event::Dead(node(*n))));
        let reason = match seen.len() {
            1 => "2 nodes of sub-master p1 fell silent: it may have gone on",
            2 => "node 2 on host host-2 fell silent: it may have gone on",
            _ => "sub-master p1 was lost",
        };
        expect(&mut story, seen.len() < 3, reason);
    }
}

#[test]
fn a_node_that_was_leaving_is_not_forgotten() {
    for seen in [false, true] {
        let mut story = subcluster();
        story.tell(node(2), Event::Drain);
        assert_eq!(story.runs_on(node(2)), 1, "it finishes what it runs");
        [1, 2].into_iter().for_each(|n| story.kill(node(n)));
        story.tell(node(0), Event::Dead(node(1)));
        if seen {
            story.tell(node(0), Event::Dead(node(2)));
        }
        let reason = if seen { "sub-master p1 was lost" } else { "node 2 on host host-2 fell" };
        expect(&mut story, !seen, reason);
    }
}

#[test]
fn who_left_long_ago_is() {
    let mut story = subcluster();
    story.tell(node(2), Event::Drain);
    story.run_until(|s| s.left.contains(&node(2)));
    story.kill(node(1));
    story.tell(node(0), Event::Dead(node(1)));
    expect(&mut story, false, "sub-master p1 was lost");
}

#[test]
fn below_a_group_it_is_told_upwards() {
    for seen in [false, true] {
        let shape: [&[u64]; 4] = [&[1, 1], &[1], &[1, 1], &[1, 1]];
        let mut story = Story::of_levels(&[2], &shape).job(wide(80));
        story.run_until(|s| s.count(State::Done) == 10 && s.running.len() == 7);
        // The sub-master of p5 and p6, below p3.
        story.kill(node(5));
        if seen {
            story.tell(node(3), Event::Dead(node(5)));
        }
        let reason = if seen { "sub-master p3 was lost" } else { "node 5 on host host-5 fell" };
        expect(&mut story, !seen, reason);
        let mut story = Story::of_levels(&[2], &shape).job(wide(80));
        story.run_until(|s| s.count(State::Done) == 10 && s.running.len() == 7);
        story.kill(node(6));
        if seen {
            story.tell(node(5), Event::Dead(node(6)));
        }
        expect(&mut story, !seen, "node 6 on host host-6");
    }
}

#[test]
fn nobody_who_comes_to_the_next_master_may_overlap_and_all_others_may() {
    let mut story = subcluster();
    story.kill(node(0));
    (1..4).for_each(|n| story.tell(node(n), Event::Dead(node(0))));
    story.kill(node(2));
    story.succeed();
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let lost: Vec<&Record> = story.published.iter().filter(|r| r.state == State::Lost).collect();
    assert!(!lost.is_empty());
    // That of the master's own node may have been given to others by then, for all that is known.
    assert!(lost.iter().all(|record| record.overlap), "{lost:?}");
    let came = |r: &&Record| r.place.as_ref().is_some_and(|p| [1, 3].contains(&p.node.0));
    assert!(!lost.iter().any(came), "{lost:?}");
}

#[test]
fn what_was_out_when_a_run_ended_overlaps_if_its_processes_may_live() {
    let story = subcluster();
    for former in [Former::Ended, Former::Orphaned, Former::Silent] {
        let mut resumed = story.resume_knowing(former, story.journal.len());
        let began = resumed.now;
        assert_eq!(resumed.finish(), ExitCode::Done);
        resumed.assert_whole();
        let (marked, others) = marks(&resumed);
        let waited = resumed.published.iter().filter(|r| r.state == State::Lost);
        let waited = waited.filter_map(|record| record.end).max();
        match former {
            Former::Ended => assert!((marked, waited) == (0, None) && others > 3),
            _ => assert!(marked > 3 && others == 0 && waited >= Some(began + REATTACH)),
        }
    }
}

#[test]
fn what_is_on_record_stays_there_when_the_run_is_resumed() {
    let mut story = subcluster();
    story.kill(node(2));
    story.run_until(|s| s.published.iter().any(|record| record.overlap));
    let (marked, _) = marks(&story);
    let mut resumed = story.resume();
    assert_eq!(marks(&resumed).0, marked);
    assert_eq!(resumed.finish(), ExitCode::Done);
    assert_eq!(marks(&resumed).0, marked);
    // What was out in an epoch before the last may be anywhere.
    let again = story.resume_knowing(Former::Silent, story.journal.len());
    let mut third = again.resume();
    assert_eq!(third.finish(), ExitCode::Done);
    assert!(marks(&third).0 > marked, "{:?}", third.states());
}

#[test]
fn where_no_next_attempt_may_be_nothing_overlaps() {
    let mut tasks = wide(60);
    for task in &mut tasks {
        let settings = Settings { rerun: Rerun::Never, ..Settings::default() };
        task.settings = std::sync::Arc::new(settings);
    }
    let mut story = Story::of(&[&[1], &[1, 1, 1]]).job(tasks);
    story.run_until(|s| s.count(State::Done) == 6 && s.running.len() == 4);
    story.kill(node(2));
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    let (marked, others) = marks(&story);
    assert!(marked == 0 && others > 0);
    let mut story = subcluster();
    let held = story.running.keys().find(|(peer, _)| *peer == node(2)).unwrap().1;
    story.hang(node(2));
    story.tell(node(0), Event::Cancel(vec![held.task]));
    story.run_until(|s| s.published.iter().any(|r| r.task == held.task));
    let cancelled = story.published.iter().find(|r| r.task == held.task).unwrap();
    assert_eq!((cancelled.state, cancelled.overlap), (State::Cancelled, false));
}
