//! Kernels that add tasks to the job that they are of.

use evenkeel::exec::Registry;
use evenkeel::model::{Addition, ExitCode, Job, PeerId, Span, Task, TaskId, Value};
use evenkeel::run::{Options, Outcome, run};

use crate::options;
use crate::watched::{Watched, expect_all_done};

/// 63 tasks of a binary tree of 32 leaves, and a sum for each of its 31 branches.
pub(crate) const TASKS_OF_32: usize = 63 + 31;

/// `grow` halves its number until it is 1, each half a task of its own, and a task that adds
/// them up again.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register("grow", |cx| {
        let n = cx.args().as_i64().ok_or("a whole number is needed")?;
        let me = cx.key().task;
        if n > 1 {
            let halves = [n / 2, n - n / 2].map(|half| {
                let name = format!("{}.{half}", cx.name());
                cx.submit(Task::kernel(name, "grow", half).after([me]))
            });
            let sum = Task::kernel(format!("{}+", cx.name()), "sum", ());
            cx.submit(Addition { task: sum, siblings: halves.to_vec() });
            return Ok(Value::Int(0));
        }
        Ok(Value::Int(1))
    });
    registry.register("grow-badly", |cx| {
        cx.submit(Task::kernel("orphan", "noop", ()).after([TaskId(4_000_000)]));
        Ok(Value::Unit)
    });
    registry.register("grow-once", |cx| {
        cx.submit(Task::kernel(format!("of attempt {}", cx.attempt()), "noop", ()));
        if cx.attempt() == 1 { Err("the first try adds in vain")? } else { Ok(Value::Unit) }
    });
    registry
}

pub(crate) fn grown(n: i64) -> Job {
    let mut job = Job::new("growing");
    job.add(Task::kernel("g", "grow", n));
    job
}

fn leaves(outcome: &Outcome) -> usize {
    outcome.values().filter(|(_, value)| **value == Value::Int(1)).count()
}

#[test]
fn a_job_grows_while_it_runs() {
    for (nodes, subclusters) in [(1, 1), (4, 2)] {
        let outcome = run(grown(32), &registry(), &options(nodes, subclusters)).unwrap();
        expect_all_done(&outcome, TASKS_OF_32);
        assert!(leaves(&outcome) >= 32);
    }
}

#[test]
fn a_job_that_grows_survives_a_node() {
    let options = Options { lease: Span::from_secs(1), ..options(4, 2) };
    for heard in [1, 20, 60] {
        let watched = Watched::start(grown(32), &registry(), &options);
        watched.hear(heard);
        watched.handle.kill(PeerId(3));
        expect_all_done(&watched.wait(), TASKS_OF_32);
    }
}

#[test]
fn what_a_failed_try_added_never_was() {
    let mut job = Job::new("twice");
    let mut task = Task::kernel("twice", "grow-once", ());
    std::sync::Arc::make_mut(&mut task.settings).retries = 1;
    job.add(task);
    let outcome = run(job, &registry(), &options(1, 1)).unwrap();
    assert!(outcome.is_done(), "{:?}", outcome.verdict);
    let names: Vec<&str> = outcome.records.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["twice", "twice", "of attempt 2"]);
}

#[test]
fn an_addition_that_cannot_be_fails_who_added_it() {
    let mut job = Job::new("bad");
    job.add(Task::kernel("bad", "grow-badly", ()));
    let outcome = run(job, &registry(), &options(1, 1)).unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::TaskFailed);
    let reason = outcome.records[0].reason.as_deref().unwrap_or_default();
    assert!(reason.contains("added tasks"), "{reason}");
}

#[test]
fn an_addition_that_calls_an_unknown_kernel_fails_by_itself() {
    let mut registry = registry();
    registry.register("misspelt", |cx| {
        cx.submit(Task::kernel("child", "noob", ()));
        Ok(Value::Unit)
    });
    let mut job = Job::new("unknown");
    job.add(Task::kernel("parent", "misspelt", ()));
    let outcome = run(job, &registry, &options(2, 1)).unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::TaskFailed);
    assert_eq!(outcome.verdict.counts.tasks, outcome.verdict.counts.done + 1);
}
