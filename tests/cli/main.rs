//! The real program, as users meet it.
#![cfg(feature = "cli")]

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
