//! Runs that end as by a crash and are taken up again from their folder.

use std::path::Path;
use std::sync::Arc;

use evenkeel::exec::Registry;
use evenkeel::model::{ExitCode, Job, Span, State, Task, Time, Value};
use evenkeel::run::{Options, Outcome, Run, RunError};
use evenkeel::store::StoreError;

use crate::growth;
use crate::jobs::reduction;
use crate::options;
use crate::watched::{Watched, expect_all_done};

fn in_folder(folder: &Path) -> Options {
    // Each ending is on record at once, so that it can be counted.
    Options { folder: Some(folder.to_owned()), commit_window: Span::ZERO, ..options(4, 2) }
}

fn resume(folder: &Path, registry: &Registry) -> Result<Outcome, RunError> {
    Run::resume(folder, registry, &options(2, 1), |_| ())?.wait()
}

/// Starts `job` and drops it when so many attempts are on record; it may have ended by then.
fn crash(job: Job, registry: &Registry, folder: &Path, heard: usize) {
    let watched = Watched::start(job, registry, &in_folder(folder));
    watched.hear(heard);
    drop(watched);
}

#[test]
fn a_reduction_goes_on_with_the_values_of_the_journal() {
    for heard in [1, 150, 399] {
        let folder = tempfile::tempdir().unwrap();
        let (job, total, expected) = reduction(200);
        let tasks = job.tasks.len();
        crash(job, &Registry::default(), folder.path(), heard);
        let outcome = resume(folder.path(), &Registry::default()).unwrap();
        expect_all_done(&outcome, tasks);
        assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(expected));
    }
}

#[test]
fn a_long_journal_is_gone_through_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (job, total, expected) = reduction(2000);
    let tasks = job.tasks.len();
    crash(job, &Registry::default(), folder.path(), 3000);
    for _ in 0..2 {
        let run = Run::resume(folder.path(), &Registry::default(), &options(1, 1), |_| ());
        let outcome = Watched::of(run.unwrap()).wait();
        expect_all_done(&outcome, tasks);
        assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(expected));
    }
}

#[test]
fn what_kernels_added_is_part_of_what_goes_on() {
    for heard in [1, 20, 60] {
        let folder = tempfile::tempdir().unwrap();
        crash(growth::grown(32), &growth::registry(), folder.path(), heard);
        let outcome = resume(folder.path(), &growth::registry()).unwrap();
        expect_all_done(&outcome, growth::TASKS_OF_32);
    }
}

#[test]
fn times_go_on_where_they_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new("chain");
    let first = job.add(Task::kernel("first", "sleep", 0.05));
    let gate = folder.path().join("open");
    let wait = format!("until test -e {}; do sleep 0.01; done", gate.display());
    job.add(Task::command("second", ["sh", "-c", &wait]).after([first]));
    let run = folder.path().join("run");
    crash(job, &Registry::default(), &run, 1);
    std::fs::write(gate, "").unwrap();
    let outcome = resume(&run, &Registry::default()).unwrap();
    let of = |task: u32| {
        let of = |r: &&Arc<evenkeel::model::Record>| r.task.0 == task && r.state == State::Done;
        outcome.records.iter().find(of).unwrap()
    };
    assert!(of(0).end > Some(Time::ZERO));
    assert!(of(1).start >= of(0).end, "{:?} {:?}", of(0), of(1));
}

#[test]
fn retries_that_were_used_stay_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new("retries");
    let mut fails = Task::kernel("fails", "fail", "always");
    Arc::make_mut(&mut fails.settings).retries = 2;
    let fails = job.add(fails);
    let gate = folder.path().join("open");
    let wait = format!("until test -e {}; do sleep 0.01; done", gate.display());
    job.add(Task::command("waits", ["sh", "-c", &wait]));
    job.add(Task::kernel("follows", "noop", ()).after([fails]));
    let run = folder.path().join("run");
    // Three tries, and the one that waits for them is cancelled.
    crash(job, &Registry::default(), &run, 4);
    std::fs::write(gate, "").unwrap();
    let outcome = resume(&run, &Registry::default()).unwrap();
    assert_eq!(outcome.verdict.code, ExitCode::TaskFailed);
    let failed = outcome.records.iter().filter(|r| r.state == State::Failed).count();
    assert_eq!(failed, 3);
    let counts = outcome.verdict.counts;
    assert_eq!((counts.done, counts.failed, counts.cancelled), (1, 1, 1));
}

#[test]
fn a_run_that_has_ended_ends_the_same_when_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (job, total, expected) = reduction(20);
    let tasks = job.tasks.len();
    let first = evenkeel::run(job, &Registry::default(), &in_folder(folder.path())).unwrap();
    let again = resume(folder.path(), &Registry::default()).unwrap();
    assert_eq!(again.records, first.records);
    expect_all_done(&again, tasks);
    assert_eq!(again.value(total).and_then(Value::as_f64), Some(expected));
}

#[test]
fn a_program_that_lacks_a_kernel_takes_up_nothing_and_spoils_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new("custom");
    let noop = job.add(Task::kernel("noop", "noop", ()));
    let gate = folder.path().join("open");
    let wait = format!("until test -e {}; do sleep 0.01; done", gate.display());
    let wait = job.add(Task::command("wait", ["sh", "-c", &wait]).after([noop]));
    job.add(Task::kernel("custom", "grow", 1).after([wait]));
    let run = folder.path().join("run");
    crash(job, &growth::registry(), &run, 1);
    match resume(&run, &Registry::default()) {
        Err(RunError::UnknownKernel { task, kernel, .. }) => {
            assert_eq!((task.as_str(), kernel.as_str()), ("custom", "grow"));
        }
        other => panic!("{other:?}"),
    }
    std::fs::write(gate, "").unwrap();
    let outcome = resume(&run, &growth::registry()).unwrap();
    expect_all_done(&outcome, 3);
    // What is done needs no kernel any more.
    expect_all_done(&resume(&run, &Registry::default()).unwrap(), 3);
}

#[test]
fn a_run_whose_folder_was_taken_over_ends_and_stops_what_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new("taken");
    job.add(Task::command("first", ["true"]));
    job.add(Task::command("long", ["sleep", "1000"]));
    let watched = Watched::start(job, &Registry::default(), &in_folder(folder.path()));
    watched.hear(1);
    // As its successor does it first of all.
    std::fs::remove_file(folder.path().join("owner.1")).unwrap();
    match watched.end() {
        Err(RunError::Store(StoreError::TakenOver(path))) => {
            assert_eq!(path, folder.path().canonicalize().unwrap());
        }
        other => panic!("{other:?}"),
    }
}
