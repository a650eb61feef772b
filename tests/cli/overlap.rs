//! Whether records say of lost attempts that they may have gone on beside the next one.

use rustix::process::Signal;

use crate::records;
use crate::scratch::Scratch;
use crate::sleepers::{let_in, sleepers, start_open};

/// What was lost: which of it is marked.
fn marks(scratch: &Scratch) -> Vec<bool> {
    let lines = records::lines(&scratch.path("run"));
    assert!(lines.iter().all(|line| line.state == "lost" || line.json.get("overlap").is_none()));
    let lost = lines.iter().filter(|line| line.state == "lost");
    lost.map(|line| line.json["overlap"] == true).collect()
}

#[test]
fn what_ran_when_a_process_was_killed_does_not_run_beside_what_its_resume_runs() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 12, 0.2);
    let mut run = scratch.start(&["run", "job.toml", "--run-dir", "run", "--nodes", "2"]);
    run.wait_until("some of it runs", || scratch.read("ran").lines().count() > 4);
    run.kill();
    let resumed = scratch.run(&["run", "--resume", "run", "--nodes", "2"]).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let marks = marks(&scratch);
    assert!(!marks.is_empty() && !marks.contains(&true), "{marks:?}");
    assert!(!resumed.stdout.contains("overlap"), "{}", resumed.stdout);
}

#[test]
fn what_a_process_runs_that_stands_still_is_marked() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 30, 0.3);
    let run = start_open(&scratch, &["--lease", "1s"]);
    let mut joined = scratch.start(&["join", "run"]);
    joined.wait_until("it is there", || let_in(&run) == 1);
    joined.wait_until("it takes part", || scratch.read("ran").lines().count() > 6);
    joined.signal(Signal::STOP);
    let run = run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let marks = marks(&scratch);
    assert!(!marks.is_empty() && !marks.contains(&false), "{marks:?}");
    let plural = if marks.len() == 1 { "" } else { "s" };
    let line = format!("{} attempt{plural} may have overlapped with the next one", marks.len());
    assert!(run.stdout.contains(&line), "{}", run.stdout);
    let reason = "fell silent: it may have gone on beside the next attempt";
    assert!(scratch.read("run/records.jsonl").contains(reason));
    let exported = scratch.run(&["journal", "export", "run"]).expect(0).stdout;
    assert_eq!(exported, scratch.read("run/records.jsonl"));
}
