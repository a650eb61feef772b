//! Deals work to children: who gets what, how far ahead, and what is taken back.
//!
//! The master deals to sub-masters and a sub-master to nodes by this one rule:
//! - The most urgent goes first, to the child with the least work for its cores.
//! - A child holds work for its cores once over, so that it never waits a round trip for its
//!   next task, and beyond that what it finishes in a [horizon](Dispatcher::new), so that the
//!   shorter the tasks are, the more it is sent at once.
//! - When one child has idle cores and nothing waits here, half of what another holds beyond its
//!   cores is called back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Member;
use super::ready::{Ready, Urgency};
use crate::model::{AttemptKey, PeerId, Request, ResourceId, Resources, Span, SubclusterId, Time};

/// A child that was looked at for a recall is left alone for this long.
const RECALL_PAUSE: Span = Span::from_millis(10);

/// Work that waits, children that run it, and what each of them holds.
#[derive(Debug)]
pub(super) struct Dispatcher<T> {
    queue: Ready<T>,
    children: BTreeMap<PeerId, Child>,
    horizon: Span,
}

/// A node, or a sub-master with its nodes.
#[derive(Debug)]
pub(super) struct Child {
    /// Which subcluster it is of.
    pub(super) subcluster: SubclusterId,
    /// Its nodes.
    pub(super) members: BTreeMap<PeerId, Member>,
    /// What it was given and has not settled.
    held: BTreeMap<AttemptKey, Held>,
    /// How many nodes of each capacity it has.
    shapes: BTreeMap<Resources, u32>,
    cores: u64,
    load: u64,
    pace: Pace,
    draining: bool,
    recall: Option<Time>,
}

#[derive(Debug)]
struct Held {
    request: Arc<Request>,
    cores: u64,
}

/// How much a child finishes in a horizon, as a moving mean.
#[derive(Debug, Default)]
struct Pace {
    since: Time,
    done: u64,
    ahead: u64,
}

impl Pace {
    fn done(&mut self, cores: u64, now: Time, horizon: Span) {
        self.done += cores;
        let elapsed = now.since(self.since);
        if elapsed >= horizon {
            let latest =
                u128::from(self.done) * u128::from(horizon.0) / u128::from(elapsed.0.max(1));
            self.ahead = (self.ahead + latest as u64).div_ceil(2);
            self.done = 0;
            self.since = now;
        }
    }
}

impl Child {
    fn new(subcluster: SubclusterId, now: Time) -> Child {
        Child {
            subcluster,
            members: BTreeMap::new(),
            held: BTreeMap::new(),
            shapes: BTreeMap::new(),
            cores: 0,
            load: 0,
            pace: Pace { since: now, ..Pace::default() },
            draining: false,
            recall: None,
        }
    }

    fn add(&mut self, member: Member) {
        self.remove(member.node);
        self.cores += cores_of(&member.capacity);
        *self.shapes.entry(member.capacity.clone()).or_default() += 1;
        self.members.insert(member.node, member);
    }

    fn remove(&mut self, node: PeerId) {
        let Some(member) = self.members.remove(&node) else { return };
        self.cores -= cores_of(&member.capacity);
        if let Some(count) = self.shapes.get_mut(&member.capacity) {
            *count -= 1;
            if *count == 0 {
                self.shapes.remove(&member.capacity);
            }
        }
    }

    fn has_room(&self) -> bool {
        !self.draining && self.load < self.cores * 2 + self.pace.ahead
    }

    fn meets(&self, request: &Request) -> bool {
        self.shapes.keys().any(|shape| request.met_by(shape).is_some())
    }

    fn settle(&mut self, key: AttemptKey) -> Option<Held> {
        let held = self.held.remove(&key)?;
        self.load -= held.cores;
        Some(held)
    }
}

fn cores_of(resources: &Resources) -> u64 {
    resources.get(ResourceId::CORES).ceil()
}

