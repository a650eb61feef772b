//! What came of a run.

use std::num::NonZeroU32;
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
    pub(super) done: Done,
}

/// Where the record of each task that is done is, by task.
#[derive(Clone, Debug)]
pub(super) struct Done(Vec<Option<NonZeroU32>>);

impl Done {
    pub(super) fn new(records: &[Record]) -> Done {
        let mut places = Vec::new();
        for (record, place) in records.iter().zip(1..) {
            let task = record.task.index();
            if record.state == State::Done {
                places.resize(places.len().max(task + 1), None);
                places[task] = NonZeroU32::new(place);
            }
        }
        Done(places)
    }

    fn of(&self, task: TaskId) -> Option<usize> {
        let place = self.0.get(task.index()).copied().flatten();
        place.map(|place| place.get() as usize - 1)
    }

    fn tasks(&self) -> impl Iterator<Item = TaskId> {
        let tasks = (0..).map(TaskId).zip(&self.0);
        tasks.filter_map(|(task, place)| place.map(|_| task))
    }
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
        self.done.of(task).map(|i| &self.records[i].value)
    }

    /// What each task that is done gave back, in the order of the job; those that kernels added
    /// come last.
    pub fn values(&self) -> impl Iterator<Item = (TaskId, &Value)> {
        self.done.tasks().filter_map(|task| Some((task, self.value(task)?)))
    }
}
