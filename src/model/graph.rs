//! The dependencies of a job as compressed rows, in both directions.

use super::rows::Rows;
use super::{Dependency, Job, TaskId};

/// A directed acyclic graph of tasks. Built once, never changed.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    predecessors: Rows<Dependency>,
    successors: Rows<Dependency>,
    order: Vec<TaskId>,
}

/// Tasks that wait for each other in a ring, each for the one before it and the first for the
/// last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<TaskId>);

impl Graph {
    /// The graph of `job`.
    ///
    /// # Errors
    /// If tasks wait for each other in a ring; one such ring is given.
    ///
    /// # Panics
    /// If a dependency names a task that the job does not have: `spec` reports that first.
    pub fn new(job: &Job) -> Result<Graph, Cycle> {
        // Once over the tasks, which are large: what follows looks at the edges alone.
        let predecessors = Rows::of(job.tasks.iter().map(|task| &task.after[..]));
        let edges = predecessors.edges();
        let reversed = edges.map(|(to, d)| (d.task.0, Dependency { task: TaskId(to), ..d }));
        let successors = Rows::new(job.tasks.len(), reversed);
        let ids = |nodes: Vec<u32>| nodes.into_iter().map(TaskId).collect();
        let order = successors.order(|d| d.task.0).map_err(|ring| Cycle(ids(ring)))?;
        Ok(Graph { predecessors, successors, order: ids(order) })
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.predecessors.len()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `id` waits for.
    #[must_use]
    pub fn predecessors(&self, id: TaskId) -> &[Dependency] {
        self.predecessors.row(id.0)
    }

    /// What waits for `id`.
    #[must_use]
    pub fn successors(&self, id: TaskId) -> &[Dependency] {
        self.successors.row(id.0)
    }

    /// All tasks, each after its predecessors; among those free at once, by id.
    #[must_use]
    pub fn order(&self) -> &[TaskId] {
        &self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Task;

    fn job(n: u32, edges: &[(u32, u32)]) -> Job {
        let mut job = Job::new("test");
        for i in 0..n {
            let after = edges.iter().filter(|(_, to)| *to == i).map(|(from, _)| TaskId(*from));
            job.add(Task::kernel(i.to_string(), "noop", ()).after(after));
        }
        job
    }

    #[test]
    fn every_task_comes_after_its_predecessors() {
        let graph = Graph::new(&job(4, &[(3, 1), (1, 0), (3, 2), (2, 0)])).unwrap();
        assert_eq!(graph.order(), [3, 1, 2, 0].map(TaskId));
        assert_eq!(graph.successors(TaskId(3)).len(), 2);
    }

    #[test]
    fn a_ring_is_found_and_nothing_but_the_ring() {
        let ring = Graph::new(&job(5, &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)])).unwrap_err();
        assert_eq!(ring, Cycle([2, 3, 1].map(TaskId).into()));
        assert_eq!(Graph::new(&job(1, &[(0, 0)])).unwrap_err(), Cycle(vec![TaskId(0)]));
    }
}
