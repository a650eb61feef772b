//! The real program, as users meet it.
#![cfg(feature = "cli")]
#![allow(clippy::print_stderr, reason = "what is skipped, and seeds, are told")]

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
