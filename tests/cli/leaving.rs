//! Runs that have to come to an end before their tasks do, and tasks that mind it.

use std::time::Duration;

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
