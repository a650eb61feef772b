//! Takes up the job where the journal of an earlier epoch ends.

use std::sync::Arc;

use super::Master;
use crate::model::{AttemptKey, Record, Time};
use crate::sched::event::{Conclusion, Entry};
use crate::sched::ledger::Stage;
use crate::sched::{Action, Context};

impl Master {
    /// Takes in an entry of the journal of a run that goes on.
    pub(in crate::sched) fn replay(&mut self, cx: &mut Context<'_>, entry: Entry) {
        match entry {
            Entry::Opened { epoch, outlived, .. } => {
                self.outlived_for = self.outlived_for.max(outlived);
                self.former.1 = epoch;
                self.ledger.begin(epoch);
            }
            Entry::Closed(_) => {}
            Entry::Submitted(batch) => {
                let first = self.ledger.len();
                if let Err(why) = self.ledger.submit(&batch, cx.now) {
                    cx.note(format!("the journal holds a batch that cannot be: {why}"));
                }
                self.expect(first);
            }
            Entry::Sealed => self.ledger.seal(),
            Entry::Granted { keys, outlive } => {
                let outlived = keys.iter().filter(|_| outlive);
                self.outlived.extend(outlived.map(|key| (key.task, *key)));
                keys.into_iter().for_each(|key| self.ledger.replay_granted(key));
            }
            Entry::Returned(keys) => {
                keys.iter().for_each(|key| _ = self.outlived.remove(&key.task));
                let out = keys.into_iter().filter(|key| self.ledger.is_out(*key));
                let out: Vec<AttemptKey> = out.collect();
                out.into_iter().for_each(|key| self.ledger.returned(key.task));
            }
            Entry::Unwanted(ids) => {
                self.unwanted.extend(ids.into_iter().filter(|id| self.ledger.is_open(*id)));
            }
            Entry::Ended(endings) => {
                let endings = Arc::unwrap_or_clone(endings).into_iter();
                let records = endings.filter_map(|ended| self.replay_ended(cx.now, ended));
                let records: Vec<Record> = records.collect();
                if !records.is_empty() {
                    cx.actions.push(Action::Publish(records));
                }
            }
        }
    }

    /// The record, if it counts.
    fn replay_ended(&mut self, now: Time, ended: Conclusion) -> Option<Record> {
        let Conclusion { mut record, added } = ended;
        self.outlived.remove(&record.task);
        if !self.ledger.is_open(record.task) {
            return None;
        }
        self.ledger.replay_tried(record.task, record.attempt);
        self.settle(&record, added, now);
        self.ledger.describe(&mut record);
        Some(record)
    }

    /// Begins. Whatever the journal left unfinished is finished first: attempts that were out
    /// are lost, unless somebody may come back with them, and what the user did not want any more,
    /// or waits for a task that failed, is cancelled.
    pub(in crate::sched) fn start(&mut self, cx: &mut Context<'_>) {
        self.began = cx.now;
        self.curfew.begin(cx.now);
        self.outlook.begin(cx.now);
        let (run, epoch, wait) = (self.run, self.epoch, self.outlived_for);
        self.append(cx, Entry::Opened { run, epoch, outlived: wait });
        self.ledger.begin(epoch);
        let outlived = std::mem::take(&mut self.outlived);
        for id in self.ledger.in_stage(Stage::Granted) {
            let key = self.ledger.key(id);
            self.judge_former(cx, key, outlived.get(&id) == Some(&key));
        }
        // The journal ended between their return and their end.
        for id in self.unwanted.clone() {
            if self.ledger.is_open(id) && self.ledger.stage(id) != Stage::Granted {
                self.unwanted.remove(&id);
                self.cancel_now(cx, id);
            }
        }
        for stage in Stage::BAD {
            self.ledger.in_stage(stage).into_iter().for_each(|id| self.cancel_stranded(cx, id));
        }
        self.queue(self.ledger.in_stage(Stage::Ready));
        self.close_if_over(cx);
    }
}
