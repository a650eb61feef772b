//! Simulates runs that are drawn from seeds, with everything that can go wrong, on all cores, and
//! prints those that break a rule: `swarm [plain] FIRST COUNT`. Ends with 1 if there was one.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use evenkeel::sim::{Kind, swarm};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let kind =
        if args.first().is_some_and(|arg| arg == "plain") { Kind::Plain } else { Kind::Wide };
    if kind == Kind::Plain {
        args.remove(0);
    }
    let numbers: Result<Vec<u64>, _> = args.iter().map(|arg| arg.parse()).collect();
    let Ok([first, count]) = numbers.as_deref() else {
        println!("usage: swarm [plain] FIRST COUNT, two whole numbers");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let seeds = *first..first.saturating_add(*count);
    let failures = swarm(kind, seeds, |violation| println!("{violation}"));
    let rate = *count as f64 / began.elapsed().as_secs_f64();
    println!("{count} seeds from {first} on: {failures} broke a rule ({rate:.0} in a second)");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
