//! What people read in a run folder: `nodes.json`, `records.jsonl` and `verdict.json`.

use std::fs;
use std::path::Path;

use crate::model::{NodeInfo, Record, Verdict};
use crate::report;
use crate::store::{Lines, RunFolder, StoreError};

/// The file with the records, which can be followed while the run goes on.
pub const RECORDS: &str = "records.jsonl";
const NODES: &str = "nodes.json";
const VERDICT: &str = "verdict.json";

/// `records.jsonl`: one line an attempt. It says nothing that the journal does not, and is
/// another file, written anew, when a run is resumed.
pub(super) struct RecordFile(Lines);

impl RecordFile {
    /// Begins it, empty.
    pub(super) fn create(folder: &RunFolder) -> Result<RecordFile, StoreError> {
        Ok(RecordFile(folder.lines(RECORDS)?))
    }

    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.0.append(|buffer| records.iter().for_each(|r| report::append_record(r, buffer)))
    }

    /// Lets others read what was appended.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.0.flush()
    }
}

/// Publishes `nodes.json`: who takes part, for those who watch.
pub(super) fn publish_nodes(folder: &RunFolder, nodes: &[NodeInfo]) -> Result<(), StoreError> {
    folder.publish(NODES, report::nodes_to_json(nodes).as_bytes())
}

/// Publishes `verdict.json`.
pub(super) fn publish_verdict(folder: &RunFolder, verdict: &Verdict) -> Result<(), StoreError> {
    folder.publish(VERDICT, report::verdict_to_json(verdict).as_bytes())
}

/// Takes the verdict of an earlier epoch back.
pub(super) fn retract_verdict(folder: &RunFolder) -> Result<(), StoreError> {
    folder.retract(VERDICT)
}

/// The nodes of the run in `folder`; nothing if it has not told of them, or not in a way that can
/// be read.
#[must_use]
pub fn nodes(folder: &Path) -> Option<Vec<NodeInfo>> {
    let text = fs::read_to_string(folder.join(NODES)).ok()?;
    report::nodes_from_json(&text).ok()
}

/// The verdict that the run in `folder` published; nothing if there is none that can be read.
#[must_use]
pub fn verdict(folder: &Path) -> Option<Verdict> {
    let text = fs::read_to_string(folder.join(VERDICT)).ok()?;
    report::verdict_from_json(&text).ok()
}
