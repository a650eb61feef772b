//! Entries on their way into the journal, and what keeps it from growing without need.

use crate::model::wire::Wire;
use crate::sched::{Compactor, Entry, Upkeep};
use crate::store::{Fold, Journal, StoreError};

/// The journal of a run, as its driver writes it.
pub(super) struct Log {
    journal: Journal,
    upkeep: Upkeep,
}

impl Log {
    pub(super) fn new(journal: Journal) -> Log {
        let upkeep = Upkeep::new(journal.bytes(), Upkeep::LEAST);
        Log { journal, upkeep }
    }

    pub(super) fn append(&mut self, entry: &Entry) {
        let bytes = entry.to_bytes();
        self.journal.append(&bytes);
        // Nothing starts, or ends, before it is durable: no need to wait for company.
        if matches!(entry, Entry::Submitted(_) | Entry::Closed(_)) {
            self.journal.flush();
        }
        if self.upkeep.is_due(entry, bytes.len() as u64) {
            self.journal.compact(Box::new(Fewer(Compactor::default())));
        }
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
