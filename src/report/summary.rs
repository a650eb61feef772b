//! What a run came to.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::record::ExitLine;
use super::seconds;
use super::verdict::CountsForm;
use crate::model::{
    Attempt, CoreId, Counts, Exit, JobId, NodeInfo, PeerId, Record, Span, State, TaskId, Time,
};

/// How many of the slowest tasks are named.
const SLOWEST: usize = 5;

/// What a run came to, from its records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What the user calls the job.
    pub name: String,
    /// How many tasks ended in which state, and how many attempts were lost.
    #[serde(with = "CountsForm")]
    pub counts: Counts,
    /// How many of the attempts that were lost may have overlapped with the next one.
    pub overlaps: u64,
    /// From when the first task was ready to the end of the last attempt.
    #[serde(with = "seconds")]
    pub makespan: Span,
    /// What no run could have beaten, if that was worked out.
    #[serde(serialize_with = "optional_seconds")]
    pub lower_bound: Option<Span>,
    /// The cores of all nodes; one that several nodes share counts once.
    pub cores: usize,
    /// The share of the cores' time in which an attempt ran on them, from 0 to 1.
    pub efficiency: f64,
    /// Each node that served the run, by id.
    pub nodes: Vec<NodeShare>,
    /// How many more nodes stood by, and were not needed.
    pub stood_by: usize,
    /// The tasks that took longest, the longest first; at most five.
    pub slowest: Vec<SlowTask>,
    /// The tasks that failed, or were lost for good, in the order of their jobs.
    pub failed: Vec<FailedTask>,
}

/// How busy a node was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeShare {
    /// The node.
    #[serde(serialize_with = "number")]
    pub node: PeerId,
    /// The name of its host.
    pub host: String,
    /// How many cores it had.
    pub cores: usize,
    /// How many attempts it made.
    pub attempts: u64,
    /// The share of its cores' time in which an attempt ran on them, from 0 to 1.
    pub busy: f64,
}

/// A task that took long.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlowTask {
    /// Its name.
    pub task: String,
    /// How long the attempt that was done took.
    #[serde(with = "seconds")]
    pub took: Span,
    /// The host it ran on.
    pub host: String,
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedTask {
    /// Its name.
    pub task: String,
    /// The last attempt at it.
    #[serde(serialize_with = "attempt")]
    pub attempt: Attempt,
    /// How that one ended.
    #[serde(serialize_with = "optional_exit")]
    pub exit: Option<Exit>,
    /// Why.
    pub reason: Option<String>,
    /// The host it ran on, if it ran.
    pub host: Option<String>,
    /// The end of its output.
    pub tail: String,
}

impl Summary {
    /// Sums up `records`, in the order in which they were written, of a run on `nodes`. Nodes
    /// that only the records know are taken to have the cores that they were seen to use.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        records: &[impl Borrow<Record>],
        nodes: &[NodeInfo],
        lower_bound: Option<Span>,
    ) -> Summary {
        let records: Vec<&Record> = records.iter().map(Borrow::borrow).collect();
        let records = &records[..];
        let makespan = makespan(records);
        let (nodes, others): (Vec<&NodeInfo>, Vec<&NodeInfo>) =
            nodes.iter().partition(|node| node.serves());
        let usage = Usage::new(records, &nodes);
        let last = last_records(records);
        Summary {
            name: name.into(),
            counts: counts(records, &last),
            overlaps: records.iter().filter(|record| record.overlap).count() as u64,
            makespan,
            lower_bound,
            cores: usage.cores.len(),
            efficiency: share(usage.busy(), usage.cores.len(), makespan),
            nodes: usage.nodes.iter().map(|(id, node)| node.share(*id, makespan)).collect(),
            stood_by: others.len(),
            slowest: slowest(&last),
            failed: last.values().filter(|r| is_bad(r)).map(|r| failed(r)).collect(),
        }
    }

    /// The summary as one JSON object; times are in seconds.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary has only text as keys")
    }
}

fn makespan(records: &[&Record]) -> Span {
    let first = records.iter().filter_map(|r| [r.ready, r.start].into_iter().flatten().min()).min();
    let last = records.iter().filter_map(|r| r.end).max();
    last.unwrap_or_default().since(first.unwrap_or_default())
}

/// The record that says what became of each task: the last one, unless that was lost and
/// nothing came after it.
fn last_records<'a>(records: &[&'a Record]) -> BTreeMap<(JobId, TaskId), &'a Record> {
    records.iter().map(|record| ((record.job, record.task), *record)).collect()
}

fn counts(records: &[&Record], last: &BTreeMap<(JobId, TaskId), &Record>) -> Counts {
    let of = |state| last.values().filter(|record| record.state == state).count() as u64;
    Counts {
        tasks: last.len() as u64,
        done: of(State::Done),
        failed: of(State::Failed),
        cancelled: of(State::Cancelled),
        lost_for_good: last.values().filter(|record| record.is_lost_for_good()).count() as u64,
        lost: records.iter().filter(|record| record.state == State::Lost).count() as u64,
    }
}

