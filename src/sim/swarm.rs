//! Many runs, each from its own seed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Scenario, SimOutcome, Simulation, Violation};

/// Runs the scenarios of `count` seeds from `first` on, and hands each violation to `on_failure`.
/// How many there were. A panic anywhere counts as one.
pub fn swarm(first: u64, count: u64, mut on_failure: impl FnMut(&Violation)) -> u64 {
    let mut failures = 0;
    for seed in first..first.saturating_add(count) {
        if let Err(violation) = run_seed(seed) {
            failures += 1;
            on_failure(&violation);
        }
    }
    failures
}

fn run_seed(seed: u64) -> Result<SimOutcome, Box<Violation>> {
    let config = Scenario { seed }.config();
    let faults = config.faults.clone();
    // Nothing of a run is seen again after a panic in it.
    catch_unwind(AssertUnwindSafe(|| Simulation::new(config).run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let rule = format!("a panic: {}", text.unwrap_or_default());
        Err(Box::new(Violation { seed, faults, rule, tail: Vec::new() }))
    })
}
