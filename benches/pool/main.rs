//! What the pool costs beside its peers, in the same run.
//!
//! ```text
//! cargo bench --bench pool                            # all workloads at full size, some minutes
//! cargo bench --bench pool -- fib --threads 2
//! cargo bench --bench pool -- graph --brief --json
//! ```
//!
//! The workloads are those of `evenkeel bench`, with the sequential twin, this pool and rayon.
//! Here chili takes part as well, and what is found of OpenMP, oneTBB and Taskflow: their sides,
//! in `native`, are built by the compilers of the machine. Taskflow has headers only, which
//! TASKFLOW_INCLUDE names the folder of. Who is not found is left out, which is said on standard
//! error. All get the same number of threads. No figure is asserted, but each run is checked.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod cases;
mod joins;
mod native;
mod parked;

use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use evenkeel::bench::uts::{TREES, Tree};
use evenkeel::bench::{BenchError, Setting, WORKLOADS, Workload, json};

use native::Native;

/// The thread pool beside its peers.
#[derive(Parser)]
struct Arguments {
    /// What to measure; all of them if not said.
    #[arg(value_parser = PossibleValuesParser::new(WORKLOADS.iter().map(|workload| workload.name)))]
    workload: Option<String>,
    /// How large, in what the workload counts.
    #[arg(long, requires = "workload", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    /// The tree that uts counts.
    #[arg(long, value_parser = PossibleValuesParser::new(TREES.iter().map(|tree| tree.name)))]
    tree: Option<String>,
    /// Sizes for a glance.
    #[arg(long, conflicts_with = "size")]
    brief: bool,
    /// The threads of each contender.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), BenchError> {
    let natives = native::found(|missing| eprintln!("{missing}"));
    let is_asked_for =
        |workload: &&Workload| arguments.workload.as_ref().is_none_or(|name| name == workload.name);
    let mut reports = Vec::new();
    for workload in WORKLOADS.iter().filter(is_asked_for) {
        let size = match arguments.brief {
            true => workload.brief(),
            false => workload.size(arguments.size)?,
        };
        let setting = Setting {
            size,
            tree: arguments.tree.as_deref().and_then(Tree::named),
            threads: arguments.threads as usize,
            rounds: arguments.rounds,
        };
        let report = cases::run(workload, &setting, &natives)?;
        if arguments.json {
            reports.push(report);
        } else {
            print!("{report}");
        }
    }
    if arguments.json {
        println!("{}", json(&reports));
    }
    Ok(())
}
