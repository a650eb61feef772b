//! Whether a plan can be carried out.

use std::fmt;

use crate::model::{
    Assignment, Graph, Job, Platform, ResourceId, Resources, Schedule, Span, TaskId, Time,
};

use super::cost::predict;
use super::processors::{Fit, Processors};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The task has no place in the plan, or not at its own position in the list.
    Missing(TaskId),
    /// The plan goes on after the last task of the job.
    Surplus,
    /// The task is not on as many cores of one node as it needs, or the node cannot run it.
    Place(TaskId),
    /// The task is planned for another time than it costs.
    Length {
        /// The task.
        task: TaskId,
        /// As planned.
        planned: Span,
        /// What it costs there.
        cost: Span,
    },
    /// The task starts before what it waits for has arrived.
    TooEarly {
        /// The task.
        task: TaskId,
        /// What it waits for.
        predecessor: TaskId,
        /// When that is there.
        arrives: Time,
    },
    /// Two tasks are on one processor at the same time.
    Overlap {
        /// The processor.
        processor: usize,
        /// The tasks, by their starts.
        tasks: [TaskId; 2],
    },
    /// Tasks on a node take more of a resource than it has, from the start of this task on.
    Overcommitted {
        /// The task.
        task: TaskId,
        /// The resource.
        resource: ResourceId,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Missing(task) => write!(f, "task {task} is not planned"),
            Violation::Surplus => f.write_str("the plan has more tasks than the job"),
            Violation::Place(task) => {
                write!(f, "task {task} is not where it has all the cores and resources it needs")
            }
            Violation::Length { task, planned, cost } => {
                write!(f, "task {task} is planned for {planned} and takes {cost}")
            }
            Violation::TooEarly { task, predecessor, arrives } => {
                write!(f, "task {task} starts before {predecessor} can reach it at {arrives}")
            }
            Violation::Overlap { processor, tasks: [a, b] } => {
                write!(f, "tasks {a} and {b} overlap on processor {processor}")
            }
            Violation::Overcommitted { task, resource } => {
                write!(f, "from task {task} on, its node is short of resource {}", resource.0)
            }
        }
    }
}

impl std::error::Error for Violation {}

/// Checks that `schedule` is a plan for `job` that `platform` can carry out: each task on cores
/// of one node that can run it, for as long as it takes there ([predicted](predict) where
/// unknown), after its predecessors and the transfers from them, and no node asked for more
/// than it has.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(
    job: &Job,
    graph: &Graph,
    platform: &Platform,
    schedule: &Schedule,
) -> Result<(), Violation> {
    let processors = Processors::new(platform);
    let costs = predict(job);
    let mut placed = Vec::with_capacity(graph.len());
    for (i, (task, cost)) in job.tasks.iter().zip(&costs).enumerate() {
        let id = TaskId(i as u32);
        let planned = schedule.assignments.get(i).filter(|a| a.task == id);
        let assignment = planned.ok_or(Violation::Missing(id))?;
        placed.push(place(assignment, &processors.fits(task, cost), &processors)?);
    }
    if schedule.assignments.len() > placed.len() {
        return Err(Violation::Surplus);
    }
    precedence(graph, schedule, &placed, &processors)?;
    overlap(schedule, processors.count)?;
    commitment(schedule, &placed, &processors)
}

/// A task's node, and what it takes of it.
type Placed = (usize, Fit);

fn place(
    assignment: &Assignment,
    fits: &[Option<Fit>],
    processors: &Processors<'_>,
) -> Result<Placed, Violation> {
    let task = assignment.task;
    let cores = &assignment.processors;
    let first = cores.first().and_then(|first| processors.node_of(*first));
    let node = first.ok_or(Violation::Place(task))?;
    let fit = fits[processors.nodes[node].kind].clone().ok_or(Violation::Place(task))?;
    let ascending = cores.windows(2).all(|pair| pair[0] < pair[1]);
    let together = cores.iter().all(|core| processors.of(node).contains(core));
    if !ascending || !together || cores.len() != fit.cores {
        return Err(Violation::Place(task));
    }
    let planned = assignment.end.since(assignment.start);
    if planned != fit.span || assignment.end < assignment.start {
        return Err(Violation::Length { task, planned, cost: fit.span });
    }
    Ok((node, fit))
}

fn precedence(
    graph: &Graph,
    schedule: &Schedule,
    placed: &[Placed],
    processors: &Processors<'_>,
) -> Result<(), Violation> {
    for Assignment { task, start, .. } in &schedule.assignments {
        for edge in graph.predecessors(*task) {
            let (from, to) = (placed[edge.task.index()].0, placed[task.index()].0);
            let end = schedule.assignments[edge.task.index()].end;
            let arrives = end + processors.transfer(from, to, edge.bytes);
            if *start < arrives {
                return Err(Violation::TooEarly { task: *task, predecessor: edge.task, arrives });
            }
        }
    }
    Ok(())
}

fn overlap(schedule: &Schedule, processors: usize) -> Result<(), Violation> {
    let mut busy: Vec<Vec<&Assignment>> = vec![Vec::new(); processors];
    for assignment in schedule.assignments.iter().filter(|a| a.start < a.end) {
        for processor in &assignment.processors {
            busy[*processor].push(assignment);
        }
    }
    for (processor, tasks) in busy.iter_mut().enumerate() {
        tasks.sort_by_key(|a| a.start);
        if let Some(pair) = tasks.windows(2).find(|pair| pair[1].start < pair[0].end) {
            return Err(Violation::Overlap { processor, tasks: [pair[0].task, pair[1].task] });
        }
    }
    Ok(())
}

/// Sweeps over the time of each node; what ends at a moment is given back before what starts.
fn commitment(
    schedule: &Schedule,
    placed: &[Placed],
    processors: &Processors<'_>,
) -> Result<(), Violation> {
    let mut moments: Vec<(Time, bool, TaskId)> = Vec::new();
    for a in schedule.assignments.iter().filter(|a| a.start < a.end) {
        if placed[a.task.index()].1.other != Resources::default() {
            moments.extend([(a.start, true, a.task), (a.end, false, a.task)]);
        }
    }
    moments.sort();
    let kinds = processors.nodes.iter().map(|node| &processors.kinds[node.kind]);
    let mut free: Vec<Resources> = kinds.map(|kind| kind.node.capacity.clone()).collect();
    for (_, starts, task) in moments {
        let (node, fit) = &placed[task.index()];
        if !starts {
            free[*node].give(&fit.other);
            continue;
        }
        let short = fit.other.iter().find(|(id, amount)| *amount > free[*node].get(*id));
        if let Some((resource, _)) = short {
            return Err(Violation::Overcommitted { task, resource });
        }
        free[*node].take(&fit.other);
    }
    Ok(())
}
