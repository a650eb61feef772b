//! The batch scripts do what they say, with stand-ins for `evenkeel` and Slurm: what is started,
//! and as what, in a job on two hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::scratch::Scratch;

const SYSTEMS: [&str; 3] = ["slurm", "pbs", "lsf"];

/// The script for the batch system `name`, as that starts it; `stand_in` is what `evenkeel` does
/// after it has said what it was given.
fn script(scratch: &Scratch, name: &str, stand_in: &str) -> Command {
    let program = |name: &str, body: &str| {
        scratch.write(name, &format!("#!/bin/bash\necho {name} \"$@\"\n{body}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scratch.path(name), mode).unwrap();
    };
    program("evenkeel", stand_in);
    program("scontrol", "");
    scratch.write("hosts", "b\na\nb\n");
    let path = std::env::var("PATH").unwrap();
    let cluster = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster");
    let mut bash = scratch.program("bash");
    bash.arg(cluster.join(format!("{name}.sh")))
        .env("PATH", format!("{}:{path}", scratch.path("").display()))
        .envs([("SLURM_JOB_ID", "7"), ("SLURM_JOB_NUM_NODES", "2")])
        .envs([("PBS_JOBID", "7"), ("PBS_NODEFILE", "hosts")])
        .env("PBS_O_WORKDIR", scratch.path(""))
        .envs([("LSB_JOBID", "7"), ("LSB_DJOB_HOSTFILE", "hosts")]);
    if name == "slurm" {
        bash.arg("job.toml")
    } else {
        bash.env("JOB", "job.toml")
    };
    bash
}

#[test]
fn each_starts_a_process_on_each_host_and_ends_with_the_verdict() {
    for name in SYSTEMS {
        let scratch = Scratch::new();
        let ended = scratch.start_command(script(&scratch, name, "exit 1")).wait().expect(1);
        let hosts = if name == "slurm" { "" } else { " --hosts b:1,a:1" };
        let folder = format!("evenkeel-runs/{name}-7");
        let expected = format!("evenkeel launch -n 2{hosts} run job.toml --run-dir {folder}\n");
        assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    }
}

#[test]
fn each_goes_on_from_a_journal() {
    for name in SYSTEMS {
        let scratch = Scratch::new();
        let folder = format!("evenkeel-runs/{name}-7");
        fs::create_dir_all(scratch.path(&folder)).unwrap();
        scratch.write(&format!("{folder}/journal.2"), "");
        scratch.write(&format!("{folder}/journal.3"), "");
        let ended = scratch.start_command(script(&scratch, name, "")).wait().expect(0);
        let last = format!(" run --resume {folder}\n");
        assert!(ended.stdout.ends_with(&last), "{}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_job_that_slurm_warns_ends_in_order_and_goes_back_into_the_queue() {
    let scratch = Scratch::new();
    let waits = "trap 'exit 4' USR1; touch waits; sleep infinity & wait";
    let mut job = scratch.start_command(script(&scratch, "slurm", waits));
    job.wait_until("the run", || scratch.path("waits").exists());
    job.signal(Signal::USR1);
    let ended = job.wait().expect(4);
    assert!(ended.stdout.ends_with("scontrol requeue 7\n"), "{}{}", ended.stdout, ended.stderr);
}
