//! Pure choices: cost prediction, list heuristics, bounds, victim order, chunk rules.
//!
//! Nothing here keeps state between calls, reads a clock or draws a random number; ties are
//! broken by id, so that the same question always has the same answer.
#![forbid(unsafe_code)]

mod bounds;
mod chunks;
mod cost;
mod heft;
mod parts;
mod processors;
mod rank;
mod timeline;
mod validate;
mod victims;
mod weights;

pub use bounds::{lower_bound, measured_lower_bound};
pub use chunks::{Chunks, Schedule, UnknownSchedule};
pub use cost::predict;
pub use heft::{Unmet, schedule};
pub use parts::EqualParts;
pub use rank::{priorities, upward_ranks};
pub use validate::{Violation, validate};
pub use victims::victim_order;
pub use weights::Weights;
