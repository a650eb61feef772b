//! What the journal of a run says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::RunError;
use crate::model::wire::Wire;
use crate::model::{Counts, Job, Rerun, State, TaskId, Time, Verdict};
use crate::sched::{Conclusion, Entry, RunId};
use crate::store::{Journal, Life, Owner, Recovered};

/// A run up to the end of its journal.
pub(super) struct Past {
    pub(super) run: RunId,
    /// All that was submitted; not what kernels added.
    pub(super) job: Job,
    pub(super) sealed: bool,
    /// What is done already.
    pub(super) done: BTreeSet<TaskId>,
    /// The latest time in it: what comes now comes after.
    pub(super) until: Time,
}

impl Past {
    /// Nothing if no job was submitted.
    pub(super) fn of(entries: &[Entry]) -> Option<Past> {
        let mut past = Past {
            run: RunId(0),
            job: Job::default(),
            sealed: false,
            done: BTreeSet::new(),
            until: Time::ZERO,
        };
        let mut submitted = false;
        for entry in entries {
            match entry {
                Entry::Opened { run, .. } => past.run = *run,
                Entry::Submitted(batch) => {
                    submitted = true;
                    past.job.name.clone_from(&batch.name);
                    past.job.tasks.extend(batch.tasks.iter().cloned());
                    past.job.templates.extend(batch.templates.iter().cloned().map(Arc::new));
                    past.job.resources = batch.resources.clone();
                }
                Entry::Sealed => past.sealed = true,
                Entry::Ended(endings) => {
                    for Conclusion { record, .. } in &**endings {
                        let times = [record.ready, record.start, record.end];
                        past.until = times.into_iter().flatten().fold(past.until, Time::max);
                        if record.state == State::Done {
                            past.done.insert(record.task);
                        }
                    }
                }
                Entry::Granted { .. }
                | Entry::Returned(_)
                | Entry::Unwanted(_)
                | Entry::Closed(_) => {}
            }
        }
        submitted.then_some(past)
    }
}

/// The entries that were read.
pub(super) fn decode(
    folder: &Path,
    read: &Recovered,
) -> impl Iterator<Item = Result<Entry, RunError>> {
    read.records().zip(1..).map(|(bytes, entry)| {
        Entry::from_bytes(bytes).map_err(|error| RunError::Garbled {
            folder: folder.to_owned(),
            entry,
            problem: error.0,
        })
    })
}

/// What can be said of a run from outside, while it goes on or after it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The name of the job; empty if none was submitted yet.
    pub name: String,
    /// How many tasks are in each state, as far as that is durable.
    pub counts: Counts,
    /// How it ended, if it has.
    pub verdict: Option<Verdict>,
    /// Whether the process with the master lives; nothing if that cannot be seen from here.
    pub alive: Option<bool>,
}

/// Reads the journal in the run folder `folder` and changes nothing.
///
/// # Errors
/// If there is no run, or its journal cannot be read.
pub fn status(folder: &Path) -> Result<Status, RunError> {
    let read = Journal::read(folder)?;
    let alive = match Owner::of(folder)?.map(|owner| owner.life()) {
        Some(Life::Alive) => Some(true),
        Some(Life::Unknown) => None,
        Some(Life::Dead) | None => Some(false),
    };
    let mut status =
        Status { name: String::new(), counts: Counts::default(), verdict: None, alive };
    let mut last: BTreeMap<TaskId, State> = BTreeMap::new();
    let mut reruns: Vec<Rerun> = Vec::new();
    for entry in decode(folder, &read) {
        match entry? {
            // A master that goes on takes an earlier verdict back.
            Entry::Opened { .. } => status.verdict = None,
            Entry::Submitted(batch) => {
                reruns.extend(batch.tasks.iter().map(|task| task.settings.rerun));
                status.name.clone_from(&batch.name);
            }
            // A task that is tried again has not ended with what became of it before.
            Entry::Granted { keys, .. } => {
                for key in keys {
                    last.remove(&key.task);
                }
            }
            Entry::Ended(endings) => {
                for Conclusion { record, added } in &*endings {
                    reruns.extend(added.iter().map(|addition| addition.task.settings.rerun));
                    status.counts.lost += u64::from(record.state == State::Lost);
                    last.insert(record.task, record.state);
                }
            }
            Entry::Closed(verdict) => status.verdict = Some(verdict),
            Entry::Returned(_) | Entry::Unwanted(_) | Entry::Sealed => {}
        }
    }
    status.counts.tasks = reruns.len() as u64;
    let may_not = |id: &TaskId| reruns.get(id.index()) == Some(&Rerun::Never);
    let gone = last.iter().filter(|(id, state)| **state == State::Lost && may_not(id));
    status.counts.lost_for_good = gone.count() as u64;
    let count = |state| last.values().filter(|s| **s == state).count() as u64;
    status.counts.done = count(State::Done);
    status.counts.failed = count(State::Failed);
    status.counts.cancelled = count(State::Cancelled);
    Ok(status)
}
