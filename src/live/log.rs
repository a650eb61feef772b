//! Entries on their way into the journal, and what keeps it from growing without need.

use crate::model::wire::Wire;
use crate::sched::{Compactor, Conclusion, Entry, Upkeep};
use crate::store::{Fold, Journal, Scribe, StoreError};

/// The journal of a run, as its driver writes it.
pub(super) struct Log(Journal<Entries>);

impl Log {
    pub(super) fn new(journal: Journal<Entries>) -> Log {
        Log(journal)
    }

    pub(super) fn append(&mut self, entry: Entry) {
        // Nothing starts, or ends, before it is durable: no need to wait for company.
        let is_waited_for = matches!(entry, Entry::Submitted(_) | Entry::Closed(_));
        self.0.append(entry);
        if is_waited_for {
            self.0.flush();
        }
    }

    /// Whether the journal is still this process's to write.
    pub(super) fn is_ours(&self) -> bool {
        // What cannot be seen is no news.
        !matches!(self.0.confirm(), Err(StoreError::TakenOver(_)))
    }

    pub(super) fn close(self) -> Result<(), StoreError> {
        self.0.close()
    }
}

/// Makes bytes of entries, and has them compacted when it is time.
pub struct Entries {
    upkeep: Upkeep,
    is_due: bool,
}

impl Entries {
    /// Of a journal that has so many bytes already.
    #[must_use]
    pub fn after(bytes: u64) -> Entries {
        Entries { upkeep: Upkeep::new(bytes, Upkeep::LEAST), is_due: false }
    }
}

impl Scribe for Entries {
    type Record = Entry;

    fn put(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let begin = out.len();
        entry.put(out);
        self.is_due |= self.upkeep.is_due(entry, (out.len() - begin) as u64);
    }

    /// A job is not the journal's alone: the run has it anyway. Endings are kept until they are durable,
    /// and no longer: so as long as the disk takes nothing, they are what grows.
    fn weight(entry: &Entry) -> usize {
        let own = match entry {
            Entry::Ended(endings) => endings.iter().map(weight_of).sum(),
            Entry::Granted { keys, .. } | Entry::Returned(keys) => size_of_val(&keys[..]),
            Entry::Unwanted(tasks) => size_of_val(&tasks[..]),
            _ => 0,
        };
        size_of::<Entry>() + own
    }

    fn fold(&mut self) -> Option<Box<dyn Fold>> {
        let due = std::mem::take(&mut self.is_due);
        due.then(|| Box::new(Fewer(Compactor::default())) as Box<dyn Fold>)
    }
}

fn weight_of(Conclusion { record, added }: &Conclusion) -> usize {
    let said = record.tail.len() + record.reason.as_ref().map_or(0, String::len);
    size_of::<Conclusion>() + record.value.size() + said + size_of_val(&added[..])
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
    use std::sync::{Arc, mpsc};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::model::{Attempt, AttemptKey, Epoch, JobId, Record, Span, State, TaskId, Value};
    use crate::sched::compact;
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
        let entries =
            |bytes| Entries { upkeep: Upkeep::new(bytes, 10_000), ..Entries::after(bytes) };
        let mut log = Log::new(Journal::create(&folder, 7, Span::ZERO, entries, |_| ()).unwrap());
        let mut all = Vec::new();
        let mut append = |log: &mut Log, entry: Entry| {
            log.append(entry.clone());
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

    #[test]
    fn endings_weigh_what_they_keep() {
        let value = Value::Bytes(vec![0; 1000]);
        let record = Record { value, ..Record::new(key(0), State::Done) };
        let ended = Conclusion { record, added: Vec::new() };
        let weight = |n| Entries::weight(&Entry::Ended(Arc::new(vec![ended.clone(); n])));
        assert!(weight(100) > 100 * 1000, "{}", weight(100));
        assert!(weight(200) - weight(100) == weight(100) - weight(0));
    }

    #[test]
    fn an_entry_is_dropped_before_it_is_durable() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let record = Record::new(key(0), State::Done);
        let endings = Arc::new(vec![Conclusion { record, added: Vec::new() }]);
        let kept = endings.clone();
        let (sender, holders) = mpsc::channel();
        let on_commit = move |_| sender.send(Arc::strong_count(&kept)).unwrap();
        let journal = Journal::create(&folder, 7, Span::ZERO, Entries::after, on_commit).unwrap();
        let mut log = Log::new(journal);
        log.append(Entry::Ended(endings));
        assert_eq!(holders.recv_timeout(Duration::from_secs(60)), Ok(1));
        log.close().unwrap();
    }
}
