//! Deals work to children: who gets what, how far ahead, and what is taken back.
//!
//! The master deals to sub-masters and a sub-master to nodes by this one rule:
//! - The most urgent goes first, to the child with the least work for its cores. Where tasks are so
//!   short that a child finishes many in a horizon, it is given several in a row.
//! - A child holds work for its cores once over, so that it never waits a round trip for its
//!   next task, and beyond that what it finishes in a [horizon](Dispatcher::new), so that the
//!   shorter the tasks are, the more it is sent at once.
//! - When one child has idle cores and nothing waits here, half of what another holds beyond its
//!   cores is called back.

mod child;
mod need;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::message::{Completion, HelloNumber, Member};
use super::ready::{Ready, Urgency};
use crate::model::{AttemptKey, Incarnation, PeerId, Request, Resources, Span, Time};
pub(super) use child::Child;
use child::{Fill, Held, Standing, in_order};
use need::can_ever_meet;

/// After work was called back, nothing more is called back for this long.
const RECALL_PAUSE: Span = Span::from_millis(10);

/// Work that waits, children that run it, and what each of them holds.
#[derive(Debug)]
pub(super) struct Dispatcher<T> {
    queue: Ready<T>,
    children: BTreeMap<PeerId, Child>,
    /// Who was ever a child.
    known: BTreeSet<PeerId>,
    /// Processes that were seen to end, and have not said hello since.
    ended: BTreeSet<PeerId>,
    /// Children that have room, the one with the least work for its cores first.
    open: BTreeSet<(Fill, PeerId)>,
    /// Children that hold more than their cores can run, the one asked longest ago first.
    loaded: BTreeSet<(Time, PeerId)>,
    /// Cores of children that may be given work, and those of them that have nothing to run.
    cores: u64,
    idle: u64,
    /// How many nodes of these children stand by.
    standing_by: u64,
    /// When work may be called back again.
    next_recall: Time,
    horizon: Span,
}

/// Something to call back from a child.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recall {
    /// From whom.
    pub(super) child: PeerId,
    /// How much at most.
    pub(super) count: u32,
    /// What is idle elsewhere.
    pub(super) shapes: Vec<Resources>,
}

impl<T> Dispatcher<T> {
    /// Without work or children. What a child finishes within `horizon` it is sent ahead.
    #[must_use]
    pub(super) fn new(horizon: Span) -> Dispatcher<T> {
        Dispatcher {
            queue: Ready::default(),
            children: BTreeMap::new(),
            known: BTreeSet::new(),
            ended: BTreeSet::new(),
            open: BTreeSet::new(),
            loaded: BTreeSet::new(),
            cores: 0,
            idle: 0,
            standing_by: 0,
            next_recall: Time::ZERO,
            horizon,
        }
    }

    /// Changes a child, if there is one of that name, and its places in the orders with it.
    fn with_child<R>(&mut self, peer: PeerId, change: impl FnOnce(&mut Child) -> R) -> Option<R> {
        let child = self.children.get_mut(&peer)?;
        let before = child.standing();
        let result = change(child);
        let after = child.standing();
        self.move_child(peer, before, after);
        Some(result)
    }

    /// A child stood as `before` and stands as `after`, which may be for one that is not there.
    fn move_child(&mut self, peer: PeerId, before: Standing, after: Standing) {
        if before.open != after.open {
            before.open.map(|fill| self.open.remove(&(fill, peer)));
            self.open.extend(after.open.map(|fill| (fill, peer)));
        }
        if before.loaded != after.loaded {
            before.loaded.map(|recalled| self.loaded.remove(&(recalled, peer)));
            self.loaded.extend(after.loaded.map(|recalled| (recalled, peer)));
        }
        self.idle = self.idle - before.idle + after.idle;
        self.cores = self.cores - before.cores + after.cores;
        self.standing_by = self.standing_by - before.standing_by + after.standing_by;
    }

    /// What waits here.
    #[must_use]
    pub(super) fn queue(&mut self) -> &mut Ready<T> {
        &mut self.queue
    }

