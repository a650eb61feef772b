//! One record as one line of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::json::{Json, pairs};
use super::value::{Table, Written};
use super::{Unreadable, seconds, value};
use crate::model::{
    Attempt, CoreId, Exit, JobId, PeerId, Place, Record, Rerun, Span, State, SubclusterId, TaskId,
    Time, Usage, Value,
};

/// `record` as one line of `records.jsonl`, without the line break.
#[must_use]
pub fn record_to_json(record: &Record) -> String {
    let mut line = Vec::new();
    put(record, &mut line);
    String::from_utf8(line).expect("a record is made of text")
}

/// The same with the line break, at the end of `out`.
pub fn append_record(record: &Record, out: &mut Vec<u8>) {
    put(record, out);
    out.push(b'\n');
}

/// The keys, in the order in which they are promised.
fn put(record: &Record, out: &mut Vec<u8>) {
    let begin = out.len();
    let place = record.place.as_ref();
    pairs! { out =>
        "job": record.job.0,
        "task": record.name.as_str(),
        // The place of the task in its job, from 0.
        "index": record.task.0,
        "attempt": record.attempt.0,
        "state": record.state.word(),
        "reason": record.reason,
        "exit": record.exit.map(ExitLine),
        "subcluster": place.map(|place| place.subcluster.0),
        "node": place.map(|place| place.node.0),
        "host": place.map(|place| &*place.host),
        "cores": place.map_or(&[][..], |place| &*place.cores),
        "ready": record.ready,
        "start": record.start,
        "end": record.end,
        "clock": record.clock,
        "max_rss": record.usage.max_rss,
        "cpu": record.usage.cpu,
        "tail": record.tail,
    }
    // Only where there is something to say.
    match record.rerun {
        Rerun::Always => {}
        Rerun::Never => pairs! { out => "rerun": "never" },
    }
    if record.overlap {
        pairs! { out => "overlap": true }
    }
    if !record.kind.is_empty() {
        pairs! { out => "kind": record.kind }
    }
    if !record.meta.is_empty() {
        pairs! { out => "meta": Table(&record.meta) }
    }
    if record.value != Value::Unit {
        pairs! { out => "value": Written(&record.value) }
    }
    // In place of the comma before the first.
    out[begin] = b'{';
    out.push(b'}');
}

/// The record that a line of `records.jsonl` holds. Keys that are not known are passed over.
///
/// Some [values](crate::model::Value) come back in another form: JSON has one kind of list, and
/// no infinite numbers.
///
/// # Errors
/// If the line is not JSON or lacks what every record has.
pub fn record_from_json(line: &str) -> Result<Record, Unreadable> {
    let unreadable = |e: serde_json::Error| Unreadable {
        expected: "a line of a records file",
        problem: e.to_string(),
    };
    serde_json::from_str::<Line<'_>>(line).map(Record::from).map_err(unreadable)
}

/// The same keys, as they are read.
#[derive(Deserialize)]
struct Line<'a> {
    job: u32,
    task: Cow<'a, str>,
    index: u32,
    attempt: u16,
    #[serde(with = "StateForm")]
    state: State,
    reason: Option<Cow<'a, str>>,
    exit: Option<ExitLine>,
    subcluster: Option<u32>,
    node: Option<u32>,
    host: Option<Cow<'a, str>>,
    #[serde(default)]
    cores: Vec<u32>,
    #[serde(with = "seconds::time")]
    ready: Option<Time>,
    #[serde(with = "seconds::time")]
    start: Option<Time>,
    #[serde(with = "seconds::time")]
    end: Option<Time>,
    #[serde(with = "seconds", default)]
    clock: Span,
    #[serde(default)]
    max_rss: u64,
    #[serde(with = "seconds", default)]
    cpu: Span,
    #[serde(default)]
    tail: Cow<'a, str>,
    #[serde(with = "RerunForm", default)]
    rerun: Rerun,
    #[serde(default)]
    overlap: bool,
    #[serde(default)]
    kind: Cow<'a, str>,
    #[serde(default, deserialize_with = "value::table")]
    meta: Vec<(String, Value)>,
    #[serde(default, deserialize_with = "value::read")]
    value: Value,
}

#[derive(Deserialize)]
#[serde(remote = "State", rename_all = "snake_case")]
enum StateForm {
    Done,
    Failed,
    Lost,
    Cancelled,
}

#[derive(Deserialize)]
#[serde(remote = "Rerun", rename_all = "snake_case")]
enum RerunForm {
    Always,
    Never,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Exit", rename_all = "snake_case")]
enum ExitForm {
    Code(i32),
    Signal(i32),
    TimeLimit,
    CouldNotStart,
}

/// How an attempt ended, as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct ExitLine(#[serde(with = "ExitForm")] pub(super) Exit);

impl From<Line<'_>> for Record {
    fn from(line: Line<'_>) -> Record {
        let place = line.node.map(|node| Place {
            subcluster: SubclusterId(line.subcluster.unwrap_or_default()),
            node: PeerId(node),
            host: line.host.as_deref().unwrap_or_default().into(),
            cores: line.cores.into_iter().map(CoreId).collect(),
        });
        Record {
            job: JobId(line.job),
            task: TaskId(line.index),
            name: line.task.as_ref().into(),
            attempt: Attempt(line.attempt),
            state: line.state,
            reason: line.reason.map(Cow::into_owned),
            exit: line.exit.map(|ExitLine(exit)| exit),
            place,
            ready: line.ready,
            start: line.start,
            end: line.end,
            clock: line.clock,
            usage: Usage { max_rss: line.max_rss, cpu: line.cpu },
            tail: line.tail.into_owned(),
            rerun: line.rerun,
            overlap: line.overlap,
            kind: line.kind.into_owned(),
            meta: line.meta,
            value: line.value,
        }
    }
}
