//! `evenkeel bench`.

use std::thread;

use super::args::BenchArgs;
use super::{Failure, terminal};
use crate::bench::uts::Tree;
use crate::bench::{self, BenchError, Setting, WORKLOADS, Workload};
use crate::model::ExitCode;

pub(super) fn bench(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, |threads| threads as usize);
    let tree = args.tree.as_deref().and_then(Tree::named);
    let mut reports = Vec::new();
    for (workload, size) in asked_for(args)? {
        let setting = Setting { size, tree, threads, rounds: args.rounds };
        let report = workload.run(&setting).map_err(failure)?;
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

/// The workload that is named, or all of them in short, with their sizes.
fn asked_for(args: &BenchArgs) -> Result<Vec<(&'static Workload, u32)>, Failure> {
    let Some(name) = &args.workload else {
        return Ok(WORKLOADS.iter().map(|workload| (workload, workload.brief())).collect());
    };
    let workload = bench::workload(name).expect("the arguments name workloads that there are");
    if args.tree.is_some() && workload.sizes.is_some() {
        return Err(Failure::bad_input(format!(
            "--tree is for uts; {name} has none to choose from"
        )));
    }
    Ok(vec![(workload, workload.size(args.size).map_err(failure)?)])
}

fn failure(error: BenchError) -> Failure {
    let code = match error {
        BenchError::Wrong { .. } => ExitCode::Infrastructure,
        _ => ExitCode::BadInput,
    };
    Failure::new(code, error)
}
