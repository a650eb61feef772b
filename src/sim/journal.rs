//! The journal of a simulated run: appended at once, durable a little later, torn by a crash.

use super::rng::Rng;
use crate::sched::Entry;

/// Entries, and how many of them are on disk.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    durable: usize,
    /// Where this epoch began.
    base: usize,
    /// A commit is on its way.
    pub(super) committing: bool,
}

impl Journal {
    pub(super) fn append(&mut self, entry: Entry) {
        self.entries.push(entry);
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
}
