//! The real program under real launchers.
//!
//! The launcher is that of the MPI which this program is linked with; the tests say so and do
//! nothing if it is not there. Without the feature `mpi` there is only one: that a program
//! without MPI is of no use to a launcher.
#![cfg(feature = "cli")]
#![allow(clippy::print_stderr, reason = "seeds, counts and what is skipped are worth seeing")]

#[cfg(feature = "mpi")]
#[path = "../comm/conformance.rs"]
mod conformance;
#[cfg(feature = "mpi")]
mod cores;
#[cfg(feature = "mpi")]
mod deaths;
#[cfg(feature = "mpi")]
#[path = "../cli/effects.rs"]
mod effects;
#[cfg(feature = "mpi")]
mod ends;
#[cfg(feature = "mpi")]
#[path = "../cli/gates.rs"]
mod gates;
#[cfg(feature = "mpi")]
#[path = "../cli/jobs.rs"]
mod jobs;
#[cfg(feature = "mpi")]
mod joins;
#[cfg(feature = "mpi")]
mod kernels;
mod launcher;
#[cfg(feature = "mpi")]
mod levels;
#[cfg(feature = "mpi")]
#[path = "../cli/random.rs"]
mod random;
#[cfg(feature = "mpi")]
#[allow(dead_code, reason = "other targets read more of it")]
mod ranks;
#[path = "../cli/records.rs"]
#[allow(dead_code, reason = "other targets read more of it")]
mod records;
#[path = "../cli/scratch.rs"]
#[allow(dead_code, reason = "other targets do more with it")]
mod scratch;
#[cfg(feature = "mpi")]
#[path = "../cli/sleepers.rs"]
mod sleepers;
#[cfg(feature = "mpi")]
mod transport;
#[cfg(feature = "mpi")]
mod whole;
mod wrong;
