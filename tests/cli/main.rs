//! The real program, as users meet it.
#![cfg(feature = "cli")]
#![allow(clippy::print_stderr, reason = "seeds, counts and what is skipped are worth seeing")]

mod crash;
mod faults;
mod plan;
mod random;
mod records;
mod refusals;
mod replay;
mod scratch;
mod signals;
mod topo;
mod whole;
