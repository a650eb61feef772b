//! The role that deals work to the nodes of a subcluster, and to the sub-masters of others below it,
//! and speaks for them upwards.
//!
//! Here is what it keeps, and what becomes of work; who comes and goes is in [`moves`], and how it goes
//! itself in [`leaving`].

mod leaving;
mod moves;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dispatcher::Dispatcher;
use super::lease::{Attachment, Due, Leases};
use super::message::{Address, Completion, Dispatch, Held, Lost, Member, Message, Renewal, Role};
use super::{Action, Context, Seat};
use crate::model::{AttemptKey, PeerId, Request, Resources, Span, SubclusterId, Time};
use leaving::Leaving;

/// What a child finishes in this time it is sent ahead.
const HORIZON: Span = Span::from_millis(5);

/// How long what a process ran may outlive it: until its guards have cleared up.
pub(super) const GUARDED: Span = Span::from_secs(1);

/// A sub-master.
#[derive(Debug)]
pub(super) struct SubMaster {
    subcluster: SubclusterId,
    lease: Span,
    parent: Attachment,
    /// The process of the master, which may be the parent's.
    master: PeerId,
    leases: Leases,
    work: Dispatcher<Dispatch>,
    /// Children that are sub-masters.
    below: BTreeSet<PeerId>,
    /// Children that said hello before this sub-master was welcome itself.
    unwelcomed: BTreeMap<PeerId, Time>,
    /// What of it counts that was brought to these children, or by them, the parent will say in this
    /// order. Nobody, where the child is gone meanwhile.
    asked: VecDeque<Option<PeerId>>,
    /// Attempts that were called off and may still come back from a node unstarted.
    unwanted: BTreeSet<AttemptKey>,
    /// How much the parent called back that is still to come from the nodes.
    owed: u32,
    draining: bool,
    leaving: Leaving,
    /// Its parent leaves, and has sent it on.
    dismissed: bool,
    /// Nodes that were here once, or below: what they ended may still have to be reported.
    departed: BTreeMap<PeerId, Member>,
    me: PeerId,
}

impl SubMaster {
    pub(super) fn new(seat: &Seat) -> SubMaster {
        let parent = match seat.master {
            local if local == seat.peer => Attachment::local(local),
            _ => Attachment::new(seat.parents(), seat.lease),
        };
        SubMaster {
            subcluster: seat.subcluster,
            lease: seat.lease,
            parent,
            master: seat.master,
            leases: Leases::default(),
            work: Dispatcher::new(HORIZON),
            below: BTreeSet::new(),
            unwelcomed: BTreeMap::new(),
            asked: VecDeque::new(),
            unwanted: BTreeSet::new(),
            owed: 0,
            draining: false,
            leaving: Leaving::No,
            dismissed: false,
            departed: BTreeMap::new(),
            me: seat.peer,
        }
    }

    pub(super) fn parent(&self) -> Address {
        let peer = self.parent.parent();
        let role = if peer == self.master { Role::Master } else { Role::SubMaster };
        Address { peer, role }
    }

    pub(super) fn seeking_since(&self) -> Option<Time> {
        self.parent.seeking_since()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let times = [self.parent.deadline(), self.leases.next(), self.work.next_recall()];
        times.into_iter().flatten().min()
    }

    fn up(&self, cx: &mut Context<'_>, message: Message) {
        cx.send(Role::SubMaster, self.parent(), message);
    }

    fn down(&self, cx: &mut Context<'_>, peer: PeerId, message: Message) {
        let role = if self.below.contains(&peer) { Role::SubMaster } else { Role::Node };
        cx.send(Role::SubMaster, Address { peer, role }, message);
    }

    fn peers(&self) -> Vec<PeerId> {
        self.work.children().map(|(peer, _)| peer).collect()
    }