fn slowest(last: &BTreeMap<(JobId, TaskId), &Record>) -> Vec<SlowTask> {
    let done = last.values().filter(|record| record.state == State::Done);
    let mut timed: Vec<(Span, &Record)> =
        done.filter_map(|record| Some((record.end?.since(record.start?), *record))).collect();
    timed.sort_by_key(|(took, _)| Reverse(*took));
    let slow = |(took, record): (Span, &Record)| SlowTask {
        task: record.name.clone(),
        took,
        host: record.place.as_ref().map(|place| place.host.to_string()).unwrap_or_default(),
    };
    timed.into_iter().take(SLOWEST).map(slow).collect()
}

/// Whether the task did not end well by itself.
fn is_bad(record: &Record) -> bool {
    record.state == State::Failed || record.is_lost_for_good()
}

fn failed(record: &Record) -> FailedTask {
    FailedTask {
        task: record.name.clone(),
        attempt: record.attempt,
        exit: record.exit,
        reason: record.reason.clone(),
        host: record.place.as_ref().map(|place| place.host.to_string()),
        tail: record.tail.clone(),
    }
}

/// The part of `cores` times `makespan` that `busy` is.
fn share(busy: u128, cores: usize, makespan: Span) -> f64 {
    let whole = cores as f64 * makespan.0 as f64;
    if whole > 0.0 { (busy as f64 / whole).min(1.0) } else { 0.0 }
}

/// Which core was busy when.
struct Usage<'a> {
    nodes: BTreeMap<PeerId, NodeUsage<'a>>,
    /// By host and core.
    cores: BTreeMap<(&'a str, CoreId), Busy>,
    /// What ran on cores that the records do not name.
    unplaced: u128,
}

#[derive(Default)]
struct NodeUsage<'a> {
    host: &'a str,
    cores: BTreeMap<CoreId, Busy>,
    attempts: u64,
    unplaced: u128,
}

impl<'a> Usage<'a> {
    fn new(records: &[&'a Record], nodes: &[&'a NodeInfo]) -> Usage<'a> {
        let mut usage = Usage { nodes: BTreeMap::new(), cores: BTreeMap::new(), unplaced: 0 };
        for NodeInfo { node, host, cores, .. } in nodes.iter().copied() {
            usage.nodes.entry(*node).or_default().host = host;
            for core in cores {
                usage.core(*node, host, *core);
            }
        }
        records.iter().for_each(|record| usage.add(record));
        usage
    }

    fn core(&mut self, node: PeerId, host: &'a str, core: CoreId) -> [&mut Busy; 2] {
        let node = self.nodes.entry(node).or_default();
        [node.cores.entry(core).or_default(), self.cores.entry((host, core)).or_default()]
    }

    fn add(&mut self, record: &'a Record) {
        let Some(place) = &record.place else { return };
        let node = self.nodes.entry(place.node).or_default();
        node.host = &place.host;
        node.attempts += 1;
        let (Some(start), Some(end)) = (record.start, record.end) else { return };
        if place.cores.is_empty() {
            node.unplaced += u128::from(end.since(start).0);
            self.unplaced += u128::from(end.since(start).0);
        }
        for core in &*place.cores {
            for busy in self.core(place.node, &place.host, *core) {
                busy.0.insert((start, end));
            }
        }
    }

    fn busy(&self) -> u128 {
        self.cores.values().map(Busy::total).sum::<u128>() + self.unplaced
    }
}

impl NodeUsage<'_> {
    fn share(&self, node: PeerId, makespan: Span) -> NodeShare {
        let busy = self.cores.values().map(Busy::total).sum::<u128>() + self.unplaced;
        NodeShare {
            node,
            host: self.host.to_owned(),
            cores: self.cores.len(),
            attempts: self.attempts,
            busy: share(busy, self.cores.len(), makespan),
        }
    }
}

/// When a core was in use, by start; by several attempts at once where processes share it.
#[derive(Default)]
struct Busy(BTreeSet<(Time, Time)>);

impl Busy {
    /// The nanoseconds in which there was at least one.
    fn total(&self) -> u128 {
        let mut total = 0;
        let mut until = Time::ZERO;
        for (start, end) in &self.0 {
            total += u128::from(end.since(until.max(*start)).0);
            until = until.max(*end);
        }
        total
    }
}

fn optional_seconds<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
    span.map(Span::as_secs).serialize(to)
}

fn optional_exit<S: Serializer>(exit: &Option<Exit>, to: S) -> Result<S::Ok, S::Error> {
    exit.map(ExitLine).serialize(to)
}

fn number<S: Serializer>(node: &PeerId, to: S) -> Result<S::Ok, S::Error> {
    node.0.serialize(to)
}

fn attempt<S: Serializer>(attempt: &Attempt, to: S) -> Result<S::Ok, S::Error> {
    attempt.0.serialize(to)
}
