//! Who runs what, where and when, as long as nobody dies.

use std::sync::Arc;

use evenkeel::model::*;
use evenkeel::sched::{Batch, Event};

use crate::story::*;

#[test]
fn a_chain_on_one_node() {
    let mut story = Story::of(&[&[2]]).job(chain(10));
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.count(State::Done), 10);
    story.assert_whole();
    assert_eq!(story.frames, [], "roles of one process need no wire");
}

#[test]
fn a_wide_job_over_two_subclusters_reaches_every_node() {
    let mut story = Story::of(&[&[2, 2, 2], &[2, 2]]).job(wide(200));
    story.run_until(|s| s.count(State::Done) == 100);
    assert!((0..5).all(|n| story.runs_on(node(n)) == 2), "{:?}", story.busy());
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let on = |n| story.published.iter().filter(move |r| r.place.as_ref().unwrap().node == node(n));
    assert!((0..5).all(|n| on(n).count() > 10));
}

#[test]
fn all_leave_when_it_is_over() {
    let mut story = Story::of(&[&[1, 1], &[1, 1]]).job(wide(3));
    story.finish();
    story.settle();
    assert_eq!(story.left, (0..4).map(node).collect());
}

#[test]
fn an_empty_job_is_done() {
    assert_eq!(Story::of(&[&[1]]).job(Vec::new()).finish(), ExitCode::Done);
}

#[test]
fn a_record_is_published_only_when_it_is_on_disk() {
    let mut story = Story::of(&[&[1]]).job(wide(1));
    story.slow_disk = true;
    story.end("leaf-0", well());
    assert!(story.published.is_empty() && story.verdict.is_none());
    story.sync();
    assert_eq!(story.count(State::Done), 1);
    assert_eq!(story.finish(), ExitCode::Done);
}

#[test]
fn a_failed_task_cancels_what_waits_for_it_and_says_why() {
    let mut job = chain(4);
    job.push(task("other"));
    let mut story = Story::of(&[&[1, 1]])
        .ending(|l| if l.work.name == "link-1" { badly() } else { well() })
        .job(job);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    story.assert_whole();
    assert_eq!(story.record("link-1").reason.as_deref(), Some("exit code 1"));
    for name in ["link-2", "link-3"] {
        let record = story.record(name);
        assert_eq!(
            (record.state, record.attempt, &record.place),
            (State::Cancelled, Attempt(0), &None)
        );
        assert!(record.reason.as_deref().unwrap().contains("`link-1`"));
    }
    assert_eq!(story.record("other").state, State::Done);
}

#[test]
fn a_flaky_task_is_tried_as_often_as_it_may_be() {
    let job = vec![with_retries(task("flaky"), 2), task("after").after([TaskId(0)])];
    let mut story = Story::of(&[&[1]])
        .ending(|l| if l.work.name == "flaky" && l.key.attempt.0 < 3 { badly() } else { well() })
        .job(job.clone());
    assert_eq!(story.finish(), ExitCode::Done);
    let all =
        [(0, 1, State::Failed), (0, 2, State::Failed), (0, 3, State::Done), (1, 1, State::Done)];
    assert_eq!(story.states(), all);

    let mut story = Story::of(&[&[1]]).ending(|_| badly()).job(job);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_eq!(story.count(State::Failed), 3);
    story.assert_whole();
}

#[test]
fn what_waits_for_a_task_that_has_failed_already_is_cancelled_too() {
    let mut story = Story::of(&[&[1]]).ending(|_| badly());
    story.submit(chain(1));
    story.run_until(|s| s.count(State::Failed) == 1);
    let mut story = story.job(vec![task("late").after([TaskId(0)])]);
    assert_eq!(story.finish(), ExitCode::TaskFailed);
    assert_eq!(story.record("late").state, State::Cancelled);
    story.assert_whole();
}

#[test]
fn a_node_has_its_next_task_before_it_has_ended_the_last() {
    let mut story = Story::of(&[&[1, 1], &[1, 1]]).job(wide(40));
    story.cut(node(3));
    story.end("leaf-0", well());
    let (peer, name) = {
        let ((peer, _), launch) = story.running.iter().find(|((p, _), _)| *p == node(3)).unwrap();
        (*peer, launch.work.name.clone())
    };
    story.end(&name, well());
    assert_eq!(story.runs_on(peer), 1, "it had one in hand while nobody could reach it");
}

#[test]
fn an_idle_node_takes_over_from_a_loaded_one() {
    // The pace of short tasks lets node 1 be sent many ahead; node 2 is hung and wakes hungry.
    let mut story = Story::of(&[&[1, 1]]).job(wide(8));
    // Node 1 ends all that it has; node 0 keeps what it runs.
    story.run_until(|s| s.running.len() == 2);
    for _ in 0..6 {
        story.pass(Span::from_millis(20));
        let name = story
            .running
            .iter()
            .find(|((p, _), _)| *p == node(1))
            .map(|(_, l)| l.work.name.clone());
        if let Some(name) = name {
            story.end(&name, well());
        }
    }
    story.pass(Span::from_millis(50));
    let on_1 = |s: &Story| s.launched.iter().filter(|l| l.node == node(1)).count();
    assert!(on_1(&story) >= 6, "it took {} of 8", on_1(&story));
    story.finish();
    assert!(story.launched.iter().all(|l| l.key.attempt == Attempt(1)));
    story.assert_whole();
}

