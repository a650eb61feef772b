//! Ranks behind a launcher: one of shell, which does what real ones do, and what they do wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::records;
use crate::scratch::{Finished, LIMIT, Running, Scratch, poll};

/// A launcher with the name and the voice of Open MPI's. It notes what it is told, and comes to
/// what it does with the command line of a rank as `$@`. Without the variables of a launcher
/// that rank is a run by itself.
const LAUNCHER: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "mpirun.openmpi (OpenRTE) 4.1.4"; exit; fi
printf "%s\n" "$*" > told
while [ "$1" != "$EVENKEEL" ]; do shift; done
"#;

/// A task that says that it runs and ends when it is let, and one that waits for it.
const GATE: &str = r#"
name = "gate"
[[task]]
name = "gate"
command = "touch started; until test -e open; do sleep 0.01; done"
[[task]]
name = "after"
kernel = "noop"
after = ["gate"]
"#;

const QUICK: &str = "name = \"quick\"\n[[task]]\nname = \"a\"\ncommand = \"echo b\"\n";

/// A launcher that passes signals on and says afterwards that all is well, whatever came of it.
const GOOD: &str = r#"
trap 'kill -USR1 $rank' USR1
trap 'kill -KILL $rank; exit' TERM
"$@" &
rank=$!
until wait $rank; test $? -lt 128; do :; done
exit 0"#;

fn scratch(job: &str, launcher: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("job.toml", job);
    fs::create_dir(scratch.path("bin")).unwrap();
    set_launcher(&scratch, launcher);
    scratch
}

fn set_launcher(scratch: &Scratch, body: &str) {
    // By another name first: a file that is written to cannot be started.
    scratch.write("new", &format!("{LAUNCHER}{body}\n"));
    fs::set_permissions(scratch.path("new"), Permissions::from_mode(0o755)).unwrap();
    fs::rename(scratch.path("new"), scratch.path("bin/mpirun.openmpi")).unwrap();
}

/// `evenkeel launch -n 4 run` with `args`.
fn start<'a>(scratch: &'a Scratch, args: &[&str]) -> Running<'a> {
    let mut command = scratch.command(&[&["launch", "-n", "4", "run"], args].concat());
    let path = std::env::var("PATH").unwrap();
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_evenkeel")).unwrap();
    command.env("PATH", format!("{}:{path}", scratch.path("bin").display()));
    command.env("EVENKEEL", program);
    scratch.start_command(command)
}

fn launch(scratch: &Scratch, args: &[&str]) -> Finished {
    let finished = start(scratch, args).wait();
    scratch.expect_no_process(Duration::ZERO);
    finished
}

/// Launches the job with the gate, and comes back when a task runs.
fn start_gate(scratch: &Scratch) -> Running<'_> {
    let mut running = start(scratch, &["job.toml", "--run-dir", "run"]);
    running.wait_until("a task that runs", || scratch.path("started").exists());
    running
}

/// Sees that a run is taken up by a launcher and comes to its end.
#[track_caller]
fn expect_resumes(scratch: &Scratch) {
    scratch.write("open", "");
    set_launcher(scratch, GOOD);
    launch(scratch, &["--resume", "run"]).expect(0);
    let job = [("gate".to_owned(), vec![]), ("after".to_owned(), vec!["gate".to_owned()])];
    records::expect_all_done(&scratch.path("run"), &job.into());
}

#[test]
fn a_launcher_gets_its_flags_and_the_run_its_folder() {
    let scratch = scratch(QUICK, GOOD);
    let finished = launch(&scratch, &["job.toml", "--lease", "2s"]).expect(0);
    assert!(finished.stdout.contains("records in evenkeel-runs/quick-1\n"), "{}", finished.stdout);
    assert_eq!(finished.stderr, "");
    let told = scratch.read("told");
    let flags = "-n 4 --enable-recovery --bind-to none --oversubscribe /";
    assert!(told.starts_with(flags), "{told}");
    let rank = " run --launched=100 --run-dir evenkeel-runs/quick-1 job.toml --lease 2s\n";
    assert!(told.ends_with(rank), "{told}");
    assert!(!scratch.path("evenkeel-runs/quick-1/launcher.log").exists(), "nothing to log");
}

