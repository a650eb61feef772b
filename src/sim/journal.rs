//! The journal of a simulated run: appended at once, durable a little later, torn by a crash,
//! compacted by the next epoch.

use super::referee::Foul;
use super::rng::Rng;
use crate::model::Time;
use crate::sched::{Action, Entry, Event, History, Machine, Process, Seat, compact};

/// Entries, and how many of them are on disk.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    durable: usize,
    /// Where this epoch began.
    base: usize,
    /// What the entries tell, to see that it makes sense.
    history: History,
    /// A commit is on its way.
    pub(super) committing: bool,
}

impl Journal {
    pub(super) fn append(&mut self, entry: Entry) -> Result<(), Foul> {
        let problems = self.history.take(&entry, false);
        self.entries.push(entry);
        makes_sense(&problems)
    }

    /// A commit has ended: all but the last `behind` entries are on disk. How many of this epoch
    /// that are, as [`Event::Durable`](crate::sched::Event::Durable) says it.
    pub(super) fn commit(&mut self, behind: usize) -> u64 {
        self.committing = false;
        self.durable = self.durable.max(self.entries.len().saturating_sub(behind));
        (self.durable - self.base) as u64
    }

    /// Whether anything waits for a commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.durable < self.entries.len()
    }

    /// What is on disk.
    pub(super) fn durable(&self) -> &[Entry] {
        &self.entries[..self.durable]
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The writer dies: of what was not durable, some of the first entries survive. Another
    /// epoch begins.
    pub(super) fn tear(&mut self, rng: &mut Rng) {
        let loose = self.entries.len() - self.durable;
        self.entries.truncate(self.durable + rng.index(loose + 1));
        self.durable = self.entries.len();
        self.base = self.durable;
        self.committing = false;
    }

    /// The master at `seat` begins an epoch with fewer entries, which must mean the same to it.
    pub(super) fn compact(&mut self, seat: &Seat) -> Result<(), Foul> {
        let fewer = compact(self.entries.clone());
        if begins(seat, &fewer) != begins(seat, &self.entries) {
            return Err(format!("{:?}\nis not the same as\n{:?}", fewer, self.entries));
        }
        self.entries = fewer;
        self.durable = self.entries.len();
        self.base = self.durable;
        self.history = History::default();
        let problems: Vec<String> =
            self.entries.iter().flat_map(|entry| self.history.take(entry, true)).collect();
        makes_sense(&problems)
    }
}

/// What a master at `seat` does that goes on from `entries`.
fn begins(seat: &Seat, entries: &[Entry]) -> Vec<Action> {
    let mut process = Process::new(seat);
    let mut actions = Vec::new();
    for entry in entries {
        process.step(Time(1), Event::Replay(Box::new(entry.clone())), &mut actions);
    }
    process.step(Time(1), Event::Start, &mut actions);
    process.step(Time(1), Event::Durable(u64::MAX), &mut actions);
    process.step(Time(2), Event::Flush, &mut actions);
    actions
}

fn makes_sense(problems: &[String]) -> Result<(), Foul> {
    match problems {
        [] => Ok(()),
        _ => Err(format!("the journal makes no sense: {}", problems.join("; "))),
    }
}
