//! The memory that a process with a master takes for each task.
//!
//! ```text
//! cargo bench --bench memory                     # a million tasks, half a minute
//! cargo bench --bench memory -- --tasks 100000
//! ```
//!
//! The job is one of kernels without arguments, each with a name of its own. Shown is what the job
//! itself takes, as the caller has built it, and the most that is taken beside it until the outcome
//! is there: by the master, the journal on its way to the disk, and the records, which the outcome
//! gives back.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::fs;

use clap::Parser;
use evenkeel::exec::Registry;
use evenkeel::model::{ExitCode, Job, Record, Task};
use evenkeel::run::{Options, Run};

/// Memory for each task.
#[derive(Parser)]
struct Arguments {
    /// How many tasks the job has.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    tasks: u32,
    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = Arguments::parse().tasks;
    let each = |bytes: u64| bytes / u64::from(tasks);
    let before = memory("VmRSS:")?;
    let mut job = Job::new("memory");
    for i in 0..tasks {
        job.add(Task::kernel(format!("t{i}"), "noop", ()));
    }
    let built = memory("VmRSS:")?;
    let folder = tempfile::tempdir()?;
    let options = Options { folder: Some(folder.path().join("run")), ..Options::default() };
    let outcome = Run::start(job, &Registry::default(), &options, |_| ())?.wait()?;
    if outcome.verdict.code != ExitCode::Done {
        return Err(outcome.verdict.reason.into());
    }
    let most = memory("VmHWM:")?;
    println!("{tasks} tasks, bytes for each:");
    println!("{:>6}  the job, as it was handed in", each(built - before));
    println!("{:>6}  at most beside it, the records included", each(most - built));
    println!("{:>6}  of that a record, without its strings", size_of::<Record>());
    Ok(())
}

/// What the system says of this process, in bytes.
fn memory(what: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.ok_or("no such line")?.trim().parse::<u64>()? * 1024)
}
