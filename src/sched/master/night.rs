//! What the master does when the time of the run runs out: it begins nothing that cannot end in
//! time, and ends the run so that it can be resumed.

use std::sync::Arc;

use super::Master;
use crate::model::{Cost, Span, TaskId, Time};
use crate::sched::Context;
use crate::sched::ledger::Stage;

impl Master {
    /// By when a task that may start has to, if it is known how long it takes.
    pub(super) fn note_latest_start(&mut self, id: TaskId) {
        let task = self.ledger.task(id);
        let takes = match &task.cost {
            Cost::Unknown => task.settings.time_limit.unwrap_or(Span::ZERO),
            known => known.mean(),
        };
        if let Some(latest) = self.curfew.latest_start(takes + task.settings.grace) {
            self.latest_starts.insert((latest, id));
        }
    }

    /// Takes out of the queue what could not end in time any more.
    pub(super) fn park_late(&mut self, cx: &mut Context<'_>) {
        let before = self.parked;
        while let Some((at, id)) = self.latest_starts.first().copied().filter(|l| l.0 <= cx.now) {
            self.latest_starts.remove(&(at, id));
            if self.ledger.stage(id) == Stage::Ready {
                let request = Arc::clone(self.ledger.request(id));
                let found = self.work.queue().remove(&request, &self.ledger.urgency(id));
                self.parked += u64::from(found.is_some());
            }
        }
        if before == 0 && self.parked > 0 {
            cx.note(
                "what takes longer than the time that is left is not begun any more".to_owned(),
            );
        }
    }

    /// Drains the run when its time is almost up, or when nothing is left that could end in time.
    pub(super) fn mind_the_time(&mut self, cx: &mut Context<'_>) {
        if self.is_closed() {
            return;
        }
        self.park_late(cx);
        // Before the whole job is there, there is nothing to resume.
        if !self.ledger.is_sealed() {
            return;
        }
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= cx.now);
        let only_late = self.parked > 0 && self.work.queue().len() == 0 && self.nothing_out();
        if !self.interrupted && (only_late || is_due(self.curfew.drain_at())) {
            self.run_out_of_time(cx);
        } else if self.interrupted && is_due(self.curfew.close_at()) {
            // Some node does not answer, or ends nothing.
            self.interrupt(cx);
        }
    }

    /// Whether part of what is left can not be done in the time of the run: it will have to be taken up
    /// again.
    pub(super) fn is_out_of_time(&self) -> bool {
        self.parked > 0 && self.ledger.is_sealed()
    }

    pub(super) fn run_out_of_time(&mut self, cx: &mut Context<'_>) {
        self.timed_out = true;
        cx.note("the time is almost up: nothing more is started".to_owned());
        self.interrupt(cx);
    }

    /// When [`mind_the_time`](Self::mind_the_time) is to be called next.
    pub(super) fn next_hour(&self) -> Option<Time> {
        let next = if self.interrupted { self.curfew.close_at() } else { self.curfew.drain_at() };
        let next = next.filter(|_| self.ledger.is_sealed());
        let latest = self.latest_starts.first().map(|(at, _)| *at);
        next.into_iter().chain(latest).min()
    }
}
