//! Steps fresh machines through a recording and compares what comes out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::recorder::{PREFIX, Recording};
use crate::model::wire::Wire;
use crate::model::{PeerId, Time};
use crate::sched::{Event, Machine, Process};

/// One process that was stepped through again, and did what it did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The process.
    pub peer: PeerId,
    /// How many steps it made.
    pub steps: u64,
    /// Bytes of actions that came out, the same as were recorded.
    pub bytes: u64,
}

/// Why a run cannot be stepped through again.
#[derive(Debug)]
pub enum ReplayError {
    /// The folder holds no recording; runs with `--record` leave one.
    NoRecording(PathBuf),
    /// A recording cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A machine did something else than it did in the run.
    Differs {
        /// The process.
        peer: PeerId,
        /// Which step, from 1.
        step: u64,
        /// When it was made.
        now: Time,
        /// What it was stepped with.
        event: Box<Event>,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::NoRecording(folder) => write!(
                f,
                "{} holds no recording: run the job with --record to make one",
                folder.display()
            ),
            ReplayError::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            ReplayError::Differs { peer, step, now, event } => write!(
                f,
                "process {peer} does something else at step {step} ({now}) than it did in the \
                 run; it was stepped with {event:?}"
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Replays all recordings in the run folder `folder`, by process.
///
/// # Errors
/// If there is none, one cannot be read, or a machine does something else than it did.
pub fn replay(folder: &Path) -> Result<Vec<Replayed>, ReplayError> {
    let unreadable = |error| ReplayError::Unreadable(folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(PREFIX)) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(ReplayError::NoRecording(folder.to_owned()));
    }
    let mut replayed = paths.iter().map(|path| replay_one(path)).collect::<Result<Vec<_>, _>>()?;
    replayed.sort_by_key(|one| one.peer);
    Ok(replayed)
}

fn replay_one(path: &Path) -> Result<Replayed, ReplayError> {
    let unreadable = |error| ReplayError::Unreadable(path.to_owned(), error);
    let mut recording = Recording::open(path).map_err(unreadable)?;
    let mut process = Process::new(&recording.seat);
    let mut replayed = Replayed { peer: recording.seat.peer, steps: 0, bytes: 0 };
    let mut actions = Vec::new();
    let mut bytes = Vec::new();
    while let Some(step) = recording.next().map_err(unreadable)? {
        replayed.steps += 1;
        actions.clear();
        bytes.clear();
        process.step(step.now, step.event.clone(), &mut actions);
        actions.iter().for_each(|action| action.put(&mut bytes));
        if bytes != step.actions {
            return Err(ReplayError::Differs {
                peer: replayed.peer,
                step: replayed.steps,
                now: step.now,
                event: Box::new(step.event),
            });
        }
        replayed.bytes += bytes.len() as u64;
    }
    Ok(replayed)
}
