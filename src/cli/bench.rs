//! `evenkeel bench`.

use std::thread;

use super::args::BenchArgs;
use super::{Failure, terminal};
use crate::bench::{self, BenchError, Setting, WORKLOADS, Workload};
use crate::model::ExitCode;

pub(super) fn bench(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, |threads| threads as usize);
    let rounds = args.rounds;
    let mut reports = Vec::new();
    for (workload, size) in asked_for(args)? {
        let report = workload.run(&Setting { size, threads, rounds }).map_err(failure)?;
        if args.json {
            reports.push(report);
        } else {
            terminal::print(&report.to_string());
        }
    }
    if args.json {
        terminal::print(&bench::json(&reports));
    }
    Ok(ExitCode::Done)
}

/// The workload that is named, or all of them in short.
fn asked_for(args: &BenchArgs) -> Result<Vec<(&'static Workload, u32)>, Failure> {
    let Some(name) = &args.workload else {
        return Ok(WORKLOADS.iter().map(|workload| (workload, workload.brief)).collect());
    };
    let workload = bench::workload(name).expect("the arguments name workloads that there are");
    let size = args.size.unwrap_or(workload.size);
    if size > workload.most {
        let Workload { measure, most, .. } = workload;
        let message =
            format!("--size {size} is too large: {name} takes at most {most} ({measure})");
        return Err(Failure::bad_input(message));
    }
    Ok(vec![(workload, size)])
}

fn failure(error: BenchError) -> Failure {
    let code = match error {
        BenchError::Wrong { .. } => ExitCode::Infrastructure,
        BenchError::Threads { .. } => ExitCode::BadInput,
    };
    Failure::new(code, error)
}
