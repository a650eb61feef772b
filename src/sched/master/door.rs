//! What the user asks of the master.

use std::sync::Arc;

use super::Master;
use crate::model::{ExitCode, PeerId, TaskId};
use crate::sched::Context;
use crate::sched::event::{Batch, Entry, Part};
use crate::sched::ledger::Stage;
use crate::sched::message::Message;

impl Master {
    pub(in crate::sched) fn submit(&mut self, cx: &mut Context<'_>, batch: Batch) {
        let first = self.ledger.len();
        let batch = Arc::new(batch);
        match self.ledger.submit(&batch, cx.now) {
            Ok(ready) => {
                self.expect(first);
                self.told = self.append(cx, Entry::Submitted(batch));
                self.queue(ready);
                self.cancel_barred(cx, first);
            }
            Err(why) => self.close(cx, ExitCode::BadInput, why),
        }
    }

    pub(in crate::sched) fn seal(&mut self, cx: &mut Context<'_>) {
        self.append(cx, Entry::Sealed);
        self.ledger.seal();
        self.close_if_over(cx);
    }

    /// Tasks are not wanted any more: those that are out are called off, others never start.
    pub(in crate::sched) fn cancel(&mut self, cx: &mut Context<'_>, ids: Vec<TaskId>) {
        if self.is_closed() {
            return;
        }
        let mut out = Vec::new();
        for id in ids {
            if !self.ledger.knows(id) {
                continue;
            }
            match self.ledger.stage(id) {
                Stage::Waiting | Stage::Ready => self.cancel_now(cx, id),
                Stage::Granted if self.unwanted.insert(id) => out.push(id),
                Stage::Granted | Stage::Done | Stage::Failed | Stage::Cancelled | Stage::Lost => {}
            }
        }
        if !out.is_empty() {
            let keys = out.iter().map(|id| self.ledger.key(*id)).collect();
            self.append(cx, Entry::Unwanted(out));
            for (peer, keys) in self.work.holders(&keys) {
                Self::down(cx, peer, Message::Cancel { keys, grace: None });
            }
        }
        self.close_if_over(cx);
    }

    /// Starts nothing more, waits for what runs, and ends resumable. Asked again, it does not
    /// wait.
    pub(in crate::sched) fn interrupt(&mut self, cx: &mut Context<'_>) {
        if self.interrupted {
            let reason = "interrupted; attempts that ran were stopped".to_owned();
            return self.close(cx, ExitCode::Interrupted, reason);
        }
        self.interrupted = true;
        for peer in self.peers() {
            self.drain_child(cx, peer);
        }
        self.close_if_over(cx);
    }

    /// A part of the run is to leave it. The sub-master in this process stays, whatever becomes of its
    /// nodes: others may need it yet.
    pub(in crate::sched) fn drain_part(&mut self, cx: &mut Context<'_>, part: Part) {
        let is_meant = |subcluster, node: PeerId| match part {
            Part::Node(meant) => node == meant,
            Part::Subcluster(meant) => subcluster == meant,
        };
        let mut found = false;
        let children = self.work.children().map(|(peer, child)| {
            let meant = child.members.values().filter(|m| is_meant(m.subcluster, m.node));
            let meant: Vec<PeerId> = meant.map(|member| member.node).collect();
            (peer, meant.len() == child.members.len(), meant)
        });
        let children: Vec<_> = children.filter(|(_, _, nodes)| !nodes.is_empty()).collect();
        for (peer, all, nodes) in children {
            found = true;
            self.count_out(&nodes);
            if all && peer != cx.me {
                self.drain_child(cx, peer);
            } else {
                for node in nodes {
                    Self::down(cx, peer, Message::DrainNode(node));
                }
            }
        }
        if !found {
            cx.note(format!("{part} is to leave, and is not there"));
        }
    }
}
