//! The role that deals work to the nodes of a subcluster, and speaks for them upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::dispatcher::Dispatcher;
use super::lease::{Attachment, Due, Leases};
use super::message::{
    Address, Completion, Dispatch, Held, HelloNumber, Lost, Member, Message, Renewal, Role,
};
use super::{Context, Seat};
use crate::model::{AttemptKey, PeerId, Request, Resources, Span, SubclusterId, Time};

/// What a node finishes in this time it is sent ahead.
const HORIZON: Span = Span::from_millis(5);

/// How long what a process ran may outlive it: until its guards have cleared up.
pub(super) const GUARDED: Span = Span::from_secs(1);

/// A sub-master.
#[derive(Debug)]
pub(super) struct SubMaster {
    subcluster: SubclusterId,
    lease: Span,
    parent: Attachment,
    leases: Leases,
    work: Dispatcher<Dispatch>,
    /// Nodes that said hello before this sub-master was welcome itself.
    unwelcomed: BTreeMap<PeerId, Time>,
    /// Those of them that came with something in hand, until the master has said what of it counts.
    unaccepted: BTreeSet<PeerId>,
    /// Attempts that were called off and may still come back from a node unstarted.
    unwanted: BTreeSet<AttemptKey>,
    /// How much the parent called back that is still to come from the nodes.
    owed: u32,
    draining: bool,
    /// Nodes that were here once: what they ended may still have to be reported.
    departed: BTreeMap<PeerId, Member>,
    me: PeerId,
}

impl SubMaster {
    pub(super) fn new(seat: &Seat) -> SubMaster {
        let parent = match seat.master {
            local if local == seat.peer => Attachment::local(local),
            remote => Attachment::new(vec![remote], seat.lease),
        };
        SubMaster {
            subcluster: seat.subcluster,
            lease: seat.lease,
            parent,
            leases: Leases::default(),
            work: Dispatcher::new(HORIZON),
            unwelcomed: BTreeMap::new(),
            unaccepted: BTreeSet::new(),
            unwanted: BTreeSet::new(),
            owed: 0,
            draining: false,
            departed: BTreeMap::new(),
            me: seat.peer,
        }
    }

    pub(super) fn parent(&self) -> Address {
        Address { peer: self.parent.parent(), role: Role::Master }
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

    fn down(cx: &mut Context<'_>, peer: PeerId, message: Message) {
        cx.send(Role::SubMaster, Address { peer, role: Role::Node }, message);
    }

    fn nodes(&self) -> Vec<PeerId> {
        self.work.children().map(|(peer, _)| peer).collect()
    }

    /// Says hello, with the nodes that are there.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.parent.greet(cx.now);
        self.greet(cx, Vec::new());
    }

    fn greet(&mut self, cx: &mut Context<'_>, holding: Vec<Held>) {
        let members = self.work.children().flat_map(|(_, c)| c.members.values().cloned());
        let (asked, subcluster, members) = (cx.now, self.subcluster, members.collect());
        self.up(cx, Message::Hello { asked, subcluster, members, holding });
    }

    /// The master is dead: nobody gives away what is held here, for as long as `reattach`.
    pub(super) fn orphan(&mut self, reattach: Span) -> bool {
        self.parent.orphan(reattach)
    }

    /// Goes over from the master in process `former` to the one in `master`, with all that is held
    /// here. `unheard`: what was reported and may not have been heard.
    pub(super) fn follow(
        &mut self,
        cx: &mut Context<'_>,
        former: PeerId,
        master: PeerId,
        unheard: Vec<Message>,
    ) {
        if !self.parent.follow(former, master, cx.now) {
            return self.greet(cx, Vec::new());
        }
        // What of it counts comes with the welcome.
        self.unaccepted.clear();
        self.owed = 0;
        let holding = self.holding(&unheard);
        self.greet(cx, holding);
        self.remember_departed(cx);
        unheard.into_iter().for_each(|report| self.up(cx, report));
        if self.draining {
            self.up(cx, Message::Drain);
        }
    }

    /// A new master does not know those who left before it came, and may hear of what they ended.
    fn remember_departed(&mut self, cx: &mut Context<'_>) {
        let gone = |node: &PeerId| self.work.child(*node).is_none();
        let departed = self.departed.iter().filter(|(node, _)| gone(node));
        let (left, joined): (Vec<PeerId>, Vec<Member>) =
            departed.map(|(node, member)| (*node, member.clone())).unzip();
        if !left.is_empty() {
            let holding = Vec::new();
            self.up(cx, Message::Members { joined, left: Vec::new(), holding: holding.clone() });
            self.up(cx, Message::Members { joined: Vec::new(), left, holding });
        }
    }

    fn holding(&self, unheard: &[Message]) -> Vec<Held> {
        let held = self.work.held().map(|(key, request)| (key, Arc::clone(request)));
        let waiting = self.work.waiting().map(|d| (d.key, Arc::clone(&d.request)));
        // What has ended needs nothing more.
        let ended = unheard.iter().flat_map(reported).map(|key| (key, Arc::default()));
        let all = held.chain(waiting).chain(ended);
        all.map(|(key, request)| Held { key, request }).collect()
    }

