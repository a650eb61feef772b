//! Attempts that go on although the one is gone through whom they were given out.

use std::collections::BTreeSet;

use super::Master;
use crate::model::{AttemptKey, PeerId};
use crate::sched::Context;
use crate::sched::message::{Held, Member, Message};

impl Master {
    /// Nodes of a sub-master came, maybe from another one with what they have in hand, or went.
    pub(super) fn change(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        joined: Vec<Member>,
        left: &[PeerId],
        holding: &[Held],
    ) {
        let Some(child) = self.work.child(peer) else { return };
        let subcluster = child.subcluster;
        self.enroll(&joined, subcluster);
        let nodes = joined.iter().map(|member| member.node).collect();
        joined.iter().for_each(|member| self.take_over(cx, member, peer, holding));
        self.work.change(peer, joined, left);
        if !holding.is_empty() {
            let refused = self.adopt(cx, peer, holding);
            Self::down(cx, peer, Message::Accepted { nodes, refused });
        }
    }

    /// A node that came to a sub-master is not another's any more. That has to know before it is
    /// given again what the node had: it would call that lost when it misses the node. Of what a
    /// former incarnation had, it should.
    fn take_over(&mut self, cx: &mut Context<'_>, member: &Member, to: PeerId, holding: &[Held]) {
        let Member { node, incarnation, .. } = *member;
        if let Some(from) = self.work.home(node, incarnation).filter(|from| *from != to) {
            self.work.change(from, Vec::new(), &[node]);
            let holding = holding.iter().map(|held| held.key).collect();
            Self::down(cx, from, Message::Moved { node, incarnation, holding });
        }
    }

    /// A child has these attempts in hand from now on, whoever had them before. Those that were
    /// given up meanwhile come back.
    pub(super) fn adopt(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        holding: &[Held],
    ) -> Vec<AttemptKey> {
        let (mut refused, mut unwanted) = (Vec::new(), Vec::new());
        for Held { key, request } in holding {
            if !self.awaits(*key) {
                refused.push(*key);
                continue;
            }
            match self.work.holder(*key) {
                Some(holder) => drop(self.work.release(holder, *key)),
                None => self.leave_limbo(*key),
            }
            self.work.hold(peer, *key, request);
            if self.unwanted.contains(&key.task) {
                unwanted.push(*key);
            }
        }
        if !unwanted.is_empty() {
            Self::down(cx, peer, Message::Cancel { keys: unwanted, grace: None });
        }
        refused
    }

    fn leave_limbo(&mut self, key: AttemptKey) {
        let found = self.limbo.values_mut().any(|keys| keys.remove(&key));
        if found {
            self.limbo.retain(|_, keys| !keys.is_empty());
        }
    }

    /// The process of a sub-master has ended.
    pub(in crate::sched) fn child_ended(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        if self.work.child(peer).is_some() {
            self.child_lost(cx, peer);
        }
    }
}

/// What nobody who is there has in hand, and somebody may run.
pub(super) type Limbo = BTreeSet<AttemptKey>;
