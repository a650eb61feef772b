//! The real program, as users meet it.
#![cfg(feature = "cli")]
#![allow(clippy::print_stderr, reason = "seeds, counts and what is skipped are worth seeing")]

mod bench;
mod cluster;
mod crash;
mod demo;
mod effects;
mod faults;
mod gates;
mod jobs;
mod joins;
mod journal;
mod launch;
mod leaving;
mod overlap;
mod plan;
mod random;
mod readme;
mod records;
mod refusals;
mod replay;
mod scratch;
mod shell;
mod signals;
mod sleepers;
mod standby;
mod takeover;
mod topo;
mod whole;
