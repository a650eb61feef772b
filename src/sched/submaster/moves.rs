//! Children that come and go, and the sub-master's own changing over, each with what is in hand.
//!
//! What becomes of that is decided by the master alone: a sub-master keeps its books by what it is
//! told, and tells what it did.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::leaving::Leaving;
use super::{GUARDED, SubMaster};
use crate::model::{AttemptKey, PeerId, Request, Shared, Span, Time};
use crate::sched::Context;
use crate::sched::message::{Address, Held, HelloNumber, Lost, Member, Message, Role};

impl SubMaster {
    // ---- this sub-master changes over ----------------------------------------------------

    /// There is another master, in process `master` instead of `former`. A sub-master that was with the
    /// old one goes over to it with all that is held here. `unheard`: what was reported and may not
    /// have been heard.
    pub(in crate::sched) fn follow(
        &mut self,
        cx: &mut Context<'_>,
        former: PeerId,
        master: PeerId,
        unheard: Vec<Message>,
    ) {
        self.master = master;
        self.dismissed = false;
        if self.parent.parent() != former {
            self.parent.know(former, master);
        } else if self.parent.follow(former, master, cx.now) {
            self.bring(cx, unheard, true);
        } else {
            self.greet(cx, Vec::new());
        }
    }

    /// Goes to the next parent that can be reached with all that is held here, `unheard` as with
    /// [`follow`](Self::follow). Whether there is such a parent.
    pub(in crate::sched) fn change_parent(
        &mut self,
        cx: &mut Context<'_>,
        is_up: impl Fn(PeerId) -> bool,
        unheard: Vec<Message>,
    ) -> bool {
        let (levels, former) = (self.parent.further(), self.parent());
        let changed = self.parent.change(is_up);
        if changed {
            self.work.carry(levels);
            self.bring(cx, unheard, false);
            self.take_leave(cx, former);
        }
        changed
    }

    /// The parent is dead or silent, or sends it on, and no other can be reached yet.
    pub(in crate::sched) fn doubt(&mut self) {
        self.parent.doubt();
    }

    /// Whether it would change its parent if it could.
    pub(in crate::sched) fn is_in_doubt(&self) -> bool {
        self.parent.is_doubted()
    }

    /// Chooses the parent to greet after a lapse.
    pub(in crate::sched) fn turn(&mut self, is_up: impl Fn(PeerId) -> bool) {
        self.parent.turn(is_up);
    }

    fn bring(&mut self, cx: &mut Context<'_>, unheard: Vec<Message>, to_another_master: bool) {
        // What of it counts comes with the welcome.
        for child in std::mem::take(&mut self.asked).into_iter().flatten() {
            if self.below.contains(&child) && !self.unwelcomed.contains_key(&child) {
                let (nodes, refused) = (Vec::new(), Vec::new());
                self.down(cx, child, Message::Accepted { nodes, refused });
            }
        }
        self.owed = 0;
        let holding = self.holding(&unheard);
        self.greet(cx, holding);
        if to_another_master {
            self.remember_departed(cx);
        }
        unheard.into_iter().for_each(|report| self.up(cx, report));
        if self.draining || self.leaving == Leaving::Asked {
            self.up(cx, Message::Drain);
        }
    }

    /// A new master does not know those who left before it came, and may hear of what they ended.
    fn remember_departed(&mut self, cx: &mut Context<'_>) {
        let departed = self.departed.iter().filter(|(node, _)| self.is_gone(**node));
        let (left, joined): (Vec<PeerId>, Vec<Member>) =
            departed.map(|(node, member)| (*node, member.clone())).unzip();
        if !left.is_empty() {
            let holding = Vec::new();
            self.up(cx, Message::Members { joined, left: Vec::new(), holding: holding.clone() });
            self.up(cx, Message::Members { joined: Vec::new(), left, holding });
        }
    }

    fn holding(&self, unheard: &[Message]) -> Vec<Held> {
        let held = self.work.held();
        let held = held.map(|(by, key, request)| (key, Arc::clone(request), Some(by)));
        let waiting = self.work.waiting().map(|d| (d.key, Arc::clone(&d.work.request), None));
        // What has ended needs nothing more.
        let ended = unheard.iter().flat_map(reported).map(|key| (key, Request::shared(), None));
        let all = held.chain(waiting).chain(ended);
        all.map(|(key, request, by)| Held { key, request, by }).collect()
    }

