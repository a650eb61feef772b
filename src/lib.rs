//! A parallel job scheduler for high-performance computing: within a node a topology-aware pool
//! of pinned, work-stealing threads; across nodes a hierarchy of masters in which nodes may die
//! while a job runs.
//!
//! Four uses, each with its guide:
//! - a job file under `mpirun`, by a batch system or on hosts of your own: [`cli`];
//! - how job files are written, commands and sweeps with dependencies: [`spec`];
//! - a job of your own functions and of programs, from your own code, on threads or on the ranks
//!   of an MPI world: [`mod@run`];
//! - the threads of one machine, as a work-stealing pool: [`pool`].
//!
//! [`main`] is the whole command line with your kernels in it. [`run::simulate`] and
//! [`policy::schedule`] foretell a run on a machine that you do not have.
//!
//! Features: `cli` (default) is the command line and includes `files`, which reads job files and
//! writes record files; `hwloc` takes the topology from hwloc instead of `/sys`; `link`, which `cli`
//! includes, gives encrypted TCP links between processes that were started apart; `mpi` runs on
//! ranks; `paralight` runs that crate's iterators on the pool; `rayon`, which `cli` includes, gives
//! code that was written for rayon a pool on given cores; `full` is all of them. Without default
//! features no system package and at most 20 crates are needed.
//!
//! The rooms of the house, and which may use which, are drawn in `ARCHITECTURE.md`.

#[cfg(feature = "cli")]
pub mod bench;
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
