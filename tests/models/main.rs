//! Models of the pool's protocols: loom tries the schedules, and the values that loads may see,
//! of the very sources, up to a number of pre-emptions.
//!
//! A module of `src/pool` that is included here takes its atomics, fences and threads from
//! `super::sync` only; here that is `sync.rs` of this folder. What the C++ memory model allows and
//! loom does not try: loads that see a store which comes later in the same schedule.

mod claiming;
mod jobs;
mod sleeping;
mod stealing;
mod steps;
mod sync;
mod table;
mod weaken;
mod weakenings;
mod working;

// In place of what the pool has under the same names.
mod list;
mod patience;
mod post;
mod team;

#[allow(dead_code, reason = "each model uses what it is about")]
#[path = "../../src/pool/cancel.rs"]
mod cancel;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/context.rs"]
mod context;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/deque.rs"]
mod deque;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/job.rs"]
mod job;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/join.rs"]
mod join;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/latch.rs"]
mod latch;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/scope.rs"]
mod scope;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/slab.rs"]
mod slab;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/sleep.rs"]
mod sleep;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/tally.rs"]
mod tally;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/wait.rs"]
mod wait;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/pool/work.rs"]
mod work;

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
}

/// The environment variable that says how many pre-emptions to try instead.
const PREEMPTIONS: &str = "EVENKEEL_PREEMPTIONS";

/// Tries all schedules of `model` with at most so many pre-emptions.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let preemptions = std::env::var(PREEMPTIONS).ok().map_or(preemptions, |p| p.parse().unwrap());
    builder.preemption_bound = if preemptions == 99 { None } else { Some(preemptions) };
    builder.max_branches = 10_000;
    let schedules = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = schedules.clone();
    let _shown = steps::Shown;
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        steps::clear();
        sync::set_up();
        model();
    });
    println!("{} schedules", schedules.load(std::sync::atomic::Ordering::Relaxed));
    weaken::list();
}
