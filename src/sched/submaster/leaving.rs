//! Who leaves: a child, or the sub-master itself, with its own nodes. Sub-masters below it stay in the
//! run: they go to the next one above first, with all that they hold.

use super::SubMaster;
use crate::model::PeerId;
use crate::sched::Context;
use crate::sched::message::{Address, Message, Role};

/// How far a sub-master has come in leaving by its own wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It stays.
    No,
    /// It sends on the sub-masters below it.
    Dismisses,
    /// None is left, and it has asked to be drained.
    Asked,
}

impl SubMaster {
    /// Wants to leave with all its nodes.
    pub(in crate::sched) fn ask_to_leave(&mut self, cx: &mut Context<'_>) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Dismisses;
            let welcome = |child: &&PeerId| !self.unwelcomed.contains_key(child);
            let welcome: Vec<PeerId> = self.below.iter().filter(welcome).copied().collect();
            welcome.into_iter().for_each(|child| self.dismiss(cx, child));
            self.go_on_leaving(cx);
        }
    }

    /// Whether it wants that.
    pub(in crate::sched) fn is_to_leave(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// Whether a child is to go on to another parent.
    pub(super) fn is_dismissed(&self, child: PeerId) -> bool {
        self.is_to_leave() && self.below.contains(&child)
    }

    /// Sends a child on. It is given nothing more, so that all that it was given it takes along.
    pub(super) fn dismiss(&mut self, cx: &mut Context<'_>, child: PeerId) {
        self.work.hold_back(child);
        self.down(cx, child, Message::Dismiss);
    }

    /// A child that was sent on has gone, and says so last: with what it held it is elsewhere, or on its
    /// way there.
    pub(super) fn let_go(&mut self, cx: &mut Context<'_>, child: PeerId) {
        let is_empty = self.work.child(child).is_some_and(|child| child.members.is_empty());
        if is_empty && self.is_dismissed(child) {
            self.child_lost(cx, child);
        }
    }

    /// Has gone on from a parent that leaves, and tells it so.
    pub(super) fn take_leave(&mut self, cx: &mut Context<'_>, former: Address) {
        if std::mem::take(&mut self.dismissed) {
            let nodes = self.work.children().flat_map(|(_, child)| child.members.keys());
            let (joined, left, holding) = (Vec::new(), nodes.copied().collect(), Vec::new());
            cx.send(Role::SubMaster, former, Message::Members { joined, left, holding });
        }
    }

    /// Whether its parent has sent it on.
    pub(in crate::sched) fn was_dismissed(&self) -> bool {
        self.dismissed
    }

    /// A child is gone: it may have been the last that others have waited for.
    pub(super) fn go_on_leaving(&mut self, cx: &mut Context<'_>) {
        if self.draining && self.peers().is_empty() {
            self.up(cx, Message::Goodbye);
        } else if self.leaving == Leaving::Dismisses && self.below.is_empty() {
            self.leaving = Leaving::Asked;
            self.up(cx, Message::Drain);
        }
    }

    /// Starts nothing more, since the parent wants it so: gives back what has not been dealt out.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) {
        self.draining = true;
        for child in self.peers() {
            if !self.is_dismissed(child) {
                self.work.drain(child);
                self.down(cx, child, Message::Drain);
            }
        }
        let back = self.work.queue().drain().collect();
        self.up(cx, Message::Returned(back));
    }

    /// A node is to leave, here or further down.
    pub(super) fn drain_node(&mut self, cx: &mut Context<'_>, node: PeerId) {
        if self.work.child(node).is_some() && !self.below.contains(&node) {
            return self.drain_child(cx, node);
        }
        let homes: Vec<PeerId> = self.work.homes(node).map(|(child, _)| child).collect();
        homes.into_iter().for_each(|child| self.down(cx, child, Message::DrainNode(node)));
    }

    /// A child is to leave: it counts for nothing more, neither here nor above.
    pub(super) fn drain_child(&mut self, cx: &mut Context<'_>, child: PeerId) {
        self.work.drain(child);
        let left = self.members_of(child);
        self.up(cx, Message::Members { joined: Vec::new(), left, holding: Vec::new() });
        self.down(cx, child, Message::Drain);
    }
}
