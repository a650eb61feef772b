//! What becomes of attempts, and what follows from that for the job.

use std::sync::Arc;

use super::{Enrolled, Master};
use crate::model::{
    Addition, Attempt, AttemptKey, Exit, PeerId, Place, Record, Rerun, State, TaskId, Time,
};
use crate::sched::Context;
use crate::sched::event::{Conclusion, Entry};
use crate::sched::ledger::Stage;
use crate::sched::message::Completion;

/// Why a task is cancelled that did not have to be.
const BY_THE_USER: &str = "cancelled by the user";

impl Master {
    pub(super) fn queue(&mut self, ready: Vec<TaskId>) {
        let ledger = &self.ledger;
        for run in ready.chunk_by(|a, b| ledger.request(*a) == ledger.request(*b)) {
            let items = run.iter().map(|id| (ledger.urgency(*id), *id));
            self.work.queue().push_run(ledger.request(run[0]), items);
        }
        ready.into_iter().for_each(|id| self.note_latest_start(id));
    }

    /// Whether what becomes of an attempt still counts: it is out, and the verdict, which counts
    /// all there is, is not written yet.
    pub(super) fn awaits(&self, key: AttemptKey) -> bool {
        !self.is_closed() && self.ledger.is_out(key)
    }

    /// An attempt has ended on a node. One that was given up before is dropped.
    pub(super) fn complete(&mut self, cx: &mut Context<'_>, completion: Completion) {
        let Completion { key, node, cores, start, end, clock, mut ending, recalled } = completion;
        if !self.awaits(key) {
            return;
        }
        let refused = self.ledger.check_additions(&ending.added).err();
        // That is no fault of the node.
        let tells_of_node = refused.is_none();
        if let Some(why) = refused {
            ending.exit = Exit::Code(1);
            ending.reason = Some(format!("it added tasks that cannot be: {why}"));
        }
        let state = match ending.exit.is_success() {
            _ if self.unwanted.contains(&key.task) => State::Cancelled,
            true => State::Done,
            // A launcher that ends a run may do so by signals to all its processes, tasks too.
            false if recalled || self.interrupted && ending.exit.is_by_request() => State::Lost,
            false => State::Failed,
        };
        let reason = match state {
            State::Done => None,
            State::Cancelled => Some(BY_THE_USER.to_owned()),
            State::Failed => Some(why_it_ended(ending.exit, ending.reason)),
            State::Lost => {
                let why = why_it_ended(ending.exit, ending.reason);
                Some(self.lost_reason(key, format!("it was ended with the run: {why}")))
            }
        };
        let mut record = self.record(key, state, reason);
        record.exit = Some(ending.exit);
        record.place = self.place(node).map(|place| Place { cores, ..place });
        (record.start, record.end, record.clock) = (Some(start), Some(end), clock);
        (record.usage, record.tail, record.value) = (ending.usage, ending.tail, ending.value);
        let added = if state == State::Done { ending.added } else { Vec::new() };
        self.conclude(cx, record, added);
        if tells_of_node {
            self.judge_node(cx, node, key.task, state);
        }
    }

    /// An attempt is lost. `silent`: its end was not seen.
    pub(super) fn lost(
        &mut self,
        cx: &mut Context<'_>,
        key: AttemptKey,
        node: Option<PeerId>,
        why: String,
        silent: bool,
    ) {
        if self.awaits(key) {
            let mut record = self.lost_record(key, why, silent);
            record.place = node.and_then(|node| self.place(node));
            record.end = Some(cx.now);
            self.conclude(cx, record, Vec::new());
        }
    }

    /// The record of an attempt that is lost, or by that at its end, if nobody wants the task.
    pub(super) fn lost_record(&self, key: AttemptKey, why: String, silent: bool) -> Record {
        if self.unwanted.contains(&key.task) {
            return self.record(key, State::Cancelled, Some(format!("{BY_THE_USER}; {why}")));
        }
        let overlap = silent && self.ledger.rerun(key.task) == Rerun::Always;
        let why = match overlap {
            true => format!("{why}: it may have gone on beside the next attempt"),
            false => self.lost_reason(key, why),
        };
        Record { overlap, ..self.record(key, State::Lost, Some(why)) }
    }

    fn lost_reason(&self, key: AttemptKey, why: String) -> String {
        match self.ledger.rerun(key.task) {
            Rerun::Always => why,
            Rerun::Never => format!("{why}, and the task may not be run again"),
        }
    }