    /// Forgets everything, as if the process had just begun.
    pub(super) fn restart(&mut self, cx: &mut Context<'_>) {
        self.work = Dispatcher::new(HORIZON);
        self.leases = Leases::default();
        self.unwelcomed.clear();
        self.unaccepted.clear();
        self.unwanted.clear();
        self.owed = 0;
        self.draining = false;
        self.departed.clear();
        self.start(cx);
    }

    /// Nodes that are silent are given up; whether the own lease has lapsed. The second value
    /// names the nodes to fence.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> (bool, Vec<PeerId>) {
        let silent = self.leases.expired(cx.now);
        for node in &silent {
            cx.note(format!(
                "node {node} has not been heard of for {}: taken for dead",
                self.lease
            ));
            self.child_lost(cx, *node);
        }
        let lapsed = match self.parent.due(cx.now) {
            // There is no other master to go to.
            Due::Nothing | Due::Move => false,
            Due::Renew => {
                self.up(cx, Message::Renew { asked: cx.now });
                false
            }
            Due::Lapsed => true,
        };
        (lapsed, silent)
    }

    /// The process of a node has ended; what it ran has too when its guards have cleared up.
    pub(super) fn child_ended(&mut self, cx: &mut Context<'_>, node: PeerId) {
        self.leases.shorten(node, cx.now + GUARDED);
    }

    /// Forgets a node. What it held is given back.
    fn part_with(&mut self, node: PeerId) -> Vec<AttemptKey> {
        self.leases.forget(node);
        self.unwelcomed.remove(&node);
        self.unaccepted.remove(&node);
        if let Some(member) = self.work.child(node).and_then(|child| child.members.get(&node)) {
            self.departed.insert(node, member.clone());
        }
        let held = self.work.leave(node);
        held.iter().for_each(|key| _ = self.unwanted.remove(key));
        held
    }

    fn leave_if_empty(&mut self, cx: &mut Context<'_>) {
        if self.draining && self.nodes().is_empty() {
            self.up(cx, Message::Goodbye);
        }
    }

    /// A node is another sub-master's now, with what it brought there; unless it is back already.
    /// The rest was on its way to the node, which does not take it any
    /// more.
    fn moved(
        &mut self,
        cx: &mut Context<'_>,
        node: PeerId,
        hello: HelloNumber,
        brought: &[AttemptKey],
    ) {
        let member = self.work.child(node).and_then(|child| child.members.get(&node));
        if member.is_some_and(|member| member.hello < hello) {
            let mut held = self.part_with(node);
            held.retain(|key| !brought.contains(key));
            self.report_lost(cx, node, held);
            self.leave_if_empty(cx);
        }
    }

    fn report_lost(&mut self, cx: &mut Context<'_>, node: PeerId, keys: Vec<AttemptKey>) {
        if !keys.is_empty() {
            let lost = keys.into_iter().map(|key| Lost { key, node });
            self.up(cx, Message::Lost(lost.collect()));
        }
    }

    /// A node is gone, and what it held with it.
    pub(super) fn child_lost(&mut self, cx: &mut Context<'_>, node: PeerId) {
        if self.work.child(node).is_none() {
            return;
        }
        let lost = self.part_with(node);
        self.up(cx, Message::Members { joined: Vec::new(), left: vec![node], holding: Vec::new() });
        self.report_lost(cx, node, lost);
        self.leave_if_empty(cx);
    }

    pub(super) fn receive(&mut self, cx: &mut Context<'_>, from: Address, message: Message) {
        if from == self.parent() {
            self.hear_parent(cx, message);
        } else if from.role == Role::Node {
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
            Message::Accepted { nodes, refused } => self.accepted(cx, &nodes, refused),
            Message::Moved { node, hello, holding } => {
                self.moved(cx, node, hello, &holding);
            }
            Message::Grant(dispatches) => {
                for dispatch in dispatches {
                    self.enqueue(dispatch);
                }
            }
            Message::Recall { count, shapes } => self.recall(cx, count, &shapes),
            Message::Cancel { keys, grace } => self.cancel(cx, keys, grace),
            Message::Drain => {
                self.draining = true;
                for node in self.nodes() {
                    self.work.drain(node);
                    Self::down(cx, node, Message::Drain);
                }
                let back = self.work.queue().drain().collect();
                self.up(cx, Message::Returned(back));
            }
            Message::Farewell => {
                for node in self.nodes() {
                    Self::down(cx, node, Message::Farewell);
                }
            }
            // Said by children only.
            Message::Hello { .. }
            | Message::Renew { .. }
            | Message::Members { .. }
            | Message::Done(_)
            | Message::Lost(_)
            | Message::Returned(_)
            | Message::Goodbye => {}
        }
    }

    fn hear_child(&mut self, cx: &mut Context<'_>, node: PeerId, message: Message) {
        match message {
            Message::Hello { asked, members, holding, .. } => {
                self.join(cx, node, asked, members, holding);
            }
            Message::Renew { asked } => self.renew(cx, node, asked),
            Message::Done(completions) => self.done(cx, node, completions),
            Message::Returned(dispatches) => self.returned(cx, node, dispatches),
            Message::Drain => self.drain_node(cx, node),
            Message::Goodbye => self.child_lost(cx, node),
            // A node has no nodes, and what parents say is not for a parent.
            Message::Members { .. }
            | Message::Lost(_)
            | Message::Welcome(_)
            | Message::Renewed(_)
            | Message::Accepted { .. }
            | Message::Moved { .. }
            | Message::Grant(_)
            | Message::Recall { .. }
            | Message::Cancel { .. }
            | Message::Farewell => {}
        }
    }

    /// A node is to leave: it counts for nothing more, neither here nor above.
    fn drain_node(&mut self, cx: &mut Context<'_>, node: PeerId) {
        if self.work.child(node).is_none() {
            return;
        }
        self.work.drain(node);
        self.up(cx, Message::Members { joined: Vec::new(), left: vec![node], holding: Vec::new() });
        Self::down(cx, node, Message::Drain);
    }

    /// A node comes, maybe from another sub-master, with what it has in hand. How long it may go
    /// on with that it is told when the master has said what of it counts still.
    fn join(
        &mut self,
        cx: &mut Context<'_>,
        node: PeerId,
        asked: Time,
        members: Vec<Member>,
        holding: Vec<Held>,
    ) {
        self.child_lost(cx, node);
        // A node speaks for itself alone. Others would outlive it in the master's books.
        let members: Vec<Member> = members.into_iter().filter(|m| m.node == node).collect();
        self.work.join(node, self.subcluster, members.clone(), cx.now);
        for Held { key, request } in &holding {
            self.work.hold(node, *key, request);
        }
        if !holding.is_empty() {
            self.unaccepted.insert(node);
        }
        self.up(cx, Message::Members { joined: members, left: Vec::new(), holding });
        self.unwelcomed.insert(node, asked);
        if node != self.me {
            self.leases.renew(node, cx.now + self.lease);
        }
        self.welcome_all(cx);
    }

    /// The master has said what of that counts which nodes brought with them.
    fn accepted(&mut self, cx: &mut Context<'_>, nodes: &[PeerId], refused: Vec<AttemptKey>) {
        if !refused.is_empty() {
            self.cancel(cx, refused, Some(Span::ZERO));
        }
        nodes.iter().for_each(|node| _ = self.unaccepted.remove(node));
        self.welcome_all(cx);
    }

    /// A node is welcome once this sub-master is, since before there is no lease to pass on, and
    /// once it is known what of that counts which it has in hand.
    fn welcome_all(&mut self, cx: &mut Context<'_>) {
        if self.parent.is_attached() {
            let wait = |node: &PeerId| self.unaccepted.contains(node);
            let (wait, ready) =
                std::mem::take(&mut self.unwelcomed).into_iter().partition(|(node, _)| wait(node));
            self.unwelcomed = wait;
            let ready: BTreeMap<PeerId, Time> = ready;
            for (node, asked) in ready {
                let renewal = self.renewal(cx.now, asked);
                Self::down(cx, node, Message::Welcome(renewal));
                if self.draining {
                    self.work.drain(node);
                    Self::down(cx, node, Message::Drain);
                }
            }
        }
    }

    fn renew(&mut self, cx: &mut Context<'_>, node: PeerId, asked: Time) {
        let welcome = self.work.child(node).is_some() && !self.unwelcomed.contains_key(&node);
        if welcome && self.parent.is_attached() {
            self.work.answered(node);
            if node != self.me {
                self.leases.renew(node, cx.now + self.lease);
            }
            Self::down(cx, node, Message::Renewed(self.renewal(cx.now, asked)));
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

    fn enqueue(&mut self, dispatch: Dispatch) {
        let request = Arc::clone(&dispatch.request);
        self.work.queue().push(&request, dispatch.urgency, dispatch);
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
        stay.into_iter().for_each(|dispatch| self.enqueue(dispatch));
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
                Self::down(cx, node, Message::Recall { count: ask, shapes: shapes.to_vec() });
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
            Self::down(cx, node, Message::Cancel { keys, grace });
        }
    }

    /// Deals out what there is, at the end of each step. What no node here can run any more,
    /// since the one that could is gone, goes back up.
    pub(super) fn deal(&mut self, cx: &mut Context<'_>) {
        let back = self.work.take_unmeetable();
        if !back.is_empty() {
            self.up(cx, Message::Returned(back));
        }
        for (node, dispatches) in self.work.deal(|_, dispatch| dispatch.key) {
            Self::down(cx, node, Message::Grant(dispatches));
        }
        for recall in self.work.recalls(cx.now) {
            let message = Message::Recall { count: recall.count, shapes: recall.shapes };
            Self::down(cx, recall.child, message);
        }
    }
}

/// The attempts that ended by a report, well, badly or with their node.
fn reported(message: &Message) -> Vec<AttemptKey> {
    match message {
        Message::Done(completions) => completions.iter().map(|c| c.key).collect(),
        Message::Lost(lost) => lost.iter().map(|l| l.key).collect(),
        _ => Vec::new(),
    }
}
