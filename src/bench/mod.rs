//! What the pool costs beside rayon and beside no pool at all: the workloads that both
//! `evenkeel bench` and `benches/pool` run.
//!
//! A [`Workload`] is one or more cases. A [`Case`] has an input, a way to tell whether a run was
//! right, and contenders that do the same work: the sequential twin, this pool, rayon, and in
//! `benches/pool` more peers. The contenders run in turn, round after round, so that a noisy
//! machine is noisy for all; what is wrong is an error and not a figure.
//!
//! All figures are costs, so that less is better, and a ratio says how many times as fast
//! something is.
#![forbid(unsafe_code)]

mod case;
mod churn;
mod error;
pub mod fib;
pub mod graph;
pub mod idle;
pub mod inject;
pub mod irregular;
pub mod latency;
pub mod launch;
pub mod loops;
pub mod metg;
mod outcome;
mod pools;
mod quiet;
mod report;
mod setting;
pub mod spawn;
pub mod tree;
pub mod uts;
mod workload;

pub use case::{Case, Cost, Figure, Unit};
pub use churn::churn;
pub use error::BenchError;
pub use outcome::{Line, Outcome};
pub use report::{Report, json};
pub use setting::Setting;
pub use workload::{Sizes, WORKLOADS, Workload, workload};

/// The contender that uses one thread and no pool, and is always right.
pub const SEQUENTIAL: &str = "sequential";
/// The pool of this library.
pub const OURS: &str = "evenkeel";
/// The pool of the crate `rayon`.
pub const RAYON: &str = "rayon";
