//! The batch script for Slurm in a Slurm.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::hosts::Hosts;
use crate::launcher::Launcher;
use crate::records;
use crate::scratch::{Running, Scratch, poll};
use crate::sweep;

/// The longest of the jobs takes two minutes.
const LONG: Duration = Duration::from_secs(240);
/// Between two questions to the controller.
const PAUSE: Duration = Duration::from_millis(200);

/// A job of Slurm's, and the folder of its run.
struct Batch<'a> {
    hosts: &'a Hosts,
    scratch: &'a Scratch,
    id: String,
    folder: String,
}

/// What a program of Slurm's says.
#[track_caller]
fn says(hosts: &Hosts, scratch: &Scratch, args: &[&str]) -> String {
    let command = hosts.slurm_command(scratch, &[&["run"], args].concat());
    scratch.start_command(command).wait().expect(0).stdout
}

/// Has `job.toml` run by the script on three nodes.
fn submit<'a>(hosts: &'a Hosts, scratch: &'a Scratch, flags: &[&str]) -> Batch<'a> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/slurm.sh");
    let flags = [&["sbatch", "--parsable", "--nodes=3"], flags, &[script, "job.toml"]].concat();
    let id = says(hosts, scratch, &flags).trim().to_owned();
    let folder = format!("evenkeel-runs/slurm-{id}");
    Batch { hosts, scratch, id, folder }
}

impl Batch<'_> {
    /// What Slurm has under `name` of it.
    fn field(&self, name: &str) -> String {
        let all = says(self.hosts, self.scratch, &["scontrol", "show", "job", &self.id]);
        let field =
            all.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        field.unwrap_or_else(|| panic!("no {name}: {all}")).to_owned()
    }

    /// Waits until `is_so`; false if it does not come.
    fn comes_to_be(&self, is_so: impl Fn(&Batch) -> bool) -> bool {
        poll(LONG, || {
            thread::sleep(PAUSE);
            is_so(self)
        })
    }

    fn output(&self) -> String {
        self.scratch.read(&format!("slurm-{}.out", self.id))
    }

    #[track_caller]
    fn comes_to(&self, count: usize) {
        let came = poll(LONG, || sweep::recorded(self.scratch, &self.folder) >= count);
        assert!(came, "{}", self.output());
    }

    /// Sees that it comes to be `COMPLETED`, which says that the script ended with 0.
    #[track_caller]
    fn expect_completed(&self, job: &records::Parents) {
        let ended = ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"];
        let has_ended = self.comes_to_be(|batch| ended.contains(&batch.field("JobState").as_str()));
        assert!(has_ended, "{}", self.output());
        assert_eq!(self.field("JobState"), "COMPLETED", "{}", self.output());
        records::expect_all_done(&self.scratch.path(&self.folder), job);
    }
}

#[test]
#[ignore = "needs Slurm: make hosts"]
fn all_nodes_of_an_allocation_take_part() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::slurm(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, 300);
    let batch = submit(&hosts, &scratch, &[]);
    batch.expect_completed(&job);
    let lines = records::lines(&scratch.path(&batch.folder));
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.json["host"].as_str()).collect();
    assert_eq!(names, ["h1", "h2", "h3"].into());
}

/// Starts a run by srun on three nodes, which are kept if one of them fails.
fn srun<'a>(hosts: &Hosts, scratch: &'a Scratch) -> Running<'a> {
    let allocation = ["run", "salloc", "--nodes=3", "--no-kill"];
    let launch = ["evenkeel", "launch", "-n", "3", "--launcher", "srun"];
    let run = ["run", "job.toml", "--run-dir", "run", "--lease", "2s"];
    let args = [&allocation[..], &launch, &run].concat();
    scratch.start_command(hosts.slurm_command(scratch, &args))
}

#[test]
#[ignore = "needs Slurm: make hosts"]
fn srun_starts_ranks_that_find_each_other() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::slurm(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, 300);
    srun(&hosts, &scratch).wait_within(LONG).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let lines = records::lines(&scratch.path("run"));
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.json["host"].as_str()).collect();
    assert_eq!(names, ["h1", "h2", "h3"].into());
}

#[test]
#[ignore = "needs Slurm: make hosts"]
fn under_srun_a_node_that_loses_its_power_costs_only_time() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::slurm(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, 500);
    let mut running = srun(&hosts, &scratch);
    sweep::comes_to(&mut running, &scratch, 20);
    hosts.does("cut h3");
    hosts.does("kill h3");
    running.wait_within(LONG).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
}

#[test]
#[ignore = "needs Slurm: make hosts"]
fn a_node_that_fails_costs_only_time() {
    if Launcher::linked_and_surviving().is_none() {
        return;
    }
    let Some(hosts) = Hosts::slurm(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job(&scratch, 800);
    let batch = submit(&hosts, &scratch, &[]);
    batch.comes_to(20);
    hosts.does("kill h3");
    batch.expect_completed(&job);
}

#[test]
#[ignore = "needs Slurm, and takes minutes: make hosts"]
fn a_job_whose_time_is_up_goes_on_in_the_queue() {
    if Launcher::linked().is_none() {
        return;
    }
    let Some(hosts) = Hosts::slurm(3) else { return };
    let scratch = Scratch::new();
    // The warning comes up to a minute early, so half a minute to one and a half after the start.
    // The tasks are too many for that, until they are let.
    let job = sweep::job_of(&scratch, 1000, "test -e open || sleep 1");
    let batch = submit(&hosts, &scratch, &["--time=2", "--signal=B:USR1@30"]);
    let is_requeued = batch.comes_to_be(|batch| batch.field("Restarts") == "1");
    assert!(is_requeued, "{}", batch.output());
    let verdict = records::verdict(&scratch.path(&batch.folder));
    assert_eq!(verdict["exit_code"], 4, "{verdict}");
    scratch.write("open", "");
    // Slurm would let two minutes pass.
    let at_once = format!("JobId={}", batch.id);
    says(&hosts, &scratch, &["scontrol", "update", &at_once, "StartTime=now"]);
    batch.expect_completed(&job);
    let lines = records::lines(&scratch.path(&batch.folder));
    assert!(lines.iter().all(|line| line.attempt == 1), "nothing was lost");
}