#[test]
fn noise_goes_to_a_log_and_json_comes_through() {
    let noisy = r#"
echo "a warning"; echo "another" >&2; printf "a line that breaks off"
"$@"
i=0; while [ $i -lt 20000 ]; do echo "$i bottles"; i=$((i + 1)); done
echo "the last words" >&2"#;
    let scratch = scratch(QUICK, noisy);
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(json["verdict"]["exit_code"], 0);
    let note = format!(
        "note: what {} printed is in run/launcher.log\n",
        scratch.path("bin/mpirun.openmpi").display()
    );
    assert_eq!(finished.stderr, note);
    let log = scratch.read("run/launcher.log");
    let bottles = log.lines().filter(|line| line.ends_with(" bottles")).count();
    assert_eq!((bottles, log.lines().count()), (20_000, 20_004));
    for line in ["a warning", "another", "a line that breaks off", "the last words"] {
        assert!(log.lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn what_the_run_says_and_its_exit_code_come_through() {
    let failing = "name = \"f\"\n[[task]]\nname = \"a\"\ncommand = [\"false\"]\n";
    let scratch = scratch(failing, GOOD);
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(1);
    assert!(finished.stdout.contains("\nfailed: of 1 tasks 1 failed"), "{}", finished.stdout);
    // What only the rank can find out: launchers make 0 of its exit code.
    scratch.write("job.toml", "[[task]]\nname = \"a\"\nkernel = \"noob\"\n");
    let refused = launch(&scratch, &["job.toml", "--run-dir", "other"]).expect(2);
    let expected = "error: task `a` calls kernel `noob`, which is not registered; there are: ";
    assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);
}

#[test]
fn bad_input_starts_no_launcher() {
    let scratch = scratch("name = \"bad\"\n[[task]]\nname = \"a\"\n", GOOD);
    scratch.write("precious", "years of work");
    for args in [
        &["job.toml"][..],
        &["none.toml"],
        &["job.toml", "--nodes", "0"],
        &["--resume", "none"],
        &["job.toml", "--run-dir", "."],
    ] {
        launch(&scratch, args).expect(2);
    }
    for args in [
        &["launch", "-n", "4", "check", "job.toml"][..],
        &["launch", "-n", "4"],
        &["launch", "run", "job.toml"],
        &["launch", "-n", "0", "run", "job.toml"],
        &["launch", "-n", "4", "--hosts", "a:0", "run", "job.toml"],
        &["launch", "-n", "4", "--hosts", "a", "--hostfile", "b", "run", "job.toml"],
    ] {
        scratch.run(args).expect(2);
    }
    for name in ["told", "evenkeel-runs", "launcher.log"] {
        assert!(!scratch.path(name).exists(), "{name}");
    }
    let check = scratch.run(&["launch", "-n", "4", "check", "job.toml"]).expect(2);
    insta::assert_snapshot!("launch_check", check.shown(&scratch));
    let mut command = scratch.command(&["launch", "-n", "4", "run", "job.toml"]);
    command.env("PATH", scratch.path(""));
    let none = scratch.start_command(command).wait().expect(3);
    // Which one is missed depends on the MPI that the program is linked with.
    for part in ["error: there is no", "on the search path: install", "module load"] {
        assert!(none.stderr.contains(part), "{}", none.stderr);
    }
}

#[test]
fn a_launcher_that_starts_nothing_leaves_no_verdict() {
    let scratch = scratch(QUICK, "echo \"no slots are left\" >&2\nexit 1");
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(3);
    insta::assert_snapshot!("no_verdict", finished.shown(&scratch));
    assert_eq!(scratch.read("run/launcher.log"), "no slots are left\n");
    // The log of a launcher is no reason to refuse the folder to the next.
    set_launcher(&scratch, GOOD);
    launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(0);
    // A verdict of before is not the verdict of a run that never began.
    set_launcher(&scratch, "exit 0");
    launch(&scratch, &["--resume", "run"]).expect(3);
}

#[test]
fn a_rank_that_dies_without_a_verdict_is_said_and_the_run_goes_on_later() {
    let deadly = "\"$@\" & until test -e started; do sleep 0.01; done; kill -KILL $!; wait";
    let scratch = scratch(GATE, deadly);
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(3);
    let go_on = "go on with: evenkeel launch -n 4 run --resume run\n";
    assert!(finished.stderr.ends_with(go_on), "{}", finished.stderr);
    expect_resumes(&scratch);
}

#[test]
fn a_launcher_that_dies_takes_its_ranks_along() {
    let scratch =
        scratch(GATE, "\"$@\" & until test -e started; do sleep 0.01; done; kill -KILL $$");
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(3);
    assert!(finished.stderr.contains("signal: 9"), "{}", finished.stderr);
    expect_resumes(&scratch);
}

#[test]
fn an_interrupt_reaches_the_run_and_leaves_it_to_be_resumed() {
    for signal in [Signal::INT, Signal::TERM, Signal::USR1] {
        let scratch = scratch(GATE, GOOD);
        let running = start_gate(&scratch);
        // As a terminal does: to all of the group, in which the launcher is not.
        running.signal_group(signal);
        let came = poll(LIMIT, || running.stderr().contains("finishing what runs"));
        assert!(came, "{}", running.stderr());
        scratch.write("open", "");
        let finished = running.wait().expect(4);
        let go_on = "go on with: evenkeel launch -n 4 run --resume run\n";
        assert!(finished.stderr.ends_with(go_on), "{}", finished.stderr);
        scratch.expect_no_process(Duration::ZERO);
        expect_resumes(&scratch);
    }
}

/// Sends an interrupt for each of `answers`, which say what becomes of it.
#[track_caller]
fn interrupt(running: &Running<'_>, answers: &[&str]) {
    for words in answers {
        running.signal(Signal::INT);
        let came = poll(LIMIT, || running.stderr().contains(words));
        assert!(came, "{words}: {}", running.stderr());
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_what_runs() {
    let scratch = scratch(GATE, GOOD);
    let running = start_gate(&scratch);
    interrupt(&running, &["finishing what runs", "once more to end the launcher"]);
    // Nobody opens the gate: it can only end by stopping what runs.
    running.wait().expect(4);
    scratch.expect_no_process(Duration::ZERO);
    expect_resumes(&scratch);
}

#[test]
fn a_launcher_that_will_not_end_is_killed_in_the_end() {
    let stubborn = "trap '' USR1 TERM INT; \"$@\" & while :; do sleep 1; done";
    let scratch = scratch(GATE, stubborn);
    let running = start_gate(&scratch);
    let answers =
        ["once more not to wait", "once more to end the launcher", "once more to kill it"];
    interrupt(&running, &answers);
    let finished = running.wait().expect(3);
    assert!(finished.stderr.contains("signal: 9"), "{}", finished.stderr);
    scratch.expect_no_process(Duration::ZERO);
    expect_resumes(&scratch);
}

#[test]
fn a_launcher_that_does_not_end_with_its_run_is_ended() {
    let scratch = scratch(QUICK, "\"$@\"; while :; do sleep 1; done");
    let finished = launch(&scratch, &["job.toml", "--run-dir", "run"]).expect(0);
    assert!(finished.stderr.contains("the launcher is asked to end"), "{}", finished.stderr);
    assert_eq!(records::verdict(&scratch.path("run"))["exit_code"], 0);
    scratch.expect_no_process(Duration::ZERO);
}

#[test]
fn what_was_launched_does_not_outlive_a_launch_that_is_killed() {
    let scratch = scratch(GATE, GOOD);
    start_gate(&scratch).kill();
    expect_resumes(&scratch);
}
