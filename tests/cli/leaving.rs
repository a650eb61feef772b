//! Runs that have to come to an end before their tasks do, and tasks that mind it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Signal, kill_process};

use crate::records::{self, verdict};
use crate::scratch::{Finished, Scratch};

/// A job in a folder of its own.
fn job(text: &str) -> Scratch {
    let scratch = Scratch::new();
    let folder = scratch.path("").display().to_string();
    let text = format!("name = \"leaving\"\n[defaults]\ncwd = \"{folder}\"\n{text}");
    scratch.write("job.toml", &text);
    scratch
}

/// Name and state of each record of the run, in order.
fn states(scratch: &Scratch) -> Vec<(String, String)> {
    let lines = records::lines(&scratch.path("run")).into_iter();
    let mut states: Vec<_> = lines.map(|line| (line.task, line.state)).collect();
    states.sort();
    states
}

fn expect_states(scratch: &Scratch, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(task, state)| ((*task).to_owned(), (*state).to_owned()));
    assert_eq!(states(scratch), expected.collect::<Vec<_>>());
}

fn expect_nothing_left(scratch: &Scratch, finished: Finished, code: i32) {
    finished.expect(code);
    scratch.expect_no_process(Duration::from_secs(1));
}

#[test]
fn a_task_that_may_not_be_begun_twice_is_not_when_the_run_was_killed() {
    let scratch = job(r#"
        [[task]]
        name = "once"
        command = "echo begun >> begun; exec sleep 1000"
        rerun = "never"
        [[task]]
        name = "after"
        command = "true"
        after = ["once"]
    "#);
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    running.wait_until("the task begins", || scratch.read("begun") == "begun\n");
    running.kill();
    for _ in 0..2 {
        expect_nothing_left(&scratch, scratch.run(&["run", "--resume", "run"]), 1);
        expect_states(&scratch, &[("after", "cancelled"), ("once", "lost")]);
        let counts = &verdict(&scratch.path("run"))["counts"];
        assert_eq!((&counts["lost_for_good"], &counts["cancelled"]), (&1.into(), &1.into()));
    }
    assert_eq!(scratch.read("begun"), "begun\n", "it was begun once");
    let status = scratch.run(&["status", "run", "--exit-code"]).expect(1).stdout;
    let told = "0 of 2 tasks done, 0 failed, 1 cancelled, 1 lost for good; 1 attempts lost";
    assert!(status.contains(told), "{status}");
    scratch.run(&["journal", "verify", "run"]).expect(0);
}

/// Ends when the gate is open, and leaves a line when it begins; `before` is done first.
fn gated(before: &str) -> String {
    format!(
        "command = '''{before}; echo begun >> begun; until [ -e gate ]; do sleep 0.01; done'''\n"
    )
}

fn expect_goes_on(scratch: &Scratch, tasks: &[&str]) {
    scratch.write("gate", "");
    expect_nothing_left(scratch, scratch.run(&["run", "--resume", "run"]), 0);
    let all = states(scratch);
    let done: Vec<&str> =
        all.iter().filter(|(_, state)| state == "done").map(|(task, _)| task.as_str()).collect();
    assert_eq!(done, tasks, "{all:?}");
}

#[test]
fn a_signal_to_all_processes_of_a_run_fails_no_task() {
    let scratch = job(&format!("[[task]]\nname = \"gated\"\n{}", gated("true")));
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    running.wait_until("the task begins", || scratch.read("begun") == "begun\n");
    // As srun does it; the task hears of it first.
    let (run, mut all) = (running.pid(), scratch.processes());
    all.sort_by_key(|pid| *pid == run);
    for pid in all {
        let _ = kill_process(pid, Signal::TERM);
    }
    expect_nothing_left(&scratch, running.wait(), 4);
    expect_states(&scratch, &[("gated", "lost")]);
    expect_goes_on(&scratch, &["gated"]);
}

#[test]
fn a_run_warns_its_tasks_and_ends_before_its_time_is_over() {
    let trap = "trap 'echo warned >> warned' USR1; trap 'echo asked >> asked; exit 0' TERM";
    let scratch = job(&format!(
        "[[task]]\nname = \"gated\"\nwarning = \"USR1@1s\"\ngrace = \"1s\"\n{}\
         [[task]]\nname = \"long\"\nkernel = \"noop\"\ncost = 3600\n",
        gated(trap)
    ));
    let begun = Instant::now();
    let mut command = scratch.command(&["run", "job.toml", "--run-dir", "run"]);
    // Ten seconds are left.
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 10;
    command.env("SLURM_JOB_END_TIME", end.to_string());
    expect_nothing_left(&scratch, scratch.start_command(command).wait(), 4);
    assert!(begun.elapsed() < Duration::from_secs(10), "it has taken {:?}", begun.elapsed());
    assert_eq!(
        (scratch.read("warned"), scratch.read("asked")),
        ("warned\n".into(), "asked\n".into())
    );
    expect_states(&scratch, &[("gated", "lost")]);
    let told = verdict(&scratch.path("run"))["reason"].clone();
    assert_eq!(told, "the time is up with 2 tasks still to do");
    expect_goes_on(&scratch, &["gated", "long"]);
}

#[test]
fn time_that_is_asked_for_counts_before_what_the_batch_system_says() {
    let scratch = job("[[task]]\nname = \"long\"\nkernel = \"noop\"\ncost = 3600\n");
    for (given, code) in [("none", 0), ("2h", 0), ("30m", 4)] {
        let folder = format!("run-{given}");
        let mut command =
            scratch.command(&["run", "job.toml", "--run-dir", &folder, "--time-left", given]);
        command.env("SLURM_JOB_END_TIME", "1");
        scratch.start_command(command).wait().expect(code);
    }
    let refused = scratch.run(&["run", "job.toml", "--time-left", "soon"]).expect(2);
    assert!(refused.stderr.contains("is not a duration"), "{}", refused.stderr);
}
