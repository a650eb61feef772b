//! Tasks that may not be begun twice: what is given out of them is on disk before anybody hears
//! of it, so that no master to come can think that it never was.

use std::collections::BTreeSet;

use super::Master;
use crate::model::{AttemptKey, PeerId, Rerun, TaskId};
use crate::sched::Context;
use crate::sched::event::Entry;
use crate::sched::message::Message;

impl Master {
    /// Gives what was dealt to those that it was dealt to: at once, but what may not be begun
    /// twice, which waits for the last entry that was appended.
    pub(super) fn hand_out(&mut self, cx: &mut Context<'_>, peer: PeerId, ids: Vec<TaskId>) {
        let again = |id: &TaskId| self.ledger.rerun(*id) == Rerun::Always;
        let (at_once, later): (Vec<TaskId>, Vec<TaskId>) = ids.into_iter().partition(again);
        if !later.is_empty() {
            let keys = later.into_iter().map(|id| self.ledger.key(id)).collect();
            self.withheld.insert((self.appended, peer), keys);
        }
        self.grant(cx, peer, &at_once);
    }

    fn grant(&self, cx: &mut Context<'_>, peer: PeerId, ids: &[TaskId]) {
        if !ids.is_empty() {
            let dispatches = ids.iter().map(|id| self.ledger.dispatch(*id)).collect();
            Self::down(cx, peer, Message::Grant(dispatches));
        }
    }

    /// The first so many entries are on disk: what waited for one of them is handed out, as far
    /// as it is still wanted.
    pub(super) fn hand_out_withheld(&mut self, cx: &mut Context<'_>, upto: u64) {
        while let Some(first) = self.withheld.first_entry().filter(|first| first.key().0 <= upto) {
            let ((_, peer), keys) = first.remove_entry();
            let is_unwanted = |key: &AttemptKey| self.unwanted.contains(&key.task);
            let (unwanted, wanted): (Vec<AttemptKey>, _) = keys.into_iter().partition(is_unwanted);
            self.back(cx, peer, unwanted);
            let ids: Vec<TaskId> = wanted.into_iter().map(|key| key.task).collect();
            self.grant(cx, peer, &ids);
        }
    }

    /// What a sub-master was to be given and has not heard of is given out anew.
    pub(super) fn take_back_withheld(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        let of_peer = self.withheld.extract_if(.., |(_, to), _| *to == peer);
        let keys: BTreeSet<AttemptKey> = of_peer.flat_map(|(_, keys)| keys).collect();
        self.back(cx, peer, keys);
    }

    /// Attempts that a child had in hand, or was to have, come back unstarted.
    pub(super) fn back(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        keys: impl IntoIterator<Item = AttemptKey>,
    ) {
        let mut back: Vec<AttemptKey> = keys.into_iter().collect();
        back.retain(|key| self.work.release(peer, *key) && self.awaits(*key));
        if back.is_empty() {
            return;
        }
        self.append(cx, Entry::Returned(back.clone()));
        for AttemptKey { task, .. } in back {
            self.ledger.returned(task);
            if self.unwanted.contains(&task) {
                self.cancel_now(cx, task);
            } else {
                self.queue(vec![task]);
            }
        }
    }

    /// A sub-master is to leave with all its nodes.
    pub(super) fn drain_child(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.work.drain(peer);
        self.take_back_withheld(cx, peer);
        Self::down(cx, peer, Message::Drain);
    }
}
