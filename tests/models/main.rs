//! Models of the pool's protocols: loom tries the schedules, and the values that loads may see, of
//! the very sources, up to a number of pre-emptions.
//!
//! A module of `src/pool` that is included here takes its atomics, locks, fences and threads from
//! `super::sync` only; here that is `sync` of this folder. What the C++ memory model allows and
//! loom does not try: a load that sees a store which comes later in the same schedule.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "of what is included, models use what they are about"
)]
#![allow(clippy::arc_with_non_send_sync, reason = "loom runs one thread at a time")]
#![allow(clippy::print_stdout, reason = "models say what they have tried")]

mod claiming;
mod counting;
mod freeing;
mod jobs;
mod sleeping;
mod stealing;
mod working;

mod steps;
mod table;
mod weaken;
mod weakenings;

// In place of what the pool has under the same names.
mod list;
mod patience;
mod post;
mod sync;
mod team;

#[path = "../../src/pool/cancel.rs"]
mod cancel;
#[path = "../../src/pool/context.rs"]
mod context;
#[path = "../../src/pool/deque.rs"]
mod deque;
#[path = "../../src/pool/job.rs"]
mod job;
#[path = "../../src/pool/join.rs"]
mod join;
#[path = "../../src/pool/latch.rs"]
mod latch;
#[path = "../../src/pool/prefetch.rs"]
mod prefetch;
#[path = "../../src/pool/scope.rs"]
mod scope;
#[path = "../../src/pool/slab.rs"]
mod slab;
#[path = "../../src/pool/sleep.rs"]
mod sleep;
#[path = "../../src/pool/tally.rs"]
mod tally;
#[path = "../../src/pool/wait.rs"]
mod wait;
#[path = "../../src/pool/work.rs"]
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a member looks for work.
mod sources {
    pub(crate) enum Source {
        Deque(usize),
        List(usize),
    }
}

/// What `sleep` asks of the system.
mod host {
    pub(crate) fn current_unit() -> Option<u32> {
        None
    }

    pub(crate) fn current_thread() -> Option<i32> {
        None
    }

    pub(crate) fn keep_off(_: i32, _: u32) -> Option<Vec<u32>> {
        None
    }

    pub(crate) fn pin_current_thread(_: &[u32]) -> std::io::Result<()> {
        Ok(())
    }
}

/// The environment variable that says how many pre-emptions to try instead.
const PREEMPTIONS: &str = "EVENKEEL_PREEMPTIONS";

/// Tries all schedules of `model` with at most so many pre-emptions.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let preemptions =
        std::env::var(PREEMPTIONS).map_or(preemptions, |given| given.parse().unwrap());
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    let schedules = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&schedules);
    steps::show_on_failure();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        steps::clear();
        sync::set_up();
        model();
    });
    println!("{} schedules", schedules.load(Ordering::Relaxed));
    weaken::list();
}
