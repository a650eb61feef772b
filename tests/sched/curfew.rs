//! Runs that have only so much time.

use evenkeel::model::*;
use evenkeel::sched::Event;

use crate::story::*;

const MINUTE: Span = Span::from_secs(60);

fn costing(name: &str, cost: Span) -> Task {
    task(name).cost(cost)
}

#[test]
fn what_could_not_end_in_time_is_not_begun_and_the_run_can_be_resumed() {
    let long = costing("long", MINUTE);
    let mut limited = task("limited");
    let settings = Settings { time_limit: Some(MINUTE), ..Settings::default() };
    limited.settings = std::sync::Arc::new(settings);
    let after = task("after").after([TaskId(1)]);
    let tasks = vec![task("unknown"), long, limited, costing("short", Span::from_secs(5)), after];
    let mut story = Story::with_time(&[&[1, 1], &[1]], MINUTE).job(tasks.clone());
    assert_eq!(story.finish(), ExitCode::Interrupted);
    let begun: Vec<&str> = story.launched.iter().map(|l| l.work.name.as_str()).collect();
    assert_eq!(begun, ["unknown", "short"], "what is known to take long is not");
    let verdict = story.verdict.as_ref().unwrap();
    assert_eq!(verdict.reason, "the time is up with 3 tasks still to do");
    assert!(story.now < Time::ZERO + MINUTE, "nothing is left that could be done");
    let said = |words: &str| story.notes.iter().filter(|note| note.contains(words)).count();
    assert_eq!((said("is not begun any more"), said("nothing more is started")), (1, 1));
    // Whoever resumes it has more time.
    story.allot(None);
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::Done);
    resumed.assert_whole();
    assert_eq!(resumed.count(State::Lost), 0);
}

#[test]
fn what_runs_has_no_more_time_than_the_run_and_is_not_lost_by_its_own_fault() {
    let mut story = Story::with_time(&[&[1]], MINUTE).job(vec![task("endless")]);
    let launch = story.launched[0].clone();
    // A tenth of the time is for the end of the run, and five seconds for that of the task.
    assert_eq!(launch.time_left, Some(Span::from_secs(49)));
    story.pass(Span::from_secs(49));
    assert!(story.verdict.is_none(), "it is waited for");
    story.end("endless", Ending::new(Exit::TimeLimit, Some("over its limit".to_owned())));
    assert_eq!(story.finish(), ExitCode::Interrupted);
    let record = story.record("endless");
    assert_eq!((record.state, record.exit), (State::Lost, Some(Exit::TimeLimit)));
    assert_eq!(record.reason.as_deref(), Some("it was ended with the run: over its limit"));
    story.allot(None);
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::Done);
    assert_eq!(resumed.states(), [(0, 1, State::Lost), (0, 2, State::Done)]);
    assert_eq!(resumed.launched[0].time_left, None);
}

#[test]
fn who_has_less_time_than_the_run_leaves_before() {
    let only_one = |peer| (peer == node(1)).then_some(MINUTE);
    let mut story = Story::with_times(&[&[1], &[1]], only_one).job(wide(200));
    let mut last = story.now;
    while story.launched.iter().any(|l| l.node == node(1)) && !story.left.contains(&node(1)) {
        let busy: Vec<String> = story.busy().into_iter().map(str::to_owned).collect();
        busy.iter().for_each(|name| story.end(name, well()));
        story.pass(Span::from_secs(1));
        assert!(story.now < Time::ZERO + Span::from_secs(60), "{:?}", story.notes);
        last = story.now;
    }
    assert!(last > Time::ZERO + Span::from_secs(40), "it stays as long as it can: {last:?}");
    assert!(story.left.contains(&node(1)), "{:?}", story.notes);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    assert_eq!(story.count(State::Lost), 0, "{:?}", story.states());
}

#[test]
fn nodes_that_leave_since_their_time_is_up_are_not_missed() {
    let hour = Span::from_secs(3600);
    let mut graceful = task("graceful");
    let settings = Settings { grace: Span::from_secs(1800), ..Settings::default() };
    graceful.settings = std::sync::Arc::new(settings);
    let tasks = vec![task("first"), graceful, task("last").after([TaskId(0)])];
    let mut story = Story::with_time(&[&[1]], hour).job(tasks);
    story.pass(Span::from_secs(1850));
    story.end("first", well());
    // The node was given what it has no time for any more, and leaves.
    assert!(story.busy().is_empty() && story.verdict.is_none(), "{:?}", story.notes);
    assert_eq!(story.finish(), ExitCode::Interrupted);
    let verdict = story.verdict.as_ref().unwrap();
    assert_eq!(verdict.reason, "the time is up with 2 tasks still to do");
}

#[test]
fn a_task_that_is_over_its_own_limit_has_failed() {
    let mut limited = task("limited");
    let settings = Settings { time_limit: Some(Span::from_secs(7)), ..Settings::default() };
    limited.settings = std::sync::Arc::new(settings);
    let mut story = Story::with_time(&[&[1]], MINUTE).job(vec![limited]);
    assert_eq!(story.launched[0].time_left, Some(Span::from_secs(7)));
    story.end("limited", Ending::new(Exit::TimeLimit, None));
    assert_eq!(story.finish(), ExitCode::TaskFailed);
}

#[test]
fn a_run_ends_in_time_though_a_node_does_not() {
    let mut story = Story::with_time(&[&[1, 1]], MINUTE).job(wide(2));
    assert_eq!(story.busy().len(), 2);
    // Nobody ends anything.
    story.pass(Span::from_secs(58));
    let verdict = story.verdict.as_ref().expect("there is no more time to wait");
    assert_eq!(verdict.code, ExitCode::Interrupted);
}

#[test]
fn who_dies_of_the_signal_that_ends_the_run_has_not_failed() {
    let mut story = Story::of(&[&[1, 1, 1]]).job(wide(3));
    story.tell(node(1), Event::Drain);
    let names = |s: &Story, n| {
        let of = s.running.iter().filter(|((peer, _), _)| *peer == node(n));
        of.map(|(_, launch)| launch.work.name.clone()).next().unwrap()
    };
    let (first, second, third) = (names(&story, 0), names(&story, 1), names(&story, 2));
    let by_signal = || Ending::new(Exit::Signal(15), None);
    story.end(&third, by_signal());
    assert_eq!(story.record(&third).state, State::Failed, "nobody had told it to end");
    story.end(&second, by_signal());
    assert_eq!(story.record(&second).state, State::Lost, "its node was to leave");
    story.tell(node(0), Event::Interrupt);
    story.end(&first, Ending::new(Exit::Code(143), None));
    assert_eq!(story.record(&first).state, State::Lost, "the run was to end");
    assert_eq!(story.finish(), ExitCode::Interrupted);
}
