//! Takes up the job where the journal of an earlier epoch ends.

use super::Master;
use crate::model::{Addition, AttemptKey, Record};
use crate::sched::event::Entry;
use crate::sched::ledger::Stage;
use crate::sched::{Action, Context};

impl Master {
    /// Takes in an entry of the journal of a run that goes on.
    pub(in crate::sched) fn replay(&mut self, cx: &mut Context<'_>, entry: Entry) {
        match entry {
            Entry::Opened { .. } | Entry::Closed(_) => {}
            Entry::Submitted(batch) => {
                if let Err(why) = self.ledger.submit(batch, cx.now) {
                    cx.note(format!("the journal holds a batch that cannot be: {why}"));
                }
            }
            Entry::Sealed => self.ledger.seal(),
            Entry::Granted(keys) => {
                keys.into_iter().for_each(|key| self.ledger.replay_granted(key));
            }
            Entry::Returned(keys) => {
                let out = keys.into_iter().filter(|key| self.ledger.is_out(*key));
                let out: Vec<AttemptKey> = out.collect();
                out.into_iter().for_each(|key| self.ledger.returned(key.task));
            }
            Entry::Unwanted(ids) => {
                self.unwanted.extend(ids.into_iter().filter(|id| self.ledger.is_open(*id)));
            }
            Entry::Ended { record, added } => self.replay_ended(cx, *record, added),
        }
    }

    fn replay_ended(&mut self, cx: &mut Context<'_>, mut record: Record, added: Vec<Addition>) {
        if self.ledger.is_open(record.task) {
            self.ledger.replay_tried(record.task, record.attempt);
            self.settle(&record, added, cx.now);
            self.ledger.describe(&mut record);
            cx.actions.push(Action::Publish(Box::new(record)));
        }
    }

    /// Begins. Whatever the journal left unfinished is finished first: attempts that were out
    /// are lost, and what the user did not want any more, or waits for a task that failed, is
    /// cancelled.
    pub(in crate::sched) fn start(&mut self, cx: &mut Context<'_>) {
        self.began = cx.now;
        self.append(cx, Entry::Opened { run: self.run, epoch: self.epoch });
        for id in self.ledger.in_stage(Stage::Granted) {
            let reason = "it was out when the run was interrupted";
            let record = self.lost_record(self.ledger.key(id), reason.to_owned());
            self.conclude(cx, record, Vec::new());
        }
        // The journal ended between their return and their end.
        for id in std::mem::take(&mut self.unwanted) {
            if self.ledger.is_open(id) {
                self.cancel_now(cx, id);
            }
        }
        for stage in [Stage::Failed, Stage::Cancelled] {
            self.ledger.in_stage(stage).into_iter().for_each(|id| self.cancel_stranded(cx, id));
        }
        self.queue(self.ledger.in_stage(Stage::Ready));
        self.close_if_over(cx);
    }
}
