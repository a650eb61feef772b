//! Drives a process of the protocol in real time, over any transport.
//!
//! One loop: receive until the next deadline, step, act. Nothing is decided here.
#![forbid(unsafe_code)]

mod doubts;
mod driver;
mod log;
mod recorder;
mod replay;

pub use driver::{Control, Driver, Ended, Inbox, Input, Notice, Reach};
pub use log::Entries;
pub use recorder::Recorder;
pub use replay::{ReplayError, Replayed, replay};
