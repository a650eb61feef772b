//! The library's one entry: a job, the kernels it may call and a few options go in; what became
//! of each task comes out.
//!
//! ```
//! use evenkeel::exec::Registry;
//! use evenkeel::model::{Job, Task, Value};
//! use evenkeel::run::{Options, run};
//!
//! let mut registry = Registry::default();
//! registry.register("square", |cx| {
//!     let x = cx.args().as_f64().ok_or("a number is needed")?;
//!     Ok(Value::from(x * x))
//! });
//!
//! let mut job = Job::new("squares");
//! let parts: Vec<_> = (1..=4)
//!     .map(|i| job.add(Task::kernel(format!("part-{i}"), "square", i)))
//!     .collect();
//! let total = job.add(Task::kernel("total", "sum", ()).after(parts));
//!
//! let outcome = run(job, &registry, &Options::default())?;
//! assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(30.0));
//! # Ok::<(), evenkeel::run::RunError>(())
//! ```
//!
//! A kernel gets its arguments, the values of the tasks that it waited for, a team of the pool on
//! the cores that were granted to it, and may add tasks: see
//! [`TaskContext`](crate::exec::TaskContext). [`Task::command`](crate::model::Task::command) is a
//! program as a task of the same job.
//!
//! # Following it, ending it, going on
//!
//! [`Run::start`] gives a run that goes on meanwhile. With a folder it keeps a journal, from which
//! it is resumed after any end; at most the last 100 ms of endings are done again:
//!
//! ```
//! # use evenkeel::exec::Registry;
//! # use evenkeel::model::{Job, Task};
//! use evenkeel::run::{Options, Run};
//!
//! # let registry = Registry::default();
//! # let mut job = Job::new("study");
//! # job.add(Task::kernel("only", "noop", ()));
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path().join("study-1");
//! let options = Options { folder: Some(folder.clone()), nodes: 2, ..Options::default() };
//! let run = Run::start(job, &registry, &options, |notice| println!("{notice:?}"))?;
//! run.handle().interrupt();
//! let outcome = run.wait()?;
//! if !outcome.is_done() {
//!     let run = Run::resume(&folder, &registry, &options, |_| ())?;
//!     assert!(run.wait()?.is_done());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # On the ranks of an MPI world
//!
//! With the feature `mpi` the same job runs on the processes that a launcher started: [`World`]
//! shows how. [`evenkeel::main`](crate::main) does it by itself.
#![forbid(unsafe_code)]

mod check;
mod collect;
mod crew;
mod division;
mod error;
mod estimate;
#[cfg(feature = "files")]
mod files;
#[cfg(not(feature = "files"))]
#[path = "no_files.rs"]
mod files;
mod former;
mod inspect;
mod layout;
#[cfg(feature = "link")]
mod links;
#[cfg(not(feature = "link"))]
#[path = "no_links.rs"]
mod links;
mod live;
mod options;
mod outcome;
mod past;
#[cfg(feature = "mpi")]
mod ranks;
#[cfg(not(feature = "mpi"))]
#[path = "no_ranks.rs"]
mod ranks;
mod roster;
mod simulated;

pub use error::RunError;
pub use estimate::estimate;
#[cfg(feature = "files")]
pub use files::{RECORDS, nodes, verdict};
pub use inspect::{Inspection, entries, inspect, records};
pub use layout::local_nodes;
#[cfg(feature = "link")]
pub use links::{Joining, Meeting, drain, join, listened};
pub use live::{NodeHandle, Run, RunHandle};
pub use options::Options;
pub use outcome::Outcome;
pub use past::{Status, status};
pub use ranks::World;
pub use simulated::{Conditions, simulate};

use crate::exec::Registry;
use crate::model::Job;

/// Runs `job` to its end on this host.
///
/// A task that fails is no error of the run: see [`Outcome::verdict`].
///
/// # Errors
/// If the job cannot be run here at all (tasks that wait for each other in a ring, a kernel that
/// is not registered, more cores than there are), or the host does not give what the run stands
/// on.
pub fn run(job: Job, registry: &Registry, options: &Options) -> Result<Outcome, RunError> {
    Run::start(job, registry, options, |_| ())?.wait()
}

/// Checks all of `job` that can be checked without running it.
///
/// # Errors
/// As [`run`].
pub fn check(job: Job, registry: &Registry, options: &Options) -> Result<(), RunError> {
    let nodes = local_nodes(options, &job.resources)?;
    check::prepare(job, registry, &nodes).map(drop)
}
