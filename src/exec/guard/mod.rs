//! The guard: a small process that starts all task processes of a node and ends them with it.
//! `README.md` of this room tells what it promises and how.

mod fork;
mod link;
mod outbox;
mod process;
mod scratch;
mod spawn;
mod tail;
mod wire;

pub(super) use fork::Setup;
pub(super) use link::{Event, Link, Outcome};
pub(super) use wire::{Cause, End, Program, Step};
