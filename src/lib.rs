//! A parallel job scheduler for high-performance computing: within a node a topology-aware pool
//! of pinned, work-stealing threads; across nodes a hierarchy of masters in which nodes may die
//! while a job runs.
//!
//! Where to begin:
//! - to run a job of your own functions and of programs from your code: [`run()`] and the module
//!   [`mod@run`];
//! - to give your binary the whole command line with your kernels in it: [`main`];
//! - for the thread pool alone: [`pool`];
//! - for the format of job files: [`spec`];
//! - to foretell a run on a machine that you do not have: [`run::simulate`], [`policy::schedule`].
//!
//! Features: `cli` (default) is the command line and includes `files`, which reads job files and
//! writes record files; `hwloc` takes the topology from hwloc instead of `/sys`. Without default
//! features no system package and at most 20 crates are needed.
//!
//! The rooms of the house, and which may use which, are drawn in `ARCHITECTURE.md`.

#[cfg(feature = "cli")]
pub mod cli;
pub mod comm;
pub mod exec;
pub mod host;
pub mod live;
pub mod model;
pub mod policy;
pub mod pool;
#[cfg(feature = "files")]
pub mod report;
pub mod run;
pub mod sched;
pub mod sim;
#[cfg(feature = "files")]
pub mod spec;
pub mod store;

#[cfg(feature = "cli")]
pub use cli::main;
pub use run::run;

/// Tests the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
