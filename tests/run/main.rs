//! Whole runs in one process: threads, channels, real programs.
#![allow(clippy::print_stderr, reason = "what was counted is worth seeing")]

mod deaths;
mod growth;
mod jobs;
mod marked;
mod resume;
mod watched;

use evenkeel::exec::Registry;
use evenkeel::model::{ExitCode, Job, Task, Value};
use evenkeel::run::{Options, run};

use jobs::reduction;

pub(crate) fn options(nodes: u32, subclusters: u32) -> Options {
    Options { nodes, subclusters: Some(subclusters), ..Options::default() }
}

#[test]
fn a_reduction_over_200_kernels_comes_back_on_one_node_and_on_many() {
    for (nodes, subclusters) in [(1, 1), (4, 2), (6, 3)] {
        let (job, total, expected) = reduction(200);
        let outcome = run(job, &Registry::default(), &options(nodes, subclusters)).unwrap();
        assert_eq!(outcome.verdict.code, ExitCode::Done, "{:?}", outcome.verdict);
        assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(expected));
        assert_eq!(outcome.records.len(), outcome.verdict.counts.tasks as usize);
    }
}

#[test]
fn programs_and_kernels_share_a_job() {
    let mut job = Job::new("mixed");
    let hello = job.add(Task::command("hello", ["echo", "hello"]));
    let noop = job.add(Task::kernel("noop", "noop", ()).after([hello]));
    job.add(Task::command("last", ["sh", "-c", "echo $EVENKEEL_TASK_NAME"]).after([noop]));
    let outcome = run(job, &Registry::default(), &options(2, 1)).unwrap();
    assert!(outcome.is_done(), "{:?}", outcome.verdict);
    let tails: Vec<&str> = outcome.records.iter().map(|r| r.tail.as_str()).collect();
    assert_eq!(tails, ["hello\n", "", "last\n"]);
}

#[test]
fn results_come_back_in_the_order_of_the_job() {
    let mut job = Job::new("squares");
    let mut registry = Registry::default();
    registry.register("square", |cx| {
        let n = cx.args().as_i64().ok_or("a whole number is needed")?;
        // Later ones end sooner.
        std::thread::sleep(std::time::Duration::from_micros((200 - n as u64) * 20));
        Ok(Value::Int(n * n))
    });
    for n in 0..200 {
        job.add(Task::kernel(format!("square-{n}"), "square", n));
    }
    let outcome = run(job, &registry, &options(4, 2)).unwrap();
    let values: Vec<_> = outcome.values().map(|(id, value)| (id.0, value.as_i64())).collect();
    let wanted: Vec<_> = (0..200).map(|n| (n, Some(i64::from(n) * i64::from(n)))).collect();
    assert_eq!(values, wanted);
}