    /// What waits here, in no particular order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &T> {
        self.queue.items()
    }

    /// The children.
    pub(super) fn children(&self) -> impl Iterator<Item = (PeerId, &Child)> {
        self.children.iter().map(|(peer, child)| (*peer, child))
    }

    /// A child.
    #[must_use]
    pub(super) fn child(&self, peer: PeerId) -> Option<&Child> {
        self.children.get(&peer)
    }

    /// A child came; it holds nothing.
    pub(super) fn join(&mut self, peer: PeerId, members: Vec<Member>, now: Time) {
        let mut child = Child::new(now);
        let is_new = members.iter().all(|member| member.hello.incarnation <= Incarnation(1));
        child.answers = self.known.insert(peer) && is_new;
        members.iter().for_each(|member| _ = self.ended.remove(&member.node));
        members.into_iter().for_each(|member| child.add(member));
        let after = child.standing();
        let former = self.children.insert(peer, child);
        self.move_child(peer, former.map(|c| c.standing()).unwrap_or_default(), after);
    }

    /// Nodes of a child came or went.
    pub(super) fn change(&mut self, peer: PeerId, joined: Vec<Member>, left: &[PeerId]) {
        joined.iter().for_each(|member| _ = self.ended.remove(&member.node));
        self.with_child(peer, |child| {
            left.iter().for_each(|node| child.part_with(*node));
            joined.into_iter().for_each(|member| child.add(member));
        });
    }

    /// A node has come to the child `to`, and is not another's any more, but for what a former
    /// incarnation of it was. Whose it was.
    pub(super) fn transfer(&mut self, member: &Member, to: PeerId) -> Vec<PeerId> {
        let Member { node, hello, .. } = *member;
        let same = |at: HelloNumber| at.incarnation == hello.incarnation && at < hello;
        let former = self.homes(node).filter(|(peer, at)| *peer != to && same(*at));
        let former: Vec<PeerId> = former.map(|(peer, _)| peer).collect();
        former.iter().for_each(|from| self.remove(*from, node));
        former
    }

    /// A node is not a child's any more, and what that has in hand is not with it.
    pub(super) fn remove(&mut self, peer: PeerId, node: PeerId) {
        self.with_child(peer, |child| {
            child.remove(node);
            child.leaving.remove(&node);
        });
    }

    /// What a node had that left a child is settled.
    pub(super) fn left_nothing(&mut self, peer: PeerId, node: PeerId) {
        if let Some(child) = self.children.get_mut(&peer) {
            child.leaving.remove(&node);
        }
    }

    /// A process was seen to end, or has said that it is another now.
    pub(super) fn saw_end(&mut self, peer: PeerId) {
        self.ended.insert(peer);
    }

    /// Whether a process was seen to end, and has not said hello since.
    #[must_use]
    pub(super) fn has_ended(&self, peer: PeerId) -> bool {
        self.ended.contains(&peer)
    }

    /// The last hello of a node that came through a child.
    pub(super) fn last_hello(&self, peer: PeerId, node: PeerId) -> Option<HelloNumber> {
        let child = self.children.get(&peer)?;
        let leaving = child.leaving.get(&node).copied();
        child.members.get(&node).map(|member| member.hello).or(leaving)
    }

    /// The nodes that may have in hand what a child was given and were not seen to end, with the last
    /// hello that came of them through it.
    pub(super) fn unaccounted(&self, peer: PeerId) -> BTreeMap<PeerId, HelloNumber> {
        let Some(child) = self.children.get(&peer) else { return BTreeMap::new() };
        let members = child.members.values().map(|member| (member.node, member.hello));
        let leaving = child.leaving.iter().map(|(node, hello)| (*node, *hello));
        members.chain(leaving).filter(|(node, _)| !self.has_ended(*node)).collect()
    }

    /// All nodes change over together, `levels` below the master: whatever their hellos say of
    /// those above counts for less.
    pub(super) fn carry(&mut self, levels: usize) {
        let step = 1u64 << (8 * levels.min(7));
        let members = self.children.values_mut().flat_map(|child| child.members.values_mut());
        members.for_each(|m| {
            m.hello.carried = (m.hello.carried / step).saturating_add(1).saturating_mul(step);
        });
    }

    /// A child is gone; what it held is given back.
    pub(super) fn leave(&mut self, peer: PeerId) -> Vec<AttemptKey> {
        let Some(child) = self.children.remove(&peer) else { return Vec::new() };
        self.move_child(peer, child.standing(), Standing::default());
        in_order(child.held.into_keys())
    }

    /// A child has answered its welcome: it may be given work.
    pub(super) fn answered(&mut self, peer: PeerId) {
        if self.children.get(&peer).is_some_and(|child| !child.answers) {
            self.with_child(peer, |child| child.answers = true);
        }
    }

    /// Gives a child nothing for now.
    pub(super) fn hold_back(&mut self, peer: PeerId) {
        self.with_child(peer, |child| child.answers = false);
    }

    /// Gives a child no more work.
    pub(super) fn drain(&mut self, peer: PeerId) {
        self.with_child(peer, |child| child.draining = true);
    }

    /// Those of `keys` that children hold, by child.
    #[must_use]
    pub(super) fn holders(&self, keys: &BTreeSet<AttemptKey>) -> BTreeMap<PeerId, Vec<AttemptKey>> {
        let of = |child: &Child| -> Vec<AttemptKey> {
            in_order(child.held.keys().filter(|key| keys.contains(key)).copied())
        };
        let holders = self.children.iter().map(|(peer, child)| (*peer, of(child)));
        holders.filter(|(_, keys)| !keys.is_empty()).collect()
    }

    /// A child has finished attempts; those that it did not hold are taken out.
    pub(super) fn done(&mut self, peer: PeerId, completions: &mut Vec<Completion>, now: Time) {
        let horizon = self.horizon;
        let known = self.with_child(peer, |child| {
            let mut cores = 0;
            completions.retain(|completion| {
                let held = child.settle(completion.key);
                cores += held.as_ref().map_or(0, |held| held.cores);
                held.is_some()
            });
            if cores > 0 {
                child.pace.done(cores, now, horizon);
            }
        });
        if known.is_none() {
            completions.clear();
        }
    }

    /// A child has given an attempt back, or lost it. Whether it held it at all.
    pub(super) fn release(&mut self, peer: PeerId, key: AttemptKey) -> bool {
        self.with_child(peer, |child| child.settle(key).is_some()).unwrap_or(false)
    }

    /// What children hold, in no particular order.
    pub(super) fn held(&self) -> impl Iterator<Item = (PeerId, AttemptKey, &Arc<Request>)> {
        self.children.iter().flat_map(|(peer, child)| {
            child.held.iter().map(|(key, held)| (*peer, *key, &held.request))
        })
    }

    /// What a child holds.
    #[must_use]
    pub(super) fn held_by(&self, peer: PeerId) -> Vec<AttemptKey> {
        let child = self.children.get(&peer);
        child.map(|child| in_order(child.held.keys().copied())).unwrap_or_default()
    }

    /// The child that holds an attempt.
    #[must_use]
    pub(super) fn holder(&self, key: AttemptKey) -> Option<PeerId> {
        let holds = |child: &Child| child.held.contains_key(&key);
        self.children.iter().find(|(_, child)| holds(child)).map(|(peer, _)| *peer)
    }

    /// The children that a node is of, and by which hello.
    pub(super) fn homes(&self, node: PeerId) -> impl Iterator<Item = (PeerId, HelloNumber)> {
        let hello = move |child: &Child| child.members.get(&node).map(|member| member.hello);
        self.children.iter().filter_map(move |(peer, child)| Some((*peer, hello(child)?)))
    }

    /// Takes out what no child could run, now or later.
    pub(super) fn take_unmeetable(&mut self) -> Vec<T> {
        let children = &self.children;
        self.queue.reject(|request| can_ever_meet(children, request))
    }

    /// Deals out what there is room for. `key` says which attempt an item is.
    pub(super) fn deal(
        &mut self,
        mut key: impl FnMut(Urgency, &T) -> AttemptKey,
    ) -> BTreeMap<PeerId, Vec<T>> {
        let mut dealt: BTreeMap<PeerId, Vec<T>> = BTreeMap::new();
        let mut last = None;
        while !self.open.is_empty() {
            // For what is more urgent than the last there is no room, and there will be none:
            // rooms only fill here.
            let Some(head) = self.queue.head_after(last.as_ref()) else { break };
            let request = &head.1;
            let mut room = self.room(request);
            let run = self.queue.take_run(&head, |_| {
                room -= 1;
                room >= 0
            });
            let (mut at, mut run) = (head.0, run.into_iter().peekable());
            while run.peek().is_some()
                && let Some(peer) = self.place(request)
            {
                let items = dealt.entry(peer).or_default();
                self.with_child(peer, |child| {
                    let enough = child.load + child.stride();
                    while child.load < enough
                        && child.has_room()
                        && let Some((urgency, item)) = run.next()
                    {
                        at = urgency;
                        child.hold(key(urgency, &item), request);
                        items.push(item);
                    }
                });
            }
            // They take more than a core each.
            self.queue.push_run(request, run);
            last = Some((at, head.1));
        }
        dealt
    }

    /// No more than so many that ask for `request` find room: each takes a core at least.
    fn room(&self, request: &Request) -> i64 {
        let open = self.open.iter().filter_map(|(_, peer)| self.children.get(peer));
        let room = open.filter(|child| child.meets(request)).map(Child::room);
        room.fold(0, i64::saturating_add)
    }

    /// A child has an attempt in hand.
    pub(super) fn hold(&mut self, peer: PeerId, key: AttemptKey, request: &Arc<Request>) {
        self.with_child(peer, |child| child.hold(key, request));
    }

    /// The child with the least work for its cores that has room and can run `request`.
    fn place(&self, request: &Request) -> Option<PeerId> {
        let meets = |peer: &PeerId| self.children.get(peer).is_some_and(|c| c.meets(request));
        self.open.iter().map(|(_, peer)| *peer).find(meets)
    }

    /// What to call back, when children are idle and nothing that waits here suits them.
    pub(super) fn recalls(&mut self, now: Time) -> Vec<Recall> {
        let mut recalls = Vec::new();
        if self.next_recall().is_none_or(|next| now < next) {
            return recalls;
        }
        self.next_recall = now + RECALL_PAUSE;
        let mut wanted = self.idle;
        let idle = self.children.values().filter(|child| child.idle() > 0);
        let mut shapes: Vec<Resources> = idle.flat_map(|c| c.shapes.keys().cloned()).collect();
        shapes.sort();
        shapes.dedup();
        let suits = |held: &Held| shapes.iter().any(|s| held.request.met_by(s).is_some());
        let loaded: Vec<PeerId> = self.loaded.iter().map(|(_, peer)| *peer).collect();
        for peer in loaded {
            let Some(child) = self.children.get(&peer).filter(|_| wanted > 0) else { break };
            let count = child.surplus().div_ceil(2).min(wanted);
            if child.held.values().any(suits) {
                wanted -= count;
                let count = count.try_into().unwrap_or(u32::MAX);
                recalls.push(Recall { child: peer, count, shapes: shapes.clone() });
            }
            self.with_child(peer, |child| child.recalled = now);
        }
        recalls
    }

    /// When recalls are worth another look, if anyone is idle while another has too much.
    #[must_use]
    pub(super) fn next_recall(&self) -> Option<Time> {
        (self.idle > 0 && !self.loaded.is_empty()).then_some(self.next_recall)
    }

    /// Children that hold more than their cores can run, and how much more.
    #[must_use]
    pub(super) fn surplus(&self) -> Vec<(PeerId, u64)> {
        let children = self.children.iter().map(|(peer, child)| (*peer, child.surplus()));
        children.filter(|(_, surplus)| *surplus > 0).collect()
    }

    /// Whether no child holds anything.
    #[must_use]
    pub(super) fn nothing_held(&self) -> bool {
        self.children.values().all(|child| child.held.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Amount, ResourceId, SubclusterId};

    #[test]
    fn nodes_that_claim_to_be_endless_overflow_nothing() {
        let endless = Resources::default().with(ResourceId::CORES, Amount(u64::MAX));
        let member = |node| Member {
            node: PeerId(node),
            hello: HelloNumber::default(),
            subcluster: SubclusterId(0),
            host: "h".into(),
            capacity: endless.clone(),
            apart: true,
            standby: None,
        };
        let mut dispatcher = Dispatcher::<()>::new(Span::from_millis(1));
        for peer in 0..2 {
            let members = (0..20_000).map(member).collect();
            dispatcher.join(PeerId(peer), members, Time::ZERO);
        }
        assert!(dispatcher.open.len() == 2 && dispatcher.idle > 0);
        dispatcher.change(PeerId(0), Vec::new(), &[PeerId(7)]);
        dispatcher.leave(PeerId(1));
    }
}
