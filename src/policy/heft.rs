//! HEFT: the tasks by upward rank, each where it ends first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use crate::model::{Assignment, Dependency, Graph, Job, Platform, Schedule, TaskId, Time};

use super::cost::predict;
use super::processors::{Fit, Node, Processors};
use super::rank::ExactRanks;
use super::timeline::Timeline;

/// A task whose request no node of the platform can ever meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet(pub TaskId);

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no node of the platform has what task {} asks for", self.0)
    }
}

impl std::error::Error for Unmet {}

/// A plan for `job` on `platform` by insertion-based HEFT (Topcuoglu, Hariri, Wu, "Performance-
/// effective and low-complexity task scheduling for heterogeneous computing", 2002).
///
/// Processors are the cores of the platform's nodes, in order. The tasks are taken by
/// [upward rank](super::upward_ranks), and each is put where it ends first, between tasks that
/// are there already if it fits; ties go to the lower id. A task on several cores holds them on
/// one node at the same time; what it asks for beside cores is held for as long, so that no
/// node is promised twice. Data moves between nodes only.
///
/// Unknown costs are [predicted](predict). As everywhere here the platform has to be
/// [in the terms](Platform::in_terms_of) of the job.
///
/// # Errors
/// If there is a task that no node can run.
pub fn schedule(job: &Job, graph: &Graph, platform: &Platform) -> Result<Schedule, Unmet> {
    let processors = Processors::new(platform);
    let costs = predict(job);
    let mut plan = Plan::new(graph, &processors);
    for id in by_rank(graph, &ExactRanks::new(job, graph, &processors)) {
        let fits = processors.fits(&job.tasks[id.index()], &costs[id.index()]);
        plan.place(id, &fits).ok_or(Unmet(id))?;
    }
    Ok(plan.finish())
}

/// The tasks by falling rank, then by id, none before its predecessors. (The ranks alone do not
/// say so where tasks cost nothing.)
fn by_rank(graph: &Graph, ranks: &ExactRanks) -> Vec<TaskId> {
    let key = |id: TaskId| (ranks.numerators[id.index()], Reverse(id));
    let ids = || (0..graph.len() as u32).map(TaskId);
    let mut waits: Vec<usize> = ids().map(|id| graph.predecessors(id).len()).collect();
    let mut free: BinaryHeap<_> = ids().filter(|id| waits[id.index()] == 0).map(key).collect();
    let mut order = Vec::with_capacity(graph.len());
    while let Some((_, Reverse(id))) = free.pop() {
        order.push(id);
        for edge in graph.successors(id) {
            waits[edge.task.index()] -= 1;
            if waits[edge.task.index()] == 0 {
                free.push(key(edge.task));
            }
        }
    }
    order
}

/// A plan in the making.
struct Plan<'a> {
    graph: &'a Graph,
    processors: &'a Processors<'a>,
    timelines: Vec<Timeline>,
    placed: Vec<Placed>,
}

/// Where a task was put.
#[derive(Clone, Default)]
struct Placed {
    node: usize,
    cores: Vec<usize>,
    start: Time,
    end: Time,
}

/// When what a predecessor hands over is where: on its own node, in its subcluster, elsewhere.
struct Arrival {
    node: usize,
    subcluster: usize,
    here: Time,
    near: Time,
    far: Time,
}

impl Arrival {
    fn at(&self, node: usize, subcluster: usize) -> Time {
        match (self.node == node, self.subcluster == subcluster) {
            (true, _) => self.here,
            (false, true) => self.near,
            (false, false) => self.far,
        }
    }
}

impl<'a> Plan<'a> {
    fn new(graph: &'a Graph, processors: &'a Processors<'a>) -> Plan<'a> {
        let timeline = |node: &Node| {
            let kind = &processors.kinds[node.kind];
            Timeline::new(kind.cores, &kind.node.capacity)
        };
        let timelines = processors.nodes.iter().map(timeline).collect();
        Plan { graph, processors, timelines, placed: vec![Placed::default(); graph.len()] }
    }

    /// Puts a task where it ends first; nothing if it fits nowhere.
    fn place(&mut self, id: TaskId, fits: &[Option<Fit>]) -> Option<()> {
        let arrivals = self.arrivals(id);
        let mut best: Option<(Time, Time, usize, &Fit)> = None;
        for (i, node) in self.processors.nodes.iter().enumerate() {
            let Some(fit) = &fits[node.kind] else { continue };
            let arrival = arrivals.iter().map(|a| a.at(i, node.subcluster)).max();
            let ready = arrival.unwrap_or_default();
            let better = |end: Time| best.is_none_or(|(best, ..)| end < best);
            if !better(ready + fit.span) {
                continue;
            }
            let start = self.timelines[i].earliest(ready, fit);
            if better(start + fit.span) {
                best = Some((start + fit.span, start, i, fit));
            }
        }
        let (end, start, node, fit) = best?;
        let cores = self.timelines[node].take(start, fit);
        self.placed[id.index()] = Placed { node, cores, start, end };
        Some(())
    }

    fn arrivals(&self, id: TaskId) -> Vec<Arrival> {
        let platform = self.processors.platform;
        let arrival = |edge: &Dependency| {
            let &Placed { node, end, .. } = &self.placed[edge.task.index()];
            let subcluster = self.processors.nodes[node].subcluster;
            let near = end + platform.subclusters[subcluster].link.transfer(edge.bytes);
            let far = end + platform.link.transfer(edge.bytes);
            Arrival { node, subcluster, here: end, near, far }
        };
        self.graph.predecessors(id).iter().map(arrival).collect()
    }

    fn finish(self) -> Schedule {
        let assignment = |(i, placed): (usize, Placed)| {
            let first = self.processors.nodes.get(placed.node).map_or(0, |node| node.first);
            let processors = placed.cores.iter().map(|core| first + core).collect();
            let (start, end) = (placed.start, placed.end);
            Assignment { task: TaskId(i as u32), processors, start, end }
        };
        Schedule { assignments: self.placed.into_iter().enumerate().map(assignment).collect() }
    }
}
