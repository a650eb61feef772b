//! Ctrl-C and its relatives: once to finish what runs, twice to stop.

use std::time::Duration;

use rustix::process::Signal;

use crate::gates::{open, scratch, started};
use crate::records::{self, Parents};
use crate::scratch::{Running, Scratch};

fn start(scratch: &Scratch) -> Running<'_> {
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    running.wait_until("a task that runs", || started(scratch) > 0);
    running
}

fn expect_resumes(scratch: &Scratch, job: &Parents) {
    open(scratch);
    scratch.run(&["run", "--resume", "run"]).expect(0);
    records::expect_all_done(&scratch.path("run"), job);
    scratch.expect_no_process(Duration::from_secs(1));
}

fn expect_finishes_what_runs(send: impl FnOnce(&Running<'_>)) {
    let (scratch, job) = scratch();
    let mut running = start(&scratch);
    send(&running);
    running_says(&mut running, "finishing what runs");
    open(&scratch);
    let finished = running.wait().expect(4);
    assert!(finished.stdout.contains("evenkeel run --resume"), "{}", finished.stdout);
    assert!(finished.stdout.contains(&format!(" of {} tasks done\n", job.len())), "of all tasks");
    let lines = records::lines(&scratch.path("run"));
    assert!(lines.iter().all(|line| line.state == "done"), "what ran was finished: {lines:?}");
    assert!(!lines.is_empty() && lines.len() < job.len(), "{} lines", lines.len());
    scratch.expect_no_process(Duration::from_secs(1));
    expect_resumes(&scratch, &job);
}

fn running_says(running: &mut Running<'_>, words: &str) {
    let came = crate::scratch::poll(crate::scratch::LIMIT, || running.stderr().contains(words));
    assert!(came, "never said: {words}; stderr: {}", running.stderr());
}

#[test]
fn an_interrupt_finishes_what_runs_and_leaves_a_run_to_resume() {
    expect_finishes_what_runs(|running| running.signal(Signal::INT));
}

#[test]
fn so_does_ctrl_c_which_goes_to_the_guard_too() {
    expect_finishes_what_runs(|running| running.signal_group(Signal::INT));
}

#[test]
fn so_does_a_termination() {
    expect_finishes_what_runs(|running| running.signal(Signal::TERM));
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let (scratch, job) = scratch();
    let mut running = start(&scratch);
    running.signal_group(Signal::INT);
    running_says(&mut running, "once more to stop at once");
    running.signal_group(Signal::INT);
    // Nobody opens the gates: it can only end by stopping what runs.
    running.wait().expect(4);
    scratch.expect_no_process(Duration::from_secs(1));
    expect_resumes(&scratch, &job);
}

#[test]
fn a_run_that_was_interrupted_says_so_when_asked() {
    let (scratch, _) = scratch();
    let mut running = start(&scratch);
    let during = scratch.run(&["status", "run", "--exit-code"]).expect(3);
    insta::assert_snapshot!("status_during", during.shown(&scratch));
    running.signal(Signal::INT);
    running_says(&mut running, "once more");
    running.signal(Signal::INT);
    running.wait().expect(4);
    let after = scratch.run(&["status", "run", "--exit-code"]).expect(4);
    assert!(after.stdout.contains("exit code 4: interrupted"), "{}", after.stdout);
    assert!(after.stdout.contains("go on with: evenkeel run --resume run"), "{}", after.stdout);
    open(&scratch);
    scratch.run(&["run", "--resume", "run"]).expect(0);
    let done = scratch.run(&["status", "run", "--exit-code"]).expect(0);
    insta::assert_snapshot!("status_done", done.shown(&scratch));
    let json = scratch.run(&["status", "run", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["counts"]["done"]), (&"ended".into(), &7.into()));
}

#[test]
fn a_run_that_was_cut_off_says_so_when_asked() {
    let (scratch, job) = scratch();
    start(&scratch).kill();
    let status = scratch.run(&["status", "run", "--exit-code"]).expect(4);
    insta::assert_snapshot!("status_cut_off", status.shown(&scratch));
    expect_resumes(&scratch, &job);
}

#[test]
fn a_folder_that_a_run_lives_in_is_refused_to_others() {
    let (scratch, job) = scratch();
    let running = start(&scratch);
    let resumed = scratch.run(&["run", "--resume", "run"]).expect(3);
    let again = scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(2);
    let pid = running.pid().as_raw_pid().to_string();
    let shown = [resumed, again].map(|refused| refused.shown(&scratch).replace(&pid, "PID"));
    insta::assert_snapshot!("two_runs_in_a_folder", shown.join("\n\n"));
    open(&scratch);
    running.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
}

#[test]
fn records_can_be_read_while_the_run_goes_on() {
    let (scratch, job) = scratch();
    scratch.write(
        "more.toml",
        &(scratch.read("job.toml")
            + "[[task]]\nname = \"quick\"\npriority = 1\ncommand = [\"true\"]\n"),
    );
    let mut running = scratch.start(&["run", "more.toml", "--run-dir", "run"]);
    running.wait_until("a record", || scratch.read("run/records.jsonl").contains("\"quick\""));
    let lines = records::lines(&scratch.path("run"));
    assert!(lines.iter().all(|line| line.task == "quick"), "{lines:?}");
    open(&scratch);
    running.wait().expect(0);
    assert_eq!(records::lines(&scratch.path("run")).len(), job.len() + 1);
}

#[test]
fn a_run_that_sleeps_through_its_leases_wakes_up_and_ends() {
    for shape in [&[][..], &["--nodes", "4", "--subclusters", "2"]] {
        let (scratch, job) = scratch();
        let args = [&["run", "job.toml", "--run-dir", "run", "--lease", "100ms"], shape].concat();
        let mut running = scratch.start(&args);
        running.wait_until("a task that runs", || started(&scratch) > 0);
        running.signal(Signal::STOP);
        // Time itself is what is waited for: several leases.
        crate::scratch::poll(Duration::from_millis(500), || false);
        running.signal(Signal::CONT);
        open(&scratch);
        running.wait().expect(0);
        records::expect_each_done_once(&records::lines(&scratch.path("run")), &job);
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn of_many_that_want_a_folder_at_once_one_gets_it() {
    let (scratch, job) = scratch();
    open(&scratch);
    let args = ["run", "job.toml", "--run-dir", "run"];
    let running: Vec<_> = (0..6).map(|_| scratch.start(&args)).collect();
    let finished: Vec<_> = running.into_iter().map(Running::wait).collect();
    let codes: Vec<_> = finished.iter().map(|one| one.status.code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{finished:#?}");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 2 | 3))), "{finished:#?}");
    records::expect_all_done(&scratch.path("run"), &job);
}
