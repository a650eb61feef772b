//! Masters that die, and those that follow them.

use evenkeel::model::*;
use evenkeel::sched::Event;

use crate::story::*;

/// What runs, and not in the master's process.
fn elsewhere(story: &Story) -> Vec<(PeerId, AttemptKey)> {
    story.running.keys().filter(|(peer, _)| *peer != node(0)).copied().collect()
}

/// A run in which the master has died, of which those know for certain that were told by it.
fn without_a_master() -> (Story, Vec<(PeerId, AttemptKey)>) {
    let mut story = Story::of(&[&[1, 1], &[1, 1], &[1]]).job(wide(60));
    story.run_until(|s| s.count(State::Done) == 6);
    let running = elsewhere(&story);
    assert_eq!(running.len(), 4);
    story.kill(node(0));
    // The first two are nodes of the master's process and of a sub-master, the others sub-masters.
    [1, 3, 2, 4].into_iter().for_each(|n| story.tell(node(n), Event::Dead(node(0))));
    (story, running)
}

fn assert_done_at_once(story: &Story, running: &[(PeerId, AttemptKey)]) {
    for (peer, key) in running {
        let ends: Vec<_> = story.published.iter().filter(|r| r.task == key.task).collect();
        assert_eq!((ends.len(), ends[0].attempt, ends[0].state), (1, key.attempt, State::Done));
        assert_eq!(ends[0].place.as_ref().unwrap().node, *peer);
    }
}

#[test]
fn what_runs_goes_on_without_a_master_and_counts_with_the_next() {
    let (mut story, running) = without_a_master();
    story.pass(Span(REATTACH.0 / 2));
    assert_eq!(elsewhere(&story), running, "{:?}", story.notes);
    // One ends while there is no master, the others when there is one.
    let name = story.running[&running[1]].work.name.clone();
    story.end(&name, well());
    story.succeed();
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert_done_at_once(&story, &running);
    assert!(story.stopped.is_empty(), "{:?}", story.stopped);
}

#[test]
fn a_master_gives_nothing_away_that_may_still_run_and_does_when_that_is_over() {
    let (mut story, running) = without_a_master();
    let began = story.now;
    // Nobody hears of the next one.
    (1..5).for_each(|n| story.cut(node(n)));
    story.succeed();
    let twins = |s: &Story| {
        let again = |(_, key): &&(PeerId, AttemptKey)| running.iter().any(|r| r.1.task == key.task);
        s.running.keys().filter(again).count()
    };
    while !elsewhere(&story).iter().all(|(peer, _)| *peer == node(5)) {
        assert!(twins(&story) <= running.len(), "given away too early");
        story.pass(Span::from_millis(50));
    }
    assert!(story.now.since(began) > Span(REATTACH.0 / 2), "they stopped early");
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let lost = |key: AttemptKey| (key.task.0, key.attempt.0, State::Lost);
    assert!(running.iter().all(|(_, key)| story.states().contains(&lost(*key))));
}

#[test]
fn a_run_outlives_one_master_after_the_other() {
    let (mut story, _) = without_a_master();
    for round in 1..4 {
        let master = story.succeed();
        let done = story.count(State::Done);
        story.run_until(|s| s.count(State::Done) >= done + 5);
        let running: Vec<_> =
            elsewhere(&story).into_iter().filter(|(peer, _)| *peer != master).collect();
        assert!(running.len() >= 4, "round {round}: {:?}", story.busy());
        story.kill(master);
        (1..5).for_each(|n| story.tell(node(n), Event::Dead(master)));
        story.pass(Span::from_secs(6));
        assert_eq!(elsewhere(&story), running);
    }
    story.succeed();
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn a_master_that_hung_ends_when_it_hears_of_the_next() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.hang(node(0));
    let running: Vec<_> = elsewhere(&story);
    story.succeed();
    let done = story.count(State::Done);
    story.run_until(|s| s.count(State::Done) >= done + 5);
    let journal = story.journal.len();
    story.wake(node(0));
    assert!(story.left.contains(&node(0)), "{:?}", story.notes);
    assert!(story.notes.iter().any(|note| note.contains("has a master of its own")));
    assert_eq!(story.journal.len(), journal, "it has nothing more to write");
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert_done_at_once(&story, &running);
}

#[test]
fn tasks_that_the_user_cancels_stay_cancelled_when_their_nodes_come_back_with_them() {
    let (mut story, running) = without_a_master();
    let (_, key) = running[2];
    let master = story.succeed();
    story.tell(master, Event::Cancel(vec![key.task]));
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    story.assert_whole();
    let ends: Vec<_> = story.states().into_iter().filter(|row| row.0 == key.task.0).collect();
    assert_eq!(ends, [(key.task.0, key.attempt.0, State::Cancelled)]);
    assert_eq!(story.stopped, [key]);
}
