//! The journal of a run, read from outside: it may be going on, and nothing is changed.

use std::path::Path;

use super::RunError;
use super::past::decode;
use crate::model::{
    Epoch, Incarnation, PeerId, Record, Resources, Span, SubclusterId, Time, Topology,
};
use crate::sched::{Action, Entry, Event, Former, History, Machine, Process, RunId, Seat};
use crate::store::{Journal, Origin, TornTail, Volume};

/// What is to be said of the bytes of a journal, and of the sense that they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The run.
    pub run: RunId,
    /// The file that is the journal.
    pub volume: Volume,
    /// How many bytes of it count.
    pub bytes: u64,
    /// How many entries that are.
    pub entries: u64,
    /// So many of them are known to be durable.
    pub durable: u64,
    /// So many of the first are what is kept of earlier files.
    pub kept: u64,
    /// The file before this one, if there was any.
    pub origin: Option<Origin>,
    /// The end that does not count, if there is one.
    pub torn: Option<TornTail>,
    /// The epochs that are told of.
    pub epochs: Vec<Epoch>,
    /// What no master could have written: the number of the entry, from 1, and why.
    pub problems: Vec<(u64, String)>,
}

/// Reads every byte of the journal in the run folder `folder`, and sees that each attempt was given
/// out before it ended, ended once, and so on.
///
/// # Errors
/// If there is no journal, or it is damaged where it was durable, or cannot be read.
pub fn inspect(folder: &Path) -> Result<Inspection, RunError> {
    let read = Journal::read(folder)?;
    let mut found = Inspection {
        run: RunId(read.run),
        volume: read.volume,
        bytes: read.end(),
        entries: read.len(),
        durable: read.marked,
        kept: read.kept,
        origin: read.origin,
        torn: read.torn,
        epochs: Vec::new(),
        problems: Vec::new(),
    };
    let mut history = History::default();
    for (entry, number) in decode(folder, &read).zip(1..) {
        let entry = entry?;
        let problems = history.take(&entry, number <= read.kept);
        found.problems.extend(problems.into_iter().map(|problem| (number, problem)));
        if let Entry::Opened { run, epoch, .. } = entry {
            found.epochs.push(epoch);
            if run != found.run {
                found.problems.push((number, format!("it is of another run, {:x}", run.0)));
            }
        }
    }
    Ok(found)
}

/// Hands the entries of the journal in the run folder `folder` to `each`, with their numbers.
///
/// # Errors
/// As [`inspect`].
pub fn entries(folder: &Path, mut each: impl FnMut(u64, Entry)) -> Result<(), RunError> {
    let read = Journal::read(folder)?;
    for (entry, number) in decode(folder, &read).zip(1..) {
        each(number, entry?);
    }
    Ok(())
}

/// Hands the records of the run in `folder` to `each`: those that the run published, in the same
/// order, from its journal alone.
///
/// # Errors
/// As [`inspect`].
pub fn records(folder: &Path, mut each: impl FnMut(&Record)) -> Result<(), RunError> {
    // What a master does with them that goes on from here.
    let mut process = Process::new(&bystander());
    let mut actions = Vec::new();
    entries(folder, |_, entry| {
        process.step(Time::ZERO, Event::Replay(Box::new(entry)), &mut actions);
        for action in actions.drain(..) {
            if let Action::Publish(records) = action {
                records.iter().for_each(&mut each);
            }
        }
    })
}

/// The seat of a master that has nothing, and will not begin.
fn bystander() -> Seat {
    Seat {
        run: RunId(0),
        peer: PeerId(0),
        incarnation: Incarnation(1),
        epoch: Epoch(1),
        subcluster: SubclusterId(0),
        ancestors: vec![PeerId(0)],
        master: PeerId(0),
        host: String::new(),
        topology: Topology::flat(1),
        capacity: Resources::default(),
        lease: super::Options::default().lease,
        wait_for_nodes: super::Options::default().wait_for_nodes,
        reattach: Span::ZERO,
        time_left: None,
        apart: false,
        standby: None,
        former: Former::Ended,
    }
}