#[test]
fn an_idle_subcluster_takes_over_from_a_loaded_one() {
    let mut story = Story::of(&[&[1], &[1]]).job(wide(8));
    for _ in 0..7 {
        story.pass(Span::from_millis(50));
        let name = story
            .running
            .iter()
            .find(|((p, _), _)| *p == node(1))
            .map(|(_, l)| l.work.name.clone());
        if let Some(name) = name {
            story.end(&name, well());
        }
    }
    let on_1 = story.launched.iter().filter(|l| l.node == node(1)).count();
    assert_eq!(on_1, 7, "all but the one that node 0 runs");
    story.finish();
    story.assert_whole();
    assert!(story.published.iter().all(|r| r.attempt == Attempt(1)), "{:?}", story.states());
}

#[test]
fn the_higher_priority_goes_first_then_the_higher_rank_then_the_first() {
    let mut tasks = wide(6);
    tasks[4].priority = 5;
    let ranks = vec![1, 1, 9, 1, 0, 4];
    let mut story = Story::of(&[&[1]]);
    let batch = Batch { tasks, ranks, ..Batch::default() };
    story.tell(node(0), Event::Submit(Box::new(batch)));
    story.tell(node(0), Event::Seal);
    story.finish();
    let order: Vec<u32> = story.launched.iter().map(|l| l.key.task.0).collect();
    assert_eq!(order, [4, 2, 5, 0, 1, 3]);
}

#[test]
fn a_task_for_all_cores_is_not_overtaken_for_ever() {
    let mut tasks = wide(40);
    tasks[1] = task("broad").cores(4);
    let mut story = Story::of(&[&[4]]).job(tasks);
    story.run_until(|s| s.launched.iter().any(|l| l.work.name == "broad"));
    let before = story.launched.iter().position(|l| l.work.name == "broad").unwrap();
    assert!(before <= 4, "{before} tasks went before it");
    assert_eq!(story.finish(), ExitCode::Done);
}

#[test]
fn what_needs_a_gpu_goes_where_there_is_one_and_shares_it() {
    let gpus = |cores, n| Resources::cores(cores).with(ResourceId::GPUS, Amount::from_f64(n));
    let mut tasks = wide(6);
    for task in &mut tasks {
        task.request = Arc::new(Request::of(gpus(1, 0.5)));
    }
    let mut story =
        Story::with(&[&[Resources::cores(8), gpus(4, 1.0)], &[Resources::cores(8)]]).job(tasks);
    assert_eq!(story.runs_on(node(1)), 2, "two halves");
    assert!(story.running.values().all(|l| l.gpus == [0]));
    assert_eq!(story.finish(), ExitCode::Done);
    assert!(story.launched.iter().all(|l| l.node == node(1)));
}

#[test]
fn a_request_takes_the_second_variant_where_the_first_is_not_to_be_had() {
    let variant = |n| Variant { nodes: 1, resources: Resources::cores(n) };
    let mut broad = task("broad");
    broad.request = Arc::new(Request { variants: vec![variant(8), variant(3)] });
    let story = Story::of(&[&[4]]).job(vec![broad]);
    assert_eq!(story.launched[0].cores.len(), 3);
}

#[test]
fn a_request_that_no_node_can_meet_ends_the_run_after_a_while() {
    let mut tasks = wide(3);
    tasks[1] = task("broad").cores(9);
    let mut story = Story::of(&[&[2], &[4]]).job(tasks);
    story.run_until(|s| s.count(State::Done) == 2);
    story.pass(Span(PATIENCE.0 / 2));
    assert!(story.verdict.is_none(), "a node may still come");
    assert_eq!(story.finish(), ExitCode::Infrastructure);
    let reason = &story.verdict.as_ref().unwrap().reason;
    assert!(reason.contains("`broad`"), "{reason}");
}

#[test]
fn values_reach_their_successors_in_the_order_of_the_file() {
    let tasks = vec![
        task("a"),
        task("b"),
        task("sum").after([TaskId(1), TaskId(0)]),
        task("end").after([TaskId(2)]),
    ];
    let mut story = Story::of(&[&[1, 1], &[1]])
        .ending(|l| {
            let sum: i64 = l
                .work
                .inputs
                .iter()
                .enumerate()
                .map(|(i, (_, v))| v.as_i64().unwrap() * (i as i64 + 1))
                .sum();
            let value = match l.work.name.as_str() {
                "a" => 3,
                "b" => 40,
                _ => sum,
            };
            Ending { value: Value::Int(value), ..well() }
        })
        .job(tasks);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.record("end").value, Value::Int(40 + 2 * 3));
}

