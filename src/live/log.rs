//! Entries on their way into the journal, and what keeps it from growing without need.

use crate::model::wire::Wire;
use crate::sched::{Compactor, Entry, Upkeep};
use crate::store::{Fold, Journal, StoreError};

/// What is kept for the bytes of an entry: most take less.
const ROOM: usize = 64 << 10;

/// The journal of a run, as its driver writes it.
pub(super) struct Log {
    journal: Journal,
    upkeep: Upkeep,
    /// An entry as bytes.
    scratch: Vec<u8>,
}

impl Log {
    pub(super) fn new(journal: Journal) -> Log {
        let upkeep = Upkeep::new(journal.bytes(), Upkeep::LEAST);
        Log { journal, upkeep, scratch: Vec::new() }
    }

    pub(super) fn append(&mut self, entry: &Entry) {
        self.scratch.clear();
        entry.put(&mut self.scratch);
        self.journal.append(&self.scratch);
        // A job takes a lot, once.
        self.scratch.shrink_to(ROOM);
        // Nothing starts, or ends, before it is durable: no need to wait for company.
        if matches!(entry, Entry::Submitted(_) | Entry::Closed(_)) {
            self.journal.flush();
        }
        if self.upkeep.is_due(entry, self.scratch.len() as u64) {
            self.journal.compact(Box::new(Fewer(Compactor::default())));
        }
    }

    /// Whether the journal is still this process's to write.
    pub(super) fn is_ours(&self) -> bool {
        // What cannot be seen is no news.
        !matches!(self.journal.confirm(), Err(StoreError::TakenOver(_)))
    }

    pub(super) fn close(self) -> Result<(), StoreError> {
        self.journal.close()
    }
}

/// Compacts the bytes of entries.
struct Fewer(Compactor);

impl Fold for Fewer {
    fn keeps(&mut self, record: &[u8]) -> bool {
        // What cannot be read is not for us to throw away.
        Entry::from_bytes(record).map_or(true, |entry| self.0.keeps(&entry))
    }

    fn rest(&mut self) -> Vec<Vec<u8>> {
        self.0.rest().iter().map(Wire::to_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::model::{Attempt, AttemptKey, Epoch, JobId, Record, Span, State, TaskId};
    use crate::sched::{Conclusion, compact};
    use crate::store::RunFolder;

    fn key(task: u32) -> AttemptKey {
        AttemptKey { job: JobId(0), task: TaskId(task), attempt: Attempt(1), epoch: Epoch(1) }
    }

    fn granted(keys: Vec<AttemptKey>) -> Entry {
        Entry::Granted { keys, outlive: false }
    }

    #[test]
    fn a_journal_full_of_what_came_to_nothing_is_compacted_and_says_the_same() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let journal = Journal::create(&folder, 7, Span::ZERO, |_| ()).unwrap();
        let upkeep = Upkeep::new(journal.bytes(), 10_000);
        let mut log = Log { upkeep, ..Log::new(journal) };
        let mut all = Vec::new();
        let mut append = |log: &mut Log, entry: Entry| {
            log.append(&entry);
            all.push(entry);
        };
        // Dealt too far and called back, again and again, while something gets done.
        let read = || Journal::read(root.path()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut task = 0;
        while read().volume.part < 3 {
            assert!(Instant::now() < deadline, "it only grows");
            let keys: Vec<AttemptKey> = (task..task + 100).map(key).collect();
            append(&mut log, granted(keys.clone()));
            append(&mut log, Entry::Returned(keys));
            append(&mut log, granted(vec![key(task), key(task + 1)]));
            let record = Record::new(key(task), State::Done);
            let ended = Conclusion { record, added: Vec::new() };
            append(&mut log, Entry::Ended(Arc::new(vec![ended])));
            task += 2;
        }
        log.close().unwrap();
        let found = read();
        let found = found.records().map(|bytes| Entry::from_bytes(bytes).unwrap());
        let found: Vec<Entry> = found.collect();
        assert!(found.len() < all.len());
        assert_eq!(compact(found), compact(all));
    }
}
