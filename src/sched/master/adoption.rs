//! Attempts that go on although the one is gone through whom they were given out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Master;
use crate::model::{AttemptKey, PeerId};
use crate::sched::Context;
use crate::sched::event::Entry;
use crate::sched::message::{Held, Member, Message};

/// Where nodes come from that say hello.
#[derive(Debug)]
pub(super) struct Origin {
    /// Whose they, or what they hold, may have been.
    former: BTreeSet<PeerId>,
    /// Those that were named among them and have gone on to another since.
    elsewhere: BTreeSet<PeerId>,
}

impl Origin {
    /// Whether this came with them.
    fn brings(&self, held: &Held) -> bool {
        held.by.is_none_or(|by| !self.elsewhere.contains(&by))
    }
}

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
        if self.work.child(peer).is_none() {
            return;
        }
        let nodes = joined.iter().map(|member| member.node).collect();
        let (joined, from) = self.welcome(cx, peer, joined, holding);
        let (me, outlived) = (cx.me, self.outlives(cx.me, peer));
        self.work.change(peer, joined, left);
        if !outlived && self.outlives(me, peer) {
            // What this process kept to itself may go to the newcomers.
            let keys = self.work.held_by(peer);
            if !keys.is_empty() && !self.is_closed() {
                self.append(cx, Entry::Granted { keys, outlive: true });
            }
        }
        if !holding.is_empty() {
            let refused = self.adopt(cx, peer, &from, holding);
            Self::down(cx, peer, Message::Accepted { nodes, refused });
        }
    }

    /// Nodes came to the child `peer`. They are not another's any more, and that one has to know before
    /// it is given again what they had: it would call that lost when it misses them. Of what a former
    /// incarnation had, it should. Those that are there, and where they come from.
    pub(super) fn welcome(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        mut joined: Vec<Member>,
        holding: &[Held],
    ) -> (Vec<Member>, Origin) {
        // One whose hello was long on its way is elsewhere by now, with what it holds.
        let is_late = |member: &mut Member| {
            self.roster.get(&member.node).is_some_and(|e| e.hello > member.hello)
        };
        let elsewhere = joined.extract_if(.., is_late).map(|member| member.node).collect();
        self.enroll(&joined);
        let mut from = Origin { former: BTreeSet::from([peer]), elsewhere };
        let brought = holding.iter().filter(|held| from.brings(held)).map(|held| held.key);
        let brought: Vec<AttemptKey> = brought.collect();
        for member in &joined {
            for former in self.work.transfer(member, peer) {
                let Member { node, hello, .. } = *member;
                let holding = brought.clone();
                Self::down(cx, former, Message::Moved { node, hello, holding });
                from.former.insert(former);
            }
        }
        (joined, from)
    }

    /// A child has these attempts in hand from now on, as far as they come `from` where they were, or
    /// nobody who is there had them. Those come back that were given up meanwhile, or went elsewhere.
    pub(super) fn adopt(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        from: &Origin,
        holding: &[Held],
    ) -> Vec<AttemptKey> {
        let (mut refused, mut unwanted) = (Vec::new(), Vec::new());
        for held in holding {
            let Held { key, request, .. } = held;
            let free = match self.work.holder(*key).filter(|_| self.awaits(*key)) {
                _ if !from.brings(held) => false,
                Some(holder) if from.former.contains(&holder) => self.work.release(holder, *key),
                Some(_) => false,
                None => self.leave_limbo(*key) || self.recognise(cx, *key),
            };
            if !free {
                refused.push(*key);
                continue;
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

    /// Whether a former master gave it out in its last moments, of which the journal does not know.
    fn recognise(&mut self, cx: &mut Context<'_>, key: AttemptKey) -> bool {
        let known = !self.is_closed() && self.ledger.may_be_out(key);
        if known {
            let request = Arc::clone(self.ledger.request(key.task));
            self.work.queue().remove(&request, &self.ledger.urgency(key.task));
            self.ledger.replay_granted(key);
            self.append(cx, Entry::Granted { keys: vec![key], outlive: true });
        }
        known
    }
}
