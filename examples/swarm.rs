//! Simulates runs that are drawn from seeds, with everything that can go wrong, and prints those
//! that break a rule: `swarm FIRST COUNT`. Ends with 1 if there was one.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(first)), Some(Ok(count)), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        println!("usage: swarm FIRST COUNT, two whole numbers");
        return ExitCode::from(2);
    };
    let failures = evenkeel::sim::swarm(first, count, |violation| println!("{violation}"));
    println!("{count} seeds from {first} on: {failures} broke a rule");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
