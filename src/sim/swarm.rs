//! Many runs, each from its own seed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Kind, Scenario, SimOutcome, Simulation, Violation};

/// So many seeds a thread takes at once.
const SHARE: u64 = 32;

/// Runs the scenarios of `seeds` on all cores, and hands each violation to `on_failure`. How many
/// there were. A panic anywhere counts as one.
pub fn swarm(kind: Kind, seeds: Range<u64>, on_failure: impl FnMut(&Violation) + Send) -> u64 {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, on_failure) = (AtomicU64::new(seeds.start), Mutex::new(on_failure));
    let work = || {
        let mut failures = 0;
        loop {
            let first = next.fetch_add(SHARE, Ordering::Relaxed);
            if first >= seeds.end {
                return failures;
            }
            for seed in first..seeds.end.min(first + SHARE) {
                if let Err(violation) = run_seed(Scenario { seed, kind }) {
                    failures += 1;
                    (on_failure.lock().unwrap_or_else(PoisonError::into_inner))(&violation);
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A panic of `on_failure` is the only one that comes out of a thread.
        threads.into_iter().map(|t| t.join().expect("the caller can be told")).sum()
    })
}

fn run_seed(scenario: Scenario) -> Result<SimOutcome, Box<Violation>> {
    let config = scenario.config();
    let (seed, faults) = (config.seed, config.faults.clone());
    // Nothing of a run is seen again after a panic in it.
    catch_unwind(AssertUnwindSafe(|| Simulation::new(config).run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let rule = format!("a panic: {}", text.unwrap_or_default());
        Err(Box::new(Violation { seed, faults, rule, tail: Vec::new() }))
    })
}
