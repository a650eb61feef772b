//! The tasks of a job, as they were handed in: those of a batch are shared with whoever writes it
//! down.

use std::ops::Index;
use std::sync::Arc;

use super::event::Batch;
use crate::model::Task;

/// Tasks by their place in the job.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    parts: Vec<Part>,
    len: usize,
}

/// Tasks in a row, from the one at `first` on.
#[derive(Debug)]
struct Part {
    first: usize,
    tasks: Source,
}

#[derive(Debug)]
enum Source {
    Submitted(Arc<Batch>),
    Added(Vec<Task>),
}

impl Part {
    fn tasks(&self) -> &[Task] {
        match &self.tasks {
            Source::Submitted(batch) => &batch.tasks,
            Source::Added(tasks) => tasks,
        }
    }
}

impl Tasks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Those of a batch come.
    pub(super) fn submit(&mut self, batch: Arc<Batch>) {
        let first = self.len;
        self.len += batch.tasks.len();
        self.parts.push(Part { first, tasks: Source::Submitted(batch) });
    }

    /// One comes that a task has added.
    pub(super) fn add(&mut self, task: Task) {
        let first = self.len;
        self.len += 1;
        match self.parts.last_mut().map(|part| &mut part.tasks) {
            Some(Source::Added(tasks)) => tasks.push(task),
            _ => self.parts.push(Part { first, tasks: Source::Added(vec![task]) }),
        }
    }

    /// All from the one at `first` on.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = &Task> {
        (first..self.len).map(|i| &self[i])
    }
}

impl Index<usize> for Tasks {
    type Output = Task;

    fn index(&self, i: usize) -> &Task {
        let part = self.parts.partition_point(|part| part.first <= i) - 1;
        let part = &self.parts[part];
        &part.tasks()[i - part.first]
    }
}
