//! A launcher that this program cannot serve under.

use std::fs;

use crate::launcher::{EVENKEEL, Launcher};
use crate::records;
use crate::scratch::Scratch;

const JOB: &str = "name = \"j\"\n[[task]]\nname = \"a\"\ncommand = \"touch $TASK-has-run\"\n\
                   env = { TASK = \"task\" }\n";

#[test]
fn a_launcher_that_leaves_each_process_alone_starts_no_task_and_is_told_once() {
    for launcher in Launcher::foreign() {
        let scratch = Scratch::new();
        scratch.write("job.toml", JOB);
        // Each says how it ended, as launchers tell of one at most.
        let line = format!("{EVENKEEL} run job.toml --run-dir run; echo $? >> codes");
        let command = launcher.command(&scratch, 4, &["sh", "-c", &line]);
        let finished = scratch.start_command(command).wait().expect(0);
        assert_eq!(scratch.read("codes"), "3\n".repeat(4), "{finished:#?}");
        assert!(!scratch.path("run").exists() && !scratch.path("task-has-run").exists());
        let stderr = &finished.stderr;
        let problem = "this is one of 4 processes that";
        assert_eq!(stderr.matches(problem).count(), 1, "{stderr}");
        assert!(stderr.contains("--single") && stderr.contains("MPICC="), "{stderr}");
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