    // ---- children that come --------------------------------------------------------------

    /// A child comes, maybe from another sub-master, with what it has in hand. How long it may go
    /// on with that it is told when the master has said what of it counts still.
    pub(super) fn join(
        &mut self,
        cx: &mut Context<'_>,
        from: Address,
        asked: Time,
        mut members: Vec<Member>,
        holding: Vec<Held>,
    ) {
        let child = from.peer;
        self.child_restarted(cx, child);
        if from.role == Role::SubMaster {
            self.below.insert(child);
        } else {
            // A node speaks for itself alone. Others would outlive it in the master's books.
            members.retain(|m| m.node == child);
            members.iter_mut().for_each(|m| m.subcluster = self.subcluster);
        }
        self.work.join(child, members.clone(), cx.now);
        self.unwelcomed.insert(child, asked);
        self.change(cx, child, members, Vec::new(), holding);
        if child != self.me {
            self.leases.renew(child, cx.now + self.lease);
        }
        self.welcome_all(cx);
    }

    /// Nodes came to a child, maybe from another with what they have in hand, or went.
    pub(super) fn change(
        &mut self,
        cx: &mut Context<'_>,
        child: PeerId,
        joined: Vec<Member>,
        mut left: Vec<PeerId>,
        holding: Vec<Held>,
    ) {
        self.remember(child, &left);
        for member in &joined {
            for from in self.work.transfer(member, child) {
                let holding = holding.iter().map(|held| held.key).collect();
                let Member { node, hello, .. } = *member;
                self.down(cx, from, Message::Moved { node, hello, holding });
            }
        }
        self.work.change(child, joined.clone(), &left);
        // Who was a member of another child in a former incarnation is here in this one.
        left.retain(|node| self.is_gone(*node));
        for Held { key, request, .. } in &holding {
            if let Some(holder) = self.work.holder(*key) {
                self.work.release(holder, *key);
            }
            self.work.hold(child, *key, request);
        }
        if !holding.is_empty() {
            self.asked.push_back(Some(child));
        }
        self.up(cx, Message::Members { joined, left, holding });
    }

    /// The parent has said what of that counts which a child has brought, or was brought to it.
    pub(super) fn accepted(
        &mut self,
        cx: &mut Context<'_>,
        nodes: Vec<PeerId>,
        refused: Vec<AttemptKey>,
    ) {
        let Some(child) = self.asked.pop_front().flatten() else { return };
        if self.below.contains(&child) && !self.unwelcomed.contains_key(&child) {
            return self.down(cx, child, Message::Accepted { nodes, refused });
        }
        if !refused.is_empty() {
            self.cancel(cx, refused, Some(Span::ZERO));
        }
        self.welcome_all(cx);
    }

