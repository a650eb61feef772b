//! Tasks that may not be begun twice.

use evenkeel::model::*;
use evenkeel::sched::{Event, History};

use crate::story::*;

const LONGER_THAN_A_LEASE: Span = Span::from_secs(5);

fn once(mut task: Task) -> Task {
    task.settings = std::sync::Arc::new(Settings { rerun: Rerun::Never, ..Settings::default() });
    task
}

/// Three nodes of which the last runs `once`, before which nothing else is to be done; `after`
/// waits for it.
fn with_one_on_the_last_node() -> Story {
    let mut tasks = wide(2);
    tasks.push(once(task("once")));
    tasks.push(task("after").after([TaskId(2)]));
    let story = Story::of(&[&[1, 1, 1]]).job(tasks);
    let place = story.running.iter().find(|(_, launch)| launch.work.name == "once");
    assert_eq!(place.expect("it runs").0.0, node(2), "{:?}", story.busy());
    story
}

fn assert_lost_for_good(story: &Story) {
    let record = story.record("once");
    assert!(record.is_lost_for_good(), "{record:?}");
    let reason = record.reason.as_deref().unwrap_or_default();
    assert!(reason.ends_with("may not be run again"), "{reason}");
    assert_eq!(story.record("after").state, State::Cancelled);
    assert_eq!(story.launched.iter().filter(|l| l.work.name == "after").count(), 0);
    let verdict = story.verdict.as_ref().unwrap();
    let Counts { tasks, done, failed, cancelled, lost_for_good, .. } = verdict.counts;
    assert_eq!((tasks, done, failed, cancelled, lost_for_good), (4, 2, 0, 1, 1));
    assert_eq!(verdict.code, ExitCode::TaskFailed);
    assert!(verdict.reason.contains("1 were lost and may not be run again"), "{}", verdict.reason);
    story.assert_whole();
    let mut history = History::default();
    let problems = story.journal.iter().flat_map(|entry| history.take(entry, false));
    assert_eq!(problems.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn one_that_was_lost_with_its_node_has_ended_and_a_resume_does_not_do_it_again() {
    let mut story = with_one_on_the_last_node();
    story.kill(node(2));
    story.pass(LONGER_THAN_A_LEASE);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_lost_for_good(&story);
    assert_eq!(story.launched.iter().filter(|l| l.work.name == "once").count(), 1);
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::TaskFailed);
    assert!(resumed.launched.is_empty(), "{:?}", resumed.launched);
    assert_lost_for_good(&resumed);
}

#[test]
fn one_that_was_out_when_the_master_died_has_ended() {
    let story = with_one_on_the_last_node();
    let mut resumed = story.resume();
    resumed.pass(REATTACH);
    assert_eq!(resumed.finish(), ExitCode::TaskFailed);
    assert_lost_for_good(&resumed);
    assert_eq!(resumed.launched.iter().filter(|l| l.work.name == "once").count(), 0);
}

#[test]
fn one_that_failed_is_repeated_as_often_as_it_has_retries() {
    let mut flaky = task("flaky");
    let settings = Settings { rerun: Rerun::Never, retries: 1, ..Settings::default() };
    flaky.settings = std::sync::Arc::new(settings);
    let fails_once = |l: &Launch| if l.key.attempt == Attempt(1) { badly() } else { well() };
    let mut story = Story::of(&[&[1]]).ending(fails_once).job(vec![flaky]);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.states(), [(0, 1, State::Failed), (0, 2, State::Done)]);
}

#[test]
fn one_that_came_back_without_having_started_is_given_out_again() {
    let mut story = Story::of(&[&[1, 1]]).job(wide(6).into_iter().map(once).collect());
    let held = story.runs_on(node(1));
    assert_eq!(held, 1);
    story.tell(node(1), Event::Drain);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.count(State::Lost), 0);
    assert_eq!(story.launched.len(), 6, "each once");
}

#[test]
fn one_is_not_begun_before_it_is_on_disk_that_it_may_be() {
    let begun = |s: &Story| s.launched.iter().map(|l| l.work.name.clone()).collect::<Vec<_>>();
    for cancelled in [false, true] {
        let mut story = Story::of(&[&[1], &[1]]);
        story.slow_disk = true;
        story.submit(vec![task("any"), once(task("once"))]);
        assert_eq!(begun(&story), [""; 0], "the job is not on disk");
        story.sync();
        assert_eq!(begun(&story), ["any"], "that the other is given out is not on disk");
        if !cancelled {
            story.sync();
            assert_eq!(begun(&story), ["any", "once"]);
            continue;
        }
        story.tell(node(0), Event::Cancel(vec![TaskId(1)]));
        story.sync();
        story.sync();
        assert_eq!(begun(&story), ["any"], "it is not wanted any more");
        assert_eq!(story.record("once").state, State::Cancelled);
        assert_eq!(story.record("once").attempt, Attempt(0));
    }
}

#[test]
fn one_that_nobody_heard_of_yet_is_given_to_another_when_its_node_goes() {
    let mut story = Story::of(&[&[0], &[1], &[1]]);
    story.slow_disk = true;
    story.submit(vec![once(task("once"))]);
    story.sync();
    assert!(story.launched.is_empty());
    story.tell(node(1), Event::Drain);
    story.sync();
    story.sync();
    let places: Vec<PeerId> = story.launched.iter().map(|launch| launch.node).collect();
    assert_eq!(places, [node(2)]);
    assert_eq!(story.count(State::Lost), 0);
}
