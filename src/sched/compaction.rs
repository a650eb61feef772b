//! Fewer entries of a journal that mean the same to whoever goes on from it.
//!
//! What is kept of a task: its place in `Submitted`, or in the ending that added it; each of its
//! endings, since records and verdict are made of them, retries and values too; and whether it
//! is out now, as which attempt, and still wanted. What goes is how it came to that: attempts
//! that were given out and have ended or come back, and verdicts that were taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Conclusion, Entry};
use crate::model::{AttemptKey, JobId, TaskId};

/// Goes once through the entries of a journal, in order, and says which are to stay. It holds no
/// more than the names of the attempts that are out.
#[derive(Debug, Default)]
pub struct Compactor {
    out: BTreeMap<(JobId, TaskId), Out>,
    unwanted: BTreeSet<TaskId>,
}

/// The attempt of a task that is out, and whether it may go on without the master.
#[derive(Clone, Copy, Debug)]
struct Out {
    key: AttemptKey,
    outlive: bool,
}

impl Compactor {
    /// Whether the next entry is to stay as it is. What others say that still matters comes at
    /// the end, as the [`rest`](Self::rest).
    pub fn keeps(&mut self, entry: &Entry) -> bool {
        match entry {
            Entry::Opened { .. } | Entry::Submitted(_) | Entry::Sealed => return true,
            Entry::Ended(endings) => {
                for Conclusion { record, .. } in &**endings {
                    self.out.remove(&(record.job, record.task));
                    self.unwanted.remove(&record.task);
                }
                return true;
            }
            Entry::Granted { keys, outlive } => {
                for key in keys {
                    let said = Out { key: *key, outlive: *outlive };
                    let last = self.out.entry((key.job, key.task)).or_insert(said);
                    if last.key.attempt <= key.attempt {
                        *last = said;
                    }
                }
            }
            Entry::Returned(keys) => {
                for key in keys {
                    let at = (key.job, key.task);
                    if self.out.get(&at).is_some_and(|out| out.key.attempt == key.attempt) {
                        self.out.remove(&at);
                    }
                }
            }
            Entry::Unwanted(tasks) => self.unwanted.extend(tasks),
            Entry::Closed(_) => {}
        }
        false
    }

    /// What comes after the entries that stay: which attempts are out, and which of the tasks
    /// are not wanted any more.
    #[must_use]
    pub fn rest(&mut self) -> Vec<Entry> {
        let out: Vec<Out> = std::mem::take(&mut self.out).into_values().collect();
        let unwanted: Vec<TaskId> = std::mem::take(&mut self.unwanted).into_iter().collect();
        let mut rest = Vec::new();
        for outlive in [false, true] {
            let those = out.iter().filter(|out| out.outlive == outlive);
            let keys: Vec<AttemptKey> = those.map(|out| out.key).collect();
            if !keys.is_empty() {
                rest.push(Entry::Granted { keys, outlive });
            }
        }
        if !unwanted.is_empty() {
            rest.push(Entry::Unwanted(unwanted));
        }
        rest
    }
}

/// Fewer entries with the same meaning for a master that goes on from them.
#[must_use]
pub fn compact(entries: Vec<Entry>) -> Vec<Entry> {
    let mut compactor = Compactor::default();
    let mut kept = entries;
    kept.retain(|entry| compactor.keeps(entry));
    kept.extend(compactor.rest());
    kept
}

/// Says when a journal that grows is worth being compacted: when more than half of it could go,
/// and that is much.
#[derive(Debug)]
pub struct Upkeep {
    least: u64,
    all: u64,
    spare: u64,
}

impl Upkeep {
    /// Less than so many bytes are not worth the trouble, unless said otherwise.
    pub const LEAST: u64 = 64 << 20;

    /// Of a journal that has `held` bytes, all of which are needed.
    #[must_use]
    pub fn new(held: u64, least: u64) -> Upkeep {
        Upkeep { least, all: held, spare: 0 }
    }

    /// An entry of so many bytes was appended; whether it is time now. Whoever is told so is
    /// taken to have it done.
    pub fn is_due(&mut self, entry: &Entry, bytes: u64) -> bool {
        self.all += bytes;
        self.spare += match entry {
            // As good as all of them: what is out at a time is little.
            Entry::Granted { .. } | Entry::Returned(_) | Entry::Unwanted(_) | Entry::Closed(_) => {
                bytes
            }
            Entry::Opened { .. } | Entry::Submitted(_) | Entry::Sealed | Entry::Ended(_) => 0,
        };
        let due = self.spare > self.least && self.spare > self.all / 2;
        if due {
            self.all -= std::mem::take(&mut self.spare);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::sched::event::told::{ended, granted, key};

    #[test]
    fn what_is_out_is_said_once_and_last() {
        let entries = vec![
            granted(vec![key(0, 1), key(1, 1), key(2, 1)]),
            Entry::Returned(vec![key(1, 1)]),
            granted(vec![key(1, 1)]),
            Entry::Unwanted(vec![TaskId(0), TaskId(2)]),
            ended(0, 1, State::Lost),
            granted(vec![key(0, 2)]),
            Entry::Returned(vec![key(1, 1)]),
            Entry::Sealed,
        ];
        let left = [
            ended(0, 1, State::Lost),
            Entry::Sealed,
            granted(vec![key(0, 2), key(2, 1)]),
            Entry::Unwanted(vec![TaskId(2)]),
        ];
        assert_eq!(compact(entries), left);
        assert_eq!(compact(left.to_vec()), left, "nothing more can go");
        assert_eq!(compact(Vec::new()), []);
    }

    #[test]
    fn it_is_due_when_half_of_much_could_go() {
        let mut upkeep = Upkeep::new(50, 100);
        let (spare, needed) = (granted(vec![key(0, 1)]), Entry::Sealed);
        assert!(!upkeep.is_due(&spare, 90), "not much");
        assert!(!upkeep.is_due(&needed, 60));
        assert!(!upkeep.is_due(&spare, 20), "not half");
        assert!(upkeep.is_due(&spare, 1));
        assert!(!upkeep.is_due(&spare, 100), "those went");
        assert!(upkeep.is_due(&spare, 11));
    }
}