    /// Cancels a task that is not out, since the user wants it so, and all that wait for it.
    pub(super) fn cancel_now(&mut self, cx: &mut Context<'_>, id: TaskId) {
        let request = Arc::clone(self.ledger.request(id));
        self.work.queue().remove(&request, &self.ledger.urgency(id));
        let key = AttemptKey { attempt: Attempt(0), ..self.ledger.key(id) };
        let record = self.record(key, State::Cancelled, Some(BY_THE_USER.to_owned()));
        self.conclude(cx, record, Vec::new());
    }

    pub(super) fn cancel_stranded(&mut self, cx: &mut Context<'_>, id: TaskId) {
        let why = format!("task `{}`, which it waits for, was not done", self.ledger.name(id));
        for next in self.ledger.stranded_by(id) {
            let key = AttemptKey { attempt: Attempt(0), ..self.ledger.key(next) };
            let record = self.record(key, State::Cancelled, Some(why.clone()));
            self.settle(&record, Vec::new(), cx.now);
            self.endings.push(Conclusion { record, added: Vec::new() });
        }
    }

    /// Makes an ending part of the job's state and of the journal, and draws its consequences.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>, record: Record, added: Vec<Addition>) {
        let first = self.ledger.len();
        let ready = self.settle(&record, added.clone(), cx.now);
        self.queue(ready);
        let id = record.task;
        if let (Some(start), Some(end)) = (record.start, record.end) {
            let (took, is_over) = (end.since(start), !self.ledger.is_open(id));
            self.outlook.tried(self.ledger.task(id), took, is_over, cx.now);
        }
        self.endings.push(Conclusion { record, added });
        if self.ledger.stage(id).is_bad() {
            self.cancel_stranded(cx, id);
        }
        self.cancel_barred(cx, first);
    }

    /// Cancels those of the tasks from `first` on that came too late to start ever.
    pub(super) fn cancel_barred(&mut self, cx: &mut Context<'_>, first: usize) {
        // Mostly none came.
        if self.ledger.len() > first {
            self.ledger.bars(first).into_iter().for_each(|id| self.cancel_stranded(cx, id));
        }
    }

    /// The one place where an ending changes the state of the job, whether it happens now or is
    /// read from the journal. Tasks that may start come back.
    pub(super) fn settle(
        &mut self,
        record: &Record,
        added: Vec<Addition>,
        now: Time,
    ) -> Vec<TaskId> {
        let id = record.task;
        self.unwanted.remove(&id);
        let (first, was_open) = (self.ledger.len(), self.ledger.is_open(id));
        let ready = match record.state {
            State::Done => {
                // Added first, so that the value is kept for those that want it. They were
                // checked before the record was written.
                let mut ready = self.ledger.add(added, now).unwrap_or_default();
                ready.extend(self.ledger.done(id, record.value.clone(), now));
                ready
            }
            State::Failed => {
                let again = self.ledger.failed(id);
                if again { vec![id] } else { Vec::new() }
            }
            State::Lost => {
                let again = self.ledger.lost(id);
                if again { vec![id] } else { Vec::new() }
            }
            State::Cancelled => {
                self.ledger.cancel(id);
                Vec::new()
            }
        };
        self.expect(first);
        if was_open && !self.ledger.is_open(id) {
            self.outlook.over(self.ledger.task(id));
        }
        ready
    }

    /// What ends in one step is written down together.
    pub(super) fn write_endings(&mut self, cx: &mut Context<'_>) {
        if !self.endings.is_empty() {
            let endings = Arc::new(std::mem::take(&mut self.endings));
            let at = self.append(cx, Entry::Ended(Arc::clone(&endings)));
            self.unpublished.push_back((at, endings));
        }
    }

    pub(super) fn record(&self, key: AttemptKey, state: State, reason: Option<String>) -> Record {
        let ready =
            (self.ledger.stage(key.task) != Stage::Waiting).then(|| self.ledger.ready_at(key.task));
        Record { reason, ready, ..Record::new(key, state) }
    }

    fn place(&self, node: PeerId) -> Option<Place> {
        let Enrolled { host, subcluster, .. } = self.roster.get(&node)?;
        Some(Place { subcluster: *subcluster, node, host: Arc::clone(host), cores: Arc::default() })
    }
}

fn why_it_ended(exit: Exit, reason: Option<String>) -> String {
    reason.unwrap_or_else(|| exit.to_string())
}