    /// A child is welcome once this sub-master is, since before there is no lease to pass on, and
    /// once it is known what of that counts which it has in hand.
    pub(super) fn welcome_all(&mut self, cx: &mut Context<'_>) {
        if !self.parent.is_attached() {
            return;
        }
        let waits = |child: &PeerId| self.asked.contains(&Some(*child));
        let (wait, ready): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.unwelcomed).into_iter().partition(|(child, _)| waits(child));
        self.unwelcomed = wait;
        for (child, asked) in ready {
            let renewal = self.renewal(cx.now, asked);
            self.down(cx, child, Message::Welcome(renewal));
            if self.is_dismissed(child) {
                self.dismiss(cx, child);
            } else if self.draining {
                self.work.drain(child);
                self.down(cx, child, Message::Drain);
            }
        }
    }

    // ---- children that go ----------------------------------------------------------------

    /// The process of a child has ended. What a node ran has too when its guards have cleared up; the
    /// nodes of a sub-master go on.
    pub(in crate::sched) fn child_ended(&mut self, cx: &mut Context<'_>, child: PeerId) {
        self.work.saw_end(child);
        if self.below.contains(&child) {
            self.child_lost(cx, child);
        } else {
            self.leases.shorten(child, cx.now + GUARDED);
        }
    }

    /// A child is another than it was, and so has ended as that.
    pub(in crate::sched) fn child_restarted(&mut self, cx: &mut Context<'_>, child: PeerId) {
        if self.work.child(child).is_some() {
            self.work.saw_end(child);
            self.child_lost(cx, child);
        }
    }

    /// A child is gone, and with a node what it held. What a sub-master held its nodes may still run,
    /// until the lease is over that they had through it.
    pub(super) fn child_lost(&mut self, cx: &mut Context<'_>, child: PeerId) {
        if self.work.child(child).is_none() {
            return;
        }
        let is_node = !self.below.contains(&child);
        let mut left = self.members_of(child);
        let mut nodes: Vec<PeerId> = self.work.unaccounted(child).into_keys().collect();
        let (keys, until) = self.part_with(child);
        left.retain(|node| self.is_gone(*node));
        self.up(cx, Message::Members { joined: Vec::new(), left, holding: Vec::new() });
        if is_node {
            self.report_lost(cx, child, keys, !nodes.is_empty());
        } else if !keys.is_empty() {
            let until = until.map_or(Span::ZERO, |until| until.since(cx.now));
            nodes.retain(|node| self.is_gone(*node));
            self.up(cx, Message::Adrift { keys, until, nodes });
        }
        self.go_on_leaving(cx);
    }

    /// The nodes of a child; a node has itself, also when it counts for nothing more.
    pub(super) fn members_of(&self, child: PeerId) -> Vec<PeerId> {
        if !self.below.contains(&child) {
            return vec![child];
        }
        self.work.child(child).map(|c| c.members.keys().copied().collect()).unwrap_or_default()
    }

    fn is_gone(&self, node: PeerId) -> bool {
        self.work.homes(node).next().is_none()
    }

    /// Nodes of a child leave.
    fn remember(&mut self, child: PeerId, left: &[PeerId]) {
        let Some(child) = self.work.child(child) else { return };
        let members = left.iter().filter_map(|node| child.members.get(node));
        self.departed.extend(members.map(|member| (member.node, member.clone())));
    }

    /// Forgets a child. What it held is given back, and until when it had a lease.
    fn part_with(&mut self, child: PeerId) -> (Vec<AttemptKey>, Option<Time>) {
        let members = self.members_of(child);
        self.remember(child, &members);
        let until = self.leases.forget(child);
        self.below.remove(&child);
        self.unwelcomed.remove(&child);
        self.asked
            .iter_mut()
            .filter(|asked| **asked == Some(child))
            .for_each(|asked| *asked = None);
        let held = self.work.leave(child);
        held.iter().for_each(|key| _ = self.unwanted.remove(key));
        (held, until)
    }

    /// A node is elsewhere now, with what it brought there; unless it is back already. The rest was on
    /// its way to the node, which does not take it any more. A sub-master all of whose nodes are
    /// elsewhere has changed over itself.
    pub(super) fn moved(
        &mut self,
        cx: &mut Context<'_>,
        node: PeerId,
        hello: HelloNumber,
        brought: &[AttemptKey],
    ) {
        let homes = self.work.homes(node).filter(|(_, at)| *at < hello);
        let homes: Vec<PeerId> = homes.map(|(child, _)| child).collect();
        for child in homes {
            brought.iter().for_each(|key| _ = self.release(child, *key));
            self.remember(child, &[node]);
            self.work.remove(child, node);
            if self.below.contains(&child) {
                let holding = brought.to_vec();
                self.down(cx, child, Message::Moved { node, hello, holding });
            }
            if self.is_dismissed(child) {
                // What it said before it went is still to come.
                continue;
            }
            if self.work.child(child).is_some_and(|child| child.members.is_empty()) {
                let silent = !self.work.unaccounted(child).is_empty();
                let (rest, _) = self.part_with(child);
                self.report_lost(cx, child, rest, silent);
                self.go_on_leaving(cx);
            }
        }
    }

    /// `silent`: its end was not seen.
    fn report_lost(
        &mut self,
        cx: &mut Context<'_>,
        node: PeerId,
        keys: Vec<AttemptKey>,
        silent: bool,
    ) {
        if !keys.is_empty() {
            let lost = keys.into_iter().map(|key| Lost { key, node, silent });
            self.up(cx, Message::Lost(lost.collect()));
        }
    }
}

/// The attempts that ended by a report, well, badly or with their node.
fn reported(message: &Message) -> Vec<AttemptKey> {
    match message {
        Message::Done(completions) => completions.iter().map(|c| c.key).collect(),
        Message::Lost(lost) => lost.iter().map(|l| l.key).collect(),
        Message::Adrift { keys, .. } => keys.clone(),
        _ => Vec::new(),
    }
}
