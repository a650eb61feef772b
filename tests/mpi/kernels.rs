//! Kernels whose values travel between ranks.

use std::fs;
use std::time::Duration;

use evenkeel::exec::Registry;
use evenkeel::model::{Addition, ExitCode, Job, State, Task, TaskId, Value};
use evenkeel::run::{Options, Outcome, Run, World};

use crate::launcher::{Launcher, run};
use crate::records;
use crate::scratch::Scratch;

#[test]
fn a_reduction_gives_its_number() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let mut text = "name = \"reduction\"\n".to_owned();
    for i in 1..=200 {
        text += &format!("[[task]]\nname = \"leaf-{i}\"\nkernel = \"sum\"\nargs = [{i}]\n");
    }
    for i in 0..20 {
        let leaves: Vec<String> = (1..=10).map(|k| format!("leaf-{}", i * 10 + k)).collect();
        text += &format!("[[task]]\nname = \"branch-{i}\"\nkernel = \"sum\"\nafter = {leaves:?}\n");
    }
    let branches: Vec<String> = (0..20).map(|i| format!("branch-{i}")).collect();
    text += &format!("[[task]]\nname = \"root\"\nkernel = \"sum\"\nafter = {branches:?}\n");
    scratch.write("job.toml", &text);
    let args = run(&["job.toml", "--run-dir", "run", "--subclusters", "2"]);
    scratch.start_command(launcher.command(&scratch, 4, &args)).wait().expect(0);
    let lines = records::lines(&scratch.path("run"));
    let root = lines.iter().find(|line| line.task == "root").unwrap();
    assert_eq!(root.json["value"].as_f64(), Some(20_100.0), "{}", root.json);
    let nodes: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line.json["node"].as_u64()).collect();
    assert_eq!(nodes.len(), 4, "each rank had a part in it");
}

/// How often the number is halved.
const LEAVES: i64 = 32;

/// `halve` makes two tasks of its number, and one that adds them up, until it is 1.
fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register("halve", |cx| {
        let n = cx.args().as_i64().ok_or("a whole number is needed")?;
        if n == 1 {
            return Ok(Value::Int(1));
        }
        let me = cx.key().task;
        let halves = [n / 2, n - n / 2].map(|half| {
            cx.submit(Task::kernel(format!("{}.{half}", cx.name()), "halve", half).after([me]))
        });
        let sum = Task::kernel(format!("{}+", cx.name()), "sum", ());
        cx.submit(Addition { task: sum, siblings: halves.to_vec() });
        Ok(Value::Int(0))
    });
    registry
}

#[test]
fn a_job_grows_while_it_runs_on_ranks() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let this = std::env::current_exe().unwrap();
    let rank = "kernels::rank_of_a_job_that_grows";
    let argv = [this.to_str().unwrap(), "--exact", rank, "--ignored", "--nocapture"];
    let finished = scratch.start_command(launcher.command(&scratch, 4, &argv)).wait().expect(0);
    assert!(scratch.path("passed").exists(), "{finished:#?}");
    scratch.expect_no_process(Duration::from_secs(1));
}

#[test]
#[ignore = "one of the ranks"]
fn rank_of_a_job_that_grows() {
    let world = World::of_launcher().unwrap().expect("a launcher");
    if !world.is_first() {
        return world.serve(&registry(), |_| (), |_| ()).unwrap();
    }
    let mut job = Job::new("growing");
    job.add(Task::kernel("g", "halve", LEAVES));
    let options = Options { subclusters: Some(2), ..Options::default() };
    let run: Run = world.start(job, &registry(), &options, |_| ()).unwrap();
    let outcome: Outcome = run.wait().unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::Done, "{:?}", outcome.verdict);
    assert!(outcome.records.iter().all(|record| record.state == State::Done));
    let ones = outcome.values().filter(|(_, value)| **value == Value::Int(1)).count() as i64;
    assert_eq!(ones, LEAVES);
    // A task that is halved, the two halves, and what adds them up.
    assert_eq!(outcome.records.len() as i64, 2 * LEAVES - 1 + LEAVES - 1);
    assert!(outcome.value(TaskId(0)).is_some());
    fs::write("passed", "").unwrap();
}
