//! How a run on ranks ends other than by itself: bad input, signals, a rank that leaves or hangs.

use std::time::Duration;

use rustix::process::Signal;

use crate::gates::{self, open, started};
use crate::launcher::{EVENKEEL, Launcher, run};
use crate::ranks;
use crate::records::{self, Parents};
use crate::scratch::{Finished, LIMIT, Running, Scratch, poll};

const ARGS: [&str; 5] = ["job.toml", "--run-dir", "run", "--subclusters", "2"];

#[test]
fn bad_input_ends_all_ranks() {
    let Some(launcher) = Launcher::linked() else { return };
    let task = |more: &str| {
        format!("name = \"j\"\n[[task]]\nname = \"a\"\ncommand = \"touch has-run\"\n{more}")
    };
    for (text, problem) in [
        (None, "job.toml"),
        (Some(task("kernel = \"noop\"")), "error"),
        (Some(task("cores = 4000")), "4000"),
        (Some(task("after = [\"a\"]")), "waits for itself"),
        (Some("name = 3".to_owned()), "error"),
    ] {
        let scratch = Scratch::new();
        if let Some(text) = &text {
            scratch.write("job.toml", text);
        }
        let command = launcher.command(&scratch, 4, &run(&ARGS));
        let finished = scratch.start_command(command).wait().expect(2);
        assert!(finished.stderr.contains(problem), "{text:?}: {finished:#?}");
        assert!(!scratch.path("run").exists() && !scratch.path("has-run").exists());
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn a_rank_that_cannot_serve_ends_all_before_anything_starts() {
    let Some(launcher) = Launcher::linked() else { return };
    let (scratch, _) = gates::scratch();
    // What a rank cannot do without, on one of them.
    let line = format!(
        "case $OMPI_COMM_WORLD_RANK$PMI_RANK in 2) export HWLOC_XMLFILE=/nowhere;; esac; \
         {EVENKEEL} run job.toml --run-dir run; echo $? >> codes"
    );
    let command = launcher.command(&scratch, 4, &["sh", "-c", &line]);
    let finished = scratch.start_command(command).wait();
    let mut codes: Vec<String> = scratch.read("codes").lines().map(str::to_owned).collect();
    codes.sort();
    assert_eq!(codes, ["0", "0", "2", "3"], "{finished:#?}");
    assert!(finished.stderr.contains("rank 2 says nothing"), "{finished:#?}");
    assert!(finished.stderr.contains("/nowhere"), "{finished:#?}");
    assert!(!scratch.path("run").exists() && started(&scratch) == 0);
}

/// A run that has begun, of the job with gates.
fn begun<'a>(launcher: Launcher, scratch: &'a Scratch, more: &[&str]) -> Running<'a> {
    let args = run(&[&ARGS, more].concat());
    let mut running = scratch.start_command(launcher.command(scratch, 4, &args));
    running.wait_until("a task of each rank", || started(scratch) >= 4);
    running
}

fn expect_resumes(launcher: Launcher, scratch: &Scratch, job: &Parents) {
    open(scratch);
    let args = run(&["--resume", "run", "--subclusters", "2"]);
    scratch.start_command(launcher.command(scratch, 4, &args)).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), job);
    scratch.expect_no_process(Duration::from_secs(1));
}

#[test]
fn a_termination_of_the_launcher_leaves_a_run_to_resume() {
    let Some(launcher) = Launcher::linked() else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let (scratch, job) = gates::scratch();
        let running = begun(launcher, &scratch, &[]);
        running.signal(signal);
        if launcher == Launcher::Mpich {
            // It hands the signal on and waits, and so do the ranks.
            let told = poll(LIMIT, || running.stderr().contains("finishing what runs"));
            assert!(told, "{}", running.stderr());
            open(&scratch);
        }
        let finished: Finished = running.wait();
        scratch.expect_no_process(Duration::from_secs(1));
        assert_eq!(records::verdict(&scratch.path("run"))["exit_code"], 4, "{finished:#?}");
        expect_resumes(launcher, &scratch, &job);
    }
}

#[test]
fn a_rank_that_is_asked_to_leaves_when_it_has_finished_what_it_runs() {
    let Some(launcher) = Launcher::linked() else { return };
    for victim in [1, 2, 3] {
        let (scratch, job) = gates::scratch();
        let mut running = begun(launcher, &scratch, &[]);
        let ranks = ranks::of_running(&mut running, &scratch);
        ranks[victim].signal(Signal::USR1);
        open(&scratch);
        running.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        let lines = records::lines(&scratch.path("run"));
        assert!(lines.iter().all(|line| line.attempt == 1), "nothing was lost: {lines:?}");
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn a_rank_that_hangs_for_longer_than_its_lease_comes_back() {
    let Some(launcher) = Launcher::linked() else { return };
    for victim in [1, 2] {
        let (scratch, job) = gates::scratch();
        let mut running = begun(launcher, &scratch, &["--lease", "500ms"]);
        let ranks = ranks::of_running(&mut running, &scratch);
        ranks[victim].signal(Signal::STOP);
        let told = poll(LIMIT, || running.stderr().contains("taken for dead"));
        assert!(told, "{}", running.stderr());
        ranks[victim].signal(Signal::CONT);
        let back = poll(LIMIT, || running.stderr().contains("starts afresh"));
        assert!(back, "{}", running.stderr());
        open(&scratch);
        running.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn a_rank_that_hangs_to_the_end_holds_up_neither_the_run_nor_its_launcher() {
    let Some(launcher) = Launcher::linked() else { return };
    let args = run(&[&ARGS[..], &["--lease", "500ms"]].concat());
    for is_surviving in [false, true] {
        if is_surviving && !launcher.outlives_ranks() {
            continue;
        }
        let (scratch, job) = gates::scratch();
        let command = match is_surviving {
            true => launcher.surviving(&scratch, 4, &args),
            false => launcher.command(&scratch, 4, &args),
        };
        let mut running = scratch.start_command(command);
        let ranks = ranks::of_running(&mut running, &scratch);
        ranks[3].signal(Signal::STOP);
        open(&scratch);
        running.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        scratch.expect_no_process(Duration::from_secs(1));
    }
}
