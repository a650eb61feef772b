//! A plan: which task runs where and when.

use super::{Span, TaskId, Time};

/// Where and when one task runs, as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The task.
    pub task: TaskId,
    /// Its processors, ascending and never empty: cores of one node, counted over the
    /// platform's nodes in order.
    pub processors: Vec<usize>,
    /// When it starts.
    pub start: Time,
    /// When it ends.
    pub end: Time,
}

/// A plan for all tasks of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// One per task, by task.
    pub assignments: Vec<Assignment>,
}

impl Schedule {
    /// From the start of the run to the end of the last task.
    #[must_use]
    pub fn makespan(&self) -> Span {
        let end = self.assignments.iter().map(|a| a.end).max();
        end.unwrap_or_default().since(Time::ZERO)
    }
}