/// Whether a child with room, now or later, could run `request`.
fn can_ever_meet(children: &BTreeMap<PeerId, Child>, request: &Request) -> bool {
    children.values().any(|child| !child.draining && child.meets(request))
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
        Dispatcher { queue: Ready::default(), children: BTreeMap::new(), horizon }
    }

    /// What waits here.
    #[must_use]
    pub(super) fn queue(&mut self) -> &mut Ready<T> {
        &mut self.queue
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
    pub(super) fn join(
        &mut self,
        peer: PeerId,
        subcluster: SubclusterId,
        members: Vec<Member>,
        now: Time,
    ) {
        let mut child = Child::new(subcluster, now);
        members.into_iter().for_each(|member| child.add(member));
        self.children.insert(peer, child);
    }

    /// Nodes of a child came or went.
    pub(super) fn change(&mut self, peer: PeerId, joined: Vec<Member>, left: &[PeerId]) {
        let Some(child) = self.children.get_mut(&peer) else { return };
        left.iter().for_each(|node| child.remove(*node));
        joined.into_iter().for_each(|member| child.add(member));
    }

    /// A child is gone; what it held is given back.
    pub(super) fn leave(&mut self, peer: PeerId) -> Vec<AttemptKey> {
        let child = self.children.remove(&peer);
        child.map(|c| c.held.into_keys().collect()).unwrap_or_default()
    }

    /// Gives a child no more work.
    pub(super) fn drain(&mut self, peer: PeerId) {
        if let Some(child) = self.children.get_mut(&peer) {
            child.draining = true;
        }
    }

    /// The child that holds an attempt.
    #[must_use]
    pub(super) fn holder(&self, key: AttemptKey) -> Option<PeerId> {
        self.children().find(|(_, child)| child.held.contains_key(&key)).map(|(peer, _)| peer)
    }

    /// A child has finished an attempt. Whether it held it at all.
    pub(super) fn done(&mut self, peer: PeerId, key: AttemptKey, now: Time) -> bool {
        let Some(child) = self.children.get_mut(&peer) else { return false };
        let Some(held) = child.settle(key) else { return false };
        child.pace.done(held.cores, now, self.horizon);
        true
    }

    /// A child has given an attempt back, or lost it. Whether it held it at all.
    pub(super) fn release(&mut self, peer: PeerId, key: AttemptKey) -> bool {
        self.children.get_mut(&peer).is_some_and(|child| child.settle(key).is_some())
    }

    /// What no child could run, now or later, in the order of urgency.
    #[must_use]
    pub(super) fn unmeetable(&self) -> Option<Urgency> {
        let heads = self.queue.heads();
        heads.into_iter().find(|(r, _)| !can_ever_meet(&self.children, r)).map(|(_, u)| u)
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
        while self.children.values().any(Child::has_room) {
            let heads = self.queue.heads();
            let place = heads.into_iter().find_map(|(r, u)| Some((self.place(&r)?, r, u)));
            let Some((peer, request, urgency)) = place else { break };
            let Some(item) = self.queue.remove(&request, &urgency) else { break };
            self.hold(peer, key(urgency, &item), &request);
            dealt.entry(peer).or_default().push(item);
        }
        dealt
    }

    fn hold(&mut self, peer: PeerId, key: AttemptKey, request: &Arc<Request>) {
        let Some(child) = self.children.get_mut(&peer) else { return };
        let grant = child.shapes.keys().find_map(|shape| request.met_by(shape));
        let cores = grant.map_or(1, cores_of).max(1);
        child.load += cores;
        child.held.insert(key, Held { request: Arc::clone(request), cores });
    }

    /// The child with the least work for its cores that has room and can run `request`.
    fn place(&self, request: &Request) -> Option<PeerId> {
        let open = self.children.iter().filter(|(_, c)| c.has_room() && c.meets(request));
        // load / cores as a fraction, without rounding.
        let least = open.min_by(|(_, a), (_, b)| {
            (u128::from(a.load) * u128::from(b.cores))
                .cmp(&(u128::from(b.load) * u128::from(a.cores)))
        });
        least.map(|(peer, _)| *peer)
    }

    /// What to call back, when children are idle and nothing that waits here suits them.
    pub(super) fn recalls(&mut self, now: Time) -> Vec<Recall> {
        let idle = |c: &&Child| !c.draining && c.load < c.cores;
        let mut wanted: u64 = self.children.values().filter(idle).map(|c| c.cores - c.load).sum();
        if wanted == 0 || self.children.len() < 2 {
            return Vec::new();
        }
        let mut shapes: Vec<Resources> =
            self.children.values().filter(idle).flat_map(|c| c.shapes.keys().cloned()).collect();
        shapes.sort();
        shapes.dedup();
        let mut recalls = Vec::new();
        for (peer, child) in &mut self.children {
            let surplus = child.load.saturating_sub(child.cores);
            let suits = |held: &Held| shapes.iter().any(|s| held.request.met_by(s).is_some());
            if wanted == 0 || surplus == 0 || child.recall.is_some_and(|pause| now < pause) {
                continue;
            }
            child.recall = Some(now + RECALL_PAUSE);
            if child.held.values().any(suits) {
                let count = surplus.div_ceil(2).min(wanted);
                wanted -= count;
                let count = count.try_into().unwrap_or(u32::MAX);
                recalls.push(Recall { child: *peer, count, shapes: shapes.clone() });
            }
        }
        recalls
    }

    /// When recalls are worth another look, if anyone is idle while another has too much.
    #[must_use]
    pub(super) fn next_recall(&self) -> Option<Time> {
        let idle = self.children.values().any(|c| !c.draining && c.load < c.cores);
        let loaded = self.children.values().filter(|c| c.load > c.cores);
        if idle { loaded.filter_map(|c| c.recall).min() } else { None }
    }

    /// Children that hold more than their cores can run, and how much more.
    #[must_use]
    pub(super) fn surplus(&self) -> Vec<(PeerId, u64)> {
        let loaded = self.children.iter().filter(|(_, c)| c.load > c.cores);
        loaded.map(|(peer, c)| (*peer, c.load - c.cores)).collect()
    }

    /// Whether no child holds anything.
    #[must_use]
    pub(super) fn nothing_held(&self) -> bool {
        self.children.values().all(|child| child.held.is_empty())
    }
}
