//! A launcher that this program cannot serve under.

use std::fs;

use crate::launcher::{EVENKEEL, Launcher};
use crate::records;
use crate::scratch::{Finished, Scratch};

const JOB: &str = "name = \"j\"\n[[task]]\nname = \"a\"\ncommand = \"touch $TASK-has-run\"\n\
                   env = { TASK = \"task\" }\n";

#[track_caller]
fn expect_told(finished: &Finished) {
    let stderr = &finished.stderr;
    assert_eq!(stderr.matches("this is one of 4 processes that").count(), 1, "{stderr}");
    assert!(stderr.contains("--single") && stderr.contains("--features mpi"), "{stderr}");
}

#[test]
fn a_launcher_that_leaves_each_process_alone_starts_no_task_and_is_told_once() {
    for launcher in Launcher::foreign() {
        let scratch = Scratch::new();
        scratch.write("job.toml", JOB);
        // Each says how it ended, as launchers tell of one at most.
        let line = format!("{EVENKEEL} run job.toml --run-dir run; echo $? >> codes");
        let command = launcher.command(&scratch, 4, &["sh", "-c", &line]);
        expect_told(&scratch.start_command(command).wait().expect(0));
        assert_eq!(scratch.read("codes"), "3\n".repeat(4));
        // Some launchers end all when the first has ended, and the one that tells may be late.
        let line = format!(
            "case $OMPI_COMM_WORLD_RANK$PMI_RANK in 0) sleep 0.5;; esac; \
             exec {EVENKEEL} run job.toml --run-dir run"
        );
        let command = launcher.command(&scratch, 4, &["sh", "-c", &line]);
        expect_told(&scratch.start_command(command).wait().expect(3));
        assert!(!scratch.path("run").exists() && !scratch.path("task-has-run").exists());
    }
}

#[test]
fn processes_that_are_to_be_single_pay_no_heed_to_a_launcher() {
    for launcher in Launcher::foreign() {
        let scratch = Scratch::new();
        scratch.write("job.toml", JOB);
        let command = launcher.command(&scratch, 3, &[EVENKEEL, "run", "job.toml", "--single"]);
        scratch.start_command(command).wait().expect(0);
        assert!(scratch.path("task-has-run").exists());
        let runs = fs::read_dir(scratch.path("evenkeel-runs")).unwrap().flatten();
        let codes: Vec<_> =
            runs.map(|run| records::verdict(&run.path())["exit_code"].clone()).collect();
        assert_eq!(codes, [0, 0, 0]);
    }
}
