//! A parallel job scheduler for high-performance computing.
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