    /// Says hello, with the nodes that are there.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.parent.greet(cx.now);
        self.greet(cx, Vec::new());
    }

    fn greet(&mut self, cx: &mut Context<'_>, holding: Vec<Held>) {
        let members = self.work.children().flat_map(|(_, c)| c.members.values().cloned());
        let (asked, members) = (cx.now, members.collect());
        self.up(cx, Message::Hello { asked, members, holding });
    }

    /// The master is dead: nobody gives away what is held here, for as long as `reattach`.
    pub(super) fn orphan(&mut self, reattach: Span) -> bool {
        self.parent.orphan(reattach)
    }

    /// Forgets everything, as if the process had just begun.
    pub(super) fn restart(&mut self, cx: &mut Context<'_>) {
        self.work = Dispatcher::new(HORIZON);
        self.leases = Leases::default();
        self.below.clear();
        self.unwelcomed.clear();
        self.asked.clear();
        self.unwanted.clear();
        self.owed = 0;
        self.draining = false;
        self.dismissed = false;
        self.departed.clear();
        self.start(cx);
    }

    /// Children that are silent are given up, and to be fenced. What is due with the parent.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> (Due, Vec<PeerId>) {
        let silent = self.leases.expired(cx.now);
        for node in &silent {
            let what = if self.below.contains(node) { "sub-master" } else { "node" };
            cx.note(format!(
                "{what} {node} has not been heard of for {}: taken for dead",
                self.lease
            ));
            self.child_lost(cx, *node);
        }
        let due = self.parent.due(cx.now);
        if due == Due::Renew {
            self.up(cx, Message::Renew { asked: cx.now });
        }
        (due, silent)
    }

    pub(super) fn receive(&mut self, cx: &mut Context<'_>, from: Address, message: Message) {
        if from == self.parent() {
            self.hear_parent(cx, message);
        } else if let Message::Hello { asked, members, holding } = message {
            self.join(cx, from, asked, members, holding);
        } else if self.is_child(from) {
            self.hear_child(cx, from.peer, message);
        }
    }

    fn hear_parent(&mut self, cx: &mut Context<'_>, message: Message) {
        match message {
            Message::Welcome(renewal) => {
                self.parent.renewed(renewal, cx.now);
                // The master gives nothing to who does not answer.
                self.up(cx, Message::Renew { asked: cx.now });
                self.welcome_all(cx);
            }
            Message::Renewed(renewal) => {
                self.parent.renewed(renewal, cx.now);
                self.welcome_all(cx);
            }
            Message::Accepted { nodes, refused } => self.accepted(cx, nodes, refused),
            Message::Moved { node, hello, holding } => {
                self.moved(cx, node, hello, &holding);
            }
            Message::Grant(dispatches) => self.work.queue().push_all(dispatches),
            Message::Recall { count, shapes } => self.recall(cx, count, &shapes),
            Message::Cancel { keys, grace } => self.cancel(cx, keys, grace),
            Message::Drain => self.drain(cx),
            Message::Dismiss => {
                self.dismissed = true;
                self.parent.send_on();
            }
            Message::DrainNode(node) => self.drain_node(cx, node),
            Message::BringIn(nodes) => {
                for (child, nodes) in self.work.bring_in(&nodes) {
                    self.down(cx, child, Message::BringIn(nodes));
                }
            }
            Message::Farewell => {
                for node in self.peers() {
                    self.down(cx, node, Message::Farewell);
                }
                // The node of this process may have left before.
                cx.actions.push(Action::Leave);
            }
            // Said by children only.
            Message::Hello { .. }
            | Message::Renew { .. }
            | Message::Members { .. }
            | Message::Done(_)
            | Message::Lost(_)
            | Message::Adrift { .. }
            | Message::Returned(_)
            | Message::Goodbye => {}
        }
    }

    fn is_child(&self, from: Address) -> bool {
        let role = if self.below.contains(&from.peer) { Role::SubMaster } else { Role::Node };
        from.role == role && self.work.child(from.peer).is_some()
    }

    fn hear_child(&mut self, cx: &mut Context<'_>, node: PeerId, message: Message) {
        match message {
            Message::Renew { asked } => self.renew(cx, node, asked),
            Message::Members { joined, left, holding } if self.below.contains(&node) => {
                self.change(cx, node, joined, left, holding);
                self.let_go(cx, node);
            }
            Message::Lost(lost) => self.lost(cx, node, lost),
            Message::Adrift { mut keys, until, mut nodes } => {
                keys.retain(|key| self.release(node, *key));
                nodes.retain(|node| !self.work.has_ended(*node));
                self.up(cx, Message::Adrift { keys, until, nodes });
            }
            Message::Done(completions) => self.done(cx, node, completions),
            Message::Returned(dispatches) => self.returned(cx, node, dispatches),
            Message::Drain => self.drain_child(cx, node),
            Message::Goodbye => self.child_lost(cx, node),
            // A node has no nodes, and what parents say is not for a parent.
            Message::Hello { .. }
            | Message::Members { .. }
            | Message::Welcome(_)
            | Message::Renewed(_)
            | Message::Accepted { .. }
            | Message::Moved { .. }
            | Message::Grant(_)
            | Message::Recall { .. }
            | Message::Cancel { .. }
            | Message::DrainNode(_)
            | Message::BringIn(_)
            | Message::Dismiss
            | Message::Farewell => {}
        }
    }

    /// A child does not have it any more. Whether it had it at all.
    fn release(&mut self, child: PeerId, key: AttemptKey) -> bool {
        self.unwanted.remove(&key);
        self.work.release(child, key)
    }

    /// What died with a node further down.
    fn lost(&mut self, cx: &mut Context<'_>, child: PeerId, mut lost: Vec<Lost>) {
        lost.retain(|lost| self.release(child, lost.key));
        lost.iter().for_each(|lost| self.work.left_nothing(child, lost.node));
        lost.iter_mut().for_each(|lost| lost.silent &= !self.work.has_ended(lost.node));
        if !lost.is_empty() {
            self.up(cx, Message::Lost(lost));
        }
    }

    fn renew(&mut self, cx: &mut Context<'_>, node: PeerId, asked: Time) {
        let welcome = self.work.child(node).is_some() && !self.unwelcomed.contains_key(&node);
        if welcome && self.parent.is_attached() {
            if !self.is_dismissed(node) {
                self.work.answered(node);
            }
            if node != self.me {
                self.leases.renew(node, cx.now + self.lease);
            }
            self.down(cx, node, Message::Renewed(self.renewal(cx.now, asked)));
            if self.is_dismissed(node) {
                // It may not have been able to reach another.
                self.down(cx, node, Message::Dismiss);
            }
        }
    }

    /// A node may act no longer than this sub-master may itself.
    fn renewal(&self, now: Time, asked: Time) -> Renewal {
        let clock = self.parent.clock();
        Renewal {
            asked,
            now: clock.map(now),
            error: clock.error(now),
            lease: self.parent.left(now, self.lease),
        }
    }

    fn done(&mut self, cx: &mut Context<'_>, node: PeerId, mut completions: Vec<Completion>) {
        self.work.done(node, &mut completions, cx.now);
        completions.iter().for_each(|c| _ = self.unwanted.remove(&c.key));
        if node == self.me {
            self.map_times(&mut completions);
        }
        if !completions.is_empty() {
            self.up(cx, Message::Done(completions));
        }
    }

    /// The node of this process knows only this process's clock.
    fn map_times(&self, completions: &mut [Completion]) {
        let clock = self.parent.clock();
        for completion in completions {
            let Completion { start, end, .. } = *completion;
            completion.clock = clock.error(start).max(clock.error(end));
            (completion.start, completion.end) = (clock.map(start), clock.map(end));
        }
    }

    /// What nodes give back goes up if it was called off, and else as far as the parent called
    /// for it; the rest goes to other nodes.
    fn returned(&mut self, cx: &mut Context<'_>, node: PeerId, mut dispatches: Vec<Dispatch>) {
        dispatches.retain(|d| self.work.release(node, d.key));
        let (mut back, mut rest): (Vec<_>, Vec<_>) =
            dispatches.into_iter().partition(|d| self.unwanted.remove(&d.key));
        let up = if self.draining { rest.len() } else { self.owed as usize };
        let stay = rest.split_off(up.min(rest.len()));
        self.owed -= (rest.len() as u32).min(self.owed);
        back.extend(rest);
        if !back.is_empty() {
            self.up(cx, Message::Returned(back));
        }
        self.work.queue().push_all(stay);
    }

    /// Gives back what waits here, and calls the rest back from the nodes.
    fn recall(&mut self, cx: &mut Context<'_>, count: u32, shapes: &[Resources]) {
        let suits = |r: &Request| shapes.iter().any(|shape| r.met_by(shape).is_some());
        let back = self.work.queue().take_least(count as usize, suits);
        self.owed = 0;
        let mut rest = count - back.len() as u32;
        for (node, surplus) in self.work.surplus() {
            let ask = rest.min(u32::try_from(surplus.div_ceil(2)).unwrap_or(u32::MAX));
            if ask > 0 {
                rest -= ask;
                self.owed += ask;
                self.down(cx, node, Message::Recall { count: ask, shapes: shapes.to_vec() });
            }
        }
        self.up(cx, Message::Returned(back));
    }

    fn cancel(&mut self, cx: &mut Context<'_>, keys: Vec<AttemptKey>, grace: Option<Span>) {
        let keys: BTreeSet<AttemptKey> = keys.into_iter().collect();
        let back = self.work.queue().take(|dispatch| keys.contains(&dispatch.key));
        if !back.is_empty() {
            self.up(cx, Message::Returned(back));
        }
        for (node, keys) in self.work.holders(&keys) {
            self.unwanted.extend(&keys);
            self.down(cx, node, Message::Cancel { keys, grace });
        }
    }

    /// Deals out what there is, at the end of each step. What no node here can run any more,
    /// since the one that could is gone, goes back up.
    pub(super) fn deal(&mut self, cx: &mut Context<'_>) {
        // A grant may come with a welcome that was long on its way. The node of this process has no lease
        // of its own to see that by.
        if !self.parent.may_act(cx.now) {
            return;
        }
        let back = self.work.take_unmeetable();
        if !back.is_empty() {
            self.up(cx, Message::Returned(back));
        }
        for (node, dispatches) in self.work.deal(|_, dispatch| dispatch.key) {
            self.down(cx, node, Message::Grant(dispatches));
        }
        for recall in self.work.recalls(cx.now) {
            let message = Message::Recall { count: recall.count, shapes: recall.shapes };
            self.down(cx, recall.child, message);
        }
    }
}
