//! What came of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::{ExitCode, NodeInfo, Record, Span, State, TaskId, Value, Verdict};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name of the job.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// One record for each attempt, and one for each task that was never tried; in the order in
    /// which they became final, those of a run that was resumed included.
    pub records: Vec<Record>,
    /// The nodes.
    pub nodes: Vec<NodeInfo>,
    /// The folder of the run, if it has one.
    pub folder: Option<PathBuf>,
    /// What no run on these cores could have beaten, given how long each task took.
    pub lower_bound: Span,
    pub(super) done: BTreeMap<TaskId, usize>,
}

/// Where the record of each task that is done is.
pub(super) fn done(records: &[Record]) -> BTreeMap<TaskId, usize> {
    let done = records.iter().enumerate().filter(|(_, record)| record.state == State::Done);
    done.map(|(i, record)| (record.task, i)).collect()
}

impl Outcome {
    /// Whether every task is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.verdict.code == ExitCode::Done
    }

    /// What a task gave back; nothing if it is not done.
    #[must_use]
    pub fn value(&self, task: TaskId) -> Option<&Value> {
        self.done.get(&task).map(|i| &self.records[*i].value)
    }

    /// What each task that is done gave back, in the order of the job; those that kernels added
    /// come last.
    pub fn values(&self) -> impl Iterator<Item = (TaskId, &Value)> {
        self.done.iter().map(|(task, i)| (*task, &self.records[*i].value))
    }
}
