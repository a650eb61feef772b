//! Records, nodes, verdicts and plans as JSON, the closing table and the progress line: all from
//! records alone.
#![forbid(unsafe_code)]

mod audit;
mod json;
mod nodes;
mod palette;
mod plan;
mod progress;
mod record;
pub mod scene;
mod seconds;
mod summary;
mod table;
mod value;
mod verdict;

use std::fmt;

pub use audit::audit;
pub use nodes::{NODES_VERSION, nodes_from_json, nodes_to_json};
pub use palette::palette;
pub use plan::{PLAN_VERSION, plan_json, plan_table};
pub use progress::Progress;
pub use record::{append_record, record_from_json, record_to_json};
pub use summary::{FailedTask, NodeShare, SlowTask, Summary};
pub use verdict::{VERDICT_VERSION, verdict_from_json, verdict_to_json};

/// JSON that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What it should be.
    expected: &'static str,
    /// What is wrong, and where.
    problem: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}: {}", self.expected, self.problem)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
