//! The real program on several hosts, out of the box: those that `cluster/netns` makes.
//!
//! Where they cannot be made the tests say so and do nothing. What takes long is ignored; `make
//! hosts` runs it all.
#![cfg(feature = "cli")]
#![allow(clippy::print_stderr, reason = "what is skipped is worth seeing")]

#[cfg(feature = "mpi")]
#[path = "../cli/effects.rs"]
mod effects;
#[cfg(feature = "mpi")]
mod faults;
mod hosts;
#[cfg(feature = "mpi")]
#[path = "../cli/jobs.rs"]
#[allow(dead_code, reason = "other targets have more of them")]
mod jobs;
#[cfg(feature = "mpi")]
mod kills;
#[cfg(feature = "mpi")]
#[path = "../mpi/launcher.rs"]
#[allow(dead_code, reason = "other targets start launchers themselves")]
mod launcher;
mod netns;
#[cfg(feature = "mpi")]
mod overlap;
#[cfg(feature = "mpi")]
mod racks;
#[cfg(feature = "mpi")]
#[path = "../cli/random.rs"]
mod random;
#[cfg(feature = "mpi")]
#[path = "../mpi/ranks.rs"]
#[allow(dead_code, reason = "other targets read more of it")]
mod ranks;
#[cfg(feature = "mpi")]
#[path = "../cli/records.rs"]
#[allow(dead_code, reason = "other targets read more of it")]
mod records;
#[path = "../cli/scratch.rs"]
#[allow(dead_code, reason = "other targets do more with it")]
mod scratch;
#[cfg(feature = "mpi")]
mod slurm;
#[cfg(feature = "mpi")]
mod standby;
#[cfg(feature = "mpi")]
mod storm;
#[cfg(feature = "mpi")]
mod sweep;
