//! The dependencies of a job as compressed rows, in both directions.

use super::{Dependency, Job, TaskId};

/// A directed acyclic graph of tasks. Built once, never changed.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    predecessors: Rows,
    successors: Rows,
    order: Vec<TaskId>,
}

/// Tasks that wait for each other in a ring, each for the one before it and the first for the
/// last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<TaskId>);

#[derive(Clone, Debug, Default)]
struct Rows {
    start: Vec<u32>,
    edges: Vec<Dependency>,
}

impl Rows {
    fn new(n: usize, edges: impl Iterator<Item = (TaskId, Dependency)> + Clone) -> Rows {
        let mut start = vec![0u32; n + 1];
        for (row, _) in edges.clone() {
            start[row.index() + 1] += 1;
        }
        for i in 0..n {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut filled = vec![Dependency::from(TaskId(0)); start[n] as usize];
        for (row, edge) in edges {
            let at = &mut next[row.index()];
            filled[*at as usize] = edge;
            *at += 1;
        }
        Rows { start, edges: filled }
    }

    fn row(&self, id: TaskId) -> &[Dependency] {
        &self.edges[self.start[id.index()] as usize..self.start[id.index() + 1] as usize]
    }
}

impl Graph {
    /// The graph of `job`.
    ///
    /// # Errors
    /// If tasks wait for each other in a ring; one such ring is given.
    ///
    /// # Panics
    /// If a dependency names a task that the job does not have: `spec` reports that first.
    pub fn new(job: &Job) -> Result<Graph, Cycle> {
        let n = job.tasks.len();
        let edges = || {
            let tasks = job.tasks.iter().enumerate();
            tasks.flat_map(|(i, task)| task.after.iter().map(move |d| (TaskId(i as u32), *d)))
        };
        let predecessors = Rows::new(n, edges());
        let reversed = |(to, d): (TaskId, Dependency)| (d.task, Dependency { task: to, ..d });
        let successors = Rows::new(n, edges().map(reversed));
        let mut graph = Graph { predecessors, successors, order: Vec::with_capacity(n) };
        graph.sort()?;
        Ok(graph)
    }

    /// Kahn's algorithm; the list of the sorted is its own queue.
    fn sort(&mut self) -> Result<(), Cycle> {
        let n = self.len();
        let mut waits: Vec<u32> =
            (0..n).map(|i| self.predecessors(TaskId(i as u32)).len() as u32).collect();
        let mut order = Vec::with_capacity(n);
        order.extend((0..n as u32).map(TaskId).filter(|id| waits[id.index()] == 0));
        let mut done = 0;
        while let Some(&id) = order.get(done) {
            done += 1;
            for edge in self.successors.row(id) {
                let left = &mut waits[edge.task.index()];
                *left -= 1;
                if *left == 0 {
                    order.push(edge.task);
                }
            }
        }
        self.order = order;
        if self.order.len() == n { Ok(()) } else { Err(self.find_cycle(&waits)) }
    }

    /// Walks backwards among the tasks that still wait until one comes round again.
    fn find_cycle(&self, waits: &[u32]) -> Cycle {
        let stuck = |id: &TaskId| waits[id.index()] > 0;
        let mut path: Vec<TaskId> =
            (0..self.len() as u32).map(TaskId).find(stuck).into_iter().collect();
        let mut place = vec![usize::MAX; self.len()];
        while let Some(&last) = path.last() {
            if place[last.index()] != usize::MAX {
                let ring = &path[place[last.index()]..path.len() - 1];
                return Cycle(ring.iter().rev().copied().collect());
            }
            place[last.index()] = path.len() - 1;
            path.extend(self.predecessors(last).iter().map(|d| d.task).find(stuck));
        }
        Cycle(path)
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.predecessors.start.len().saturating_sub(1)
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `id` waits for.
    #[must_use]
    pub fn predecessors(&self, id: TaskId) -> &[Dependency] {
        self.predecessors.row(id)
    }

    /// What waits for `id`.
    #[must_use]
    pub fn successors(&self, id: TaskId) -> &[Dependency] {
        self.successors.row(id)
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