#[test]
fn added_tasks_are_numbered_and_know_their_parent_and_their_siblings() {
    let adding = |l: &Launch| match l.work.name.as_str() {
        "parent" => Ending {
            value: Value::Int(5),
            added: vec![
                Addition { task: task("first").after([l.key.task]), siblings: vec![] },
                Addition { task: task("second"), siblings: vec![0] },
            ],
            ..well()
        },
        "first" => {
            assert_eq!(l.work.inputs, [(TaskId(0), Value::Int(5))]);
            Ending { value: Value::Int(6), ..well() }
        }
        "second" => {
            assert_eq!(l.work.inputs, [(TaskId(2), Value::Int(6))]);
            well()
        }
        _ => well(),
    };
    let mut story = Story::of(&[&[1], &[1]]).ending(adding).job(vec![task("parent"), task("x")]);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!((story.record("first").task, story.record("second").task), (TaskId(2), TaskId(3)));
    assert_eq!(story.verdict.as_ref().unwrap().counts.tasks, 4);
    story.assert_whole();
}

#[test]
fn a_task_that_adds_nonsense_fails_and_adds_nothing() {
    let nonsense = [
        Addition { task: task("x").after([TaskId(99)]), siblings: vec![] },
        Addition { task: task("x"), siblings: vec![0] },
    ];
    for addition in nonsense {
        let mut story = Story::of(&[&[1]])
            .ending(move |_| Ending { added: vec![addition.clone()], ..well() })
            .job(vec![task("parent")]);
        assert_eq!(story.finish(), ExitCode::TaskFailed);
        assert!(story.record("parent").reason.as_deref().unwrap().contains("added task"));
        assert_eq!(story.verdict.as_ref().unwrap().counts.tasks, 1);
    }
}

#[test]
fn a_task_that_is_added_after_a_value_was_dropped_is_refused_with_the_attempt_that_adds_it() {
    // Of a chain: the first gives back nothing, the second a value that only the third used, the
    // third one that the adding task uses itself.
    let expected = [(0, ExitCode::Done), (1, ExitCode::TaskFailed), (2, ExitCode::Done)];
    for (of, code) in expected {
        let mut story = Story::of(&[&[1]])
            .ending(move |l| match l.work.name.as_str() {
                "link-1" | "link-2" => Ending { value: Value::Int(5), ..well() },
                "link-3" => {
                    let task = task("late").after([TaskId(of)]);
                    Ending { added: vec![Addition { task, siblings: vec![] }], ..well() }
                }
                "late" => {
                    let value = if of == 0 { Value::Unit } else { Value::Int(5) };
                    assert_eq!(l.work.inputs, [(TaskId(of), value)]);
                    well()
                }
                _ => well(),
            })
            .job(chain(4));
        assert_eq!(story.finish(), code, "after {of}");
        let reason = story.record("link-3").reason.clone().unwrap_or_default();
        assert_eq!(
            reason.contains("`link-1`, which is done, and whose value"),
            of == 1,
            "{reason}"
        );
        story.assert_whole();
        let mut resumed = story.resume();
        assert_eq!(resumed.finish(), code);
        assert_eq!(resumed.states(), story.states());
    }
}

#[test]
fn a_failed_attempt_adds_nothing() {
    let mut story = Story::of(&[&[1]])
        .ending(|l| {
            let added = vec![Addition { task: task("child"), siblings: vec![] }];
            let exit = Exit::Code(i32::from(l.key.attempt.0 == 1 && l.work.name == "parent"));
            let added = if l.work.name == "parent" { added } else { vec![] };
            Ending { added, ..Ending::new(exit, None) }
        })
        .job(vec![with_retries(task("parent"), 1)]);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.states(), [(0, 1, State::Failed), (0, 2, State::Done), (1, 1, State::Done)]);
}

#[test]
fn what_a_lost_attempt_would_have_added_never_was() {
    let parent = |l: &Launch| Ending {
        added: vec![
            Addition { task: task("child"), siblings: vec![] };
            usize::from(l.work.name == "p")
        ],
        ..well()
    };
    let mut story = Story::of(&[&[1, 1]]).ending(parent).job(vec![task("x"), task("p")]);
    let (peer, key) = *story.running.iter().find(|(_, l)| l.work.name == "p").unwrap().0;
    assert_eq!(peer, node(1));
    // It ends while its node is cut off: the ending goes nowhere before the lease is over.
    story.cut(peer);
    let ending = parent(&story.running[&(peer, key)]);
    story.end("p", ending);
    story.pass(Span(2 * LEASE.0));
    story.mend(peer);
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(
        story.states(),
        [(0, 1, State::Done), (1, 1, State::Lost), (1, 2, State::Done), (2, 1, State::Done)]
    );
}

#[test]
fn a_batch_that_makes_no_sense_is_bad_input() {
    let mut story = Story::of(&[&[1]]).job(vec![task("x").after([TaskId(5)])]);
    assert_eq!(story.finish(), ExitCode::BadInput);
    assert!(story.verdict.as_ref().unwrap().reason.contains('x'));
}
