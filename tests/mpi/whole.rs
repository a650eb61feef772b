//! Jobs from their file to their records, on four ranks in two subclusters.

use crate::jobs;
use crate::launcher::{Launcher, run};
use crate::random::Random;
use crate::records::{self, Parents};
use crate::scratch::Scratch;

/// Runs `file` and sees that all of `job` was done, and that all ranks ended in an orderly way:
/// Open MPI takes it for a failure if one does not finalise.
#[track_caller]
fn expect_runs(launcher: Launcher, scratch: &Scratch, file: &str, job: &Parents) {
    let args = run(&[file, "--time-scale", "0.001", "--run-dir", "run", "--subclusters", "2"]);
    scratch.start_command(launcher.command(scratch, 4, &args)).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), job);
}

#[test]
fn recorded_workflows_run_to_their_end() {
    let Some(launcher) = Launcher::linked() else { return };
    for (file, job) in jobs::recorded() {
        expect_runs(launcher, &Scratch::new(), file.to_str().unwrap(), &job);
    }
}

#[test]
fn fifty_runs_in_a_row_end() {
    let Some(launcher) = Launcher::linked() else { return };
    let mut random = Random::new();
    for _ in 0..50 {
        let scratch = Scratch::new();
        let (text, job) = jobs::random_graph(&mut random, 40);
        scratch.write("job.toml", &text);
        expect_runs(launcher, &scratch, "job.toml", &job);
    }
}
