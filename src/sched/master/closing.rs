//! What is published, and how the run ends.

use std::sync::Arc;

use super::Master;
use crate::model::{Counts, ExitCode, Record, Verdict};
use crate::sched::event::Entry;
use crate::sched::message::Message;
use crate::sched::{Action, Context};

impl Master {
    /// The first so many entries are on disk: their records are final.
    pub(in crate::sched) fn durable(&mut self, cx: &mut Context<'_>, upto: u64) {
        self.durable = self.durable.max(upto);
        if !self.is_closed() {
            self.hand_out_withheld(cx, upto);
            self.close_if_over(cx);
        }
        while let Some((_, endings)) = self.unpublished.pop_front_if(|(at, _)| *at <= upto) {
            // The journal is done with them by now.
            let records = Arc::unwrap_or_clone(endings).into_iter().map(|ended| ended.record);
            let mut records: Vec<Record> = records.collect();
            records.iter_mut().for_each(|record| self.ledger.describe(record));
            cx.actions.push(Action::Publish(records));
        }
        if let Some((_, verdict)) = self.closing.take_if(|(at, _)| *at <= upto) {
            self.finished = true;
            for peer in self.peers() {
                Self::down(cx, peer, Message::Farewell);
            }
            cx.actions.push(Action::Finish(verdict));
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closing.is_some() || self.finished
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>, code: ExitCode, reason: String) {
        if !self.is_closed() {
            let elapsed = cx.now.since(self.began);
            let verdict = Verdict { code, reason, counts: self.ledger.counts(), elapsed };
            let at = self.append(cx, Entry::Closed(verdict.clone()));
            self.closing = Some((at, verdict));
        }
    }

    pub(super) fn close_if_over(&mut self, cx: &mut Context<'_>) {
        let counts = self.ledger.counts();
        if self.ledger.is_over() {
            let code = match counts.done == counts.tasks {
                true => ExitCode::Done,
                false => ExitCode::TaskFailed,
            };
            self.close(cx, code, outcome(&counts));
        } else if self.interrupted && self.nothing_out() {
            let why = if self.timed_out { "the time is up" } else { "interrupted" };
            let reason = format!("{why} with {} tasks still to do", counts.open());
            self.close(cx, ExitCode::Interrupted, reason);
        }
    }

    /// There is work, none of it is out, and no node that is there could ever do it.
    pub(super) fn give_up_if_stuck(&mut self, cx: &mut Context<'_>) {
        let waiting = self.work.queue().len();
        let stuck = waiting > 0 && !self.interrupted && self.nothing_out();
        let blocked = if stuck { self.work.unmeetable() } else { None };
        let (Some(urgency), false) = (blocked, self.is_closed()) else {
            self.stuck = None;
            return;
        };
        let since = *self.stuck.get_or_insert(cx.now);
        if since + self.wait_for_nodes > cx.now {
            return;
        }
        if self.is_out_of_time() {
            // The nodes may have gone since theirs is up.
            self.run_out_of_time(cx);
        } else {
            let task = self.ledger.name(urgency.task());
            let wait = self.wait_for_nodes;
            let reason = if self.peers().is_empty() {
                format!("no node for {wait}, with {waiting} tasks ready to run")
            } else {
                format!("no node for {wait} that has what task `{task}` asks for")
            };
            self.close(cx, ExitCode::Infrastructure, reason);
        }
    }
}

/// What became of all tasks, in a line.
fn outcome(counts: &Counts) -> String {
    let Counts { tasks, done, failed, cancelled, lost_for_good, .. } = *counts;
    match (done == tasks, lost_for_good) {
        (true, _) => format!("all {done} tasks are done"),
        (false, 0) => format!(
            "of {tasks} tasks {failed} failed and {cancelled} could not run or were cancelled"
        ),
        (false, lost) => format!(
            "of {tasks} tasks {failed} failed, {lost} were lost and may not be run again, and \
             {cancelled} could not run or were cancelled"
        ),
    }
}
