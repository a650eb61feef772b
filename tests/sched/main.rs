//! The protocol, told as stories, and put under random events.
#![allow(unreachable_pub, reason = "modules of a test")]

mod cast;
mod chaos;
mod compaction;
mod curfew;
mod deaths;
mod garbage;
mod levels;
mod order;
mod overlap;
mod pace;
mod quarantine;
mod rerun;
mod standby;
mod story;
mod succession;
mod will;
