//! A child: what it has, what it holds, how fast it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{AttemptKey, PeerId, Request, ResourceId, Resources, Span, Time};
use crate::sched::message::{HelloNumber, Member};

/// Work for each core, as a fixed-point number: children are compared by it, and equals by id.
pub(super) type Fill = u64;

/// A node, or a sub-master with its nodes.
#[derive(Debug)]
pub(in crate::sched) struct Child {
    /// Its nodes.
    pub(in crate::sched) members: BTreeMap<PeerId, Member>,
    /// Nodes that count for nothing more, and may have something in hand yet.
    pub(super) leaving: BTreeMap<PeerId, HelloNumber>,
    /// What it was given and has not settled.
    pub(super) held: FxHashMap<AttemptKey, Held>,
    /// How many nodes of each capacity it has, but for those that stand by, which count for nothing.
    pub(super) shapes: BTreeMap<Resources, u32>,
    pub(super) cores: u64,
    pub(super) standing_by: u64,
    pub(super) load: u64,
    pub(super) pace: Pace,
    /// Whether it has answered its welcome, if it was here before: hellos that were long on their
    /// way come in a row, and what the first of them was given the next would void. One that goes
    /// elsewhere would not take it either.
    pub(super) answers: bool,
    pub(super) draining: bool,
    /// When work was last called back from it.
    pub(super) recalled: Time,
}

/// Where a child stands in the orders of all, and what it counts for in their sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Standing {
    /// Its place among those that have room.
    pub(super) open: Option<Fill>,
    /// Its place among those that hold too much.
    pub(super) loaded: Option<Time>,
    pub(super) idle: u64,
    pub(super) cores: u64,
    pub(super) standing_by: u64,
}

/// What it has of one attempt.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) request: Arc<Request>,
    pub(super) cores: u64,
}

/// How much a child finishes in a horizon, as a moving mean.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Time,
    done: u64,
    ahead: u64,
}

impl Pace {
    pub(super) fn done(&mut self, cores: u64, now: Time, horizon: Span) {
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
    pub(super) fn new(now: Time) -> Child {
        Child {
            members: BTreeMap::new(),
            leaving: BTreeMap::new(),
            held: FxHashMap::default(),
            shapes: BTreeMap::new(),
            cores: 0,
            standing_by: 0,
            load: 0,
            pace: Pace { since: now, ..Pace::default() },
            answers: true,
            draining: false,
            recalled: Time::ZERO,
        }
    }

    pub(super) fn add(&mut self, member: Member) {
        self.remove(member.node);
        self.leaving.remove(&member.node);
        if member.standby.is_some() {
            self.standing_by += 1;
        } else {
            self.cores += cores_of(&member.capacity);
            *self.shapes.entry(member.capacity.clone()).or_default() += 1;
        }
        self.members.insert(member.node, member);
    }

    pub(super) fn remove(&mut self, node: PeerId) {
        let Some(member) = self.members.remove(&node) else { return };
        if member.standby.is_some() {
            self.standing_by -= 1;
            return;
        }
        self.cores -= cores_of(&member.capacity);
        if let Some(count) = self.shapes.get_mut(&member.capacity) {
            *count -= 1;
            if *count == 0 {
                self.shapes.remove(&member.capacity);
            }
        }
    }

    /// A node counts for nothing more. If that is said again, it has nothing in hand any more.
    pub(super) fn part_with(&mut self, node: PeerId) {
        match self.members.get(&node) {
            Some(member) => drop(self.leaving.insert(node, member.hello)),
            None => drop(self.leaving.remove(&node)),
        }
        self.remove(node);
    }

    pub(super) fn standing(&self) -> Standing {
        let counts = u64::from(!self.draining);
        Standing {
            open: self.has_room().then(|| self.fill()),
            loaded: (self.surplus() > 0).then_some(self.recalled),
            idle: self.idle(),
            cores: self.cores * counts,
            standing_by: self.standing_by * counts,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.answers && !self.draining && self.room() > 0
    }

    /// How much more it may hold, in cores.
    pub(super) fn room(&self) -> i64 {
        let most = self.cores * 2 + self.pace.ahead;
        i64::try_from(most.saturating_sub(self.load)).unwrap_or(i64::MAX)
    }

    /// Whether it is to leave.
    pub(in crate::sched) fn is_draining(&self) -> bool {
        self.draining
    }

    fn fill(&self) -> Fill {
        (self.load.min(u64::from(u32::MAX)) << 32) / self.cores.max(1)
    }

    pub(super) fn idle(&self) -> u64 {
        if self.draining || !self.answers { 0 } else { self.cores.saturating_sub(self.load) }
    }

    pub(super) fn surplus(&self) -> u64 {
        if self.draining { 0 } else { self.load.saturating_sub(self.cores) }
    }

    pub(super) fn meets(&self, request: &Request) -> bool {
        self.shapes.keys().any(|shape| request.met_by(shape).is_some())
    }

    /// How much it may be given in a row, in cores, before another has less to do: what it finishes in
    /// a small part of the horizon.
    pub(super) fn stride(&self) -> u64 {
        (self.pace.ahead / 16).max(1)
    }

    /// It has an attempt in hand.
    pub(super) fn hold(&mut self, key: AttemptKey, request: &Arc<Request>) {
        let grant = self.shapes.keys().find_map(|shape| request.met_by(shape));
        let cores = grant.map_or(1, cores_of).max(1);
        self.load += cores;
        self.held.insert(key, Held { request: Arc::clone(request), cores });
    }

    pub(super) fn settle(&mut self, key: AttemptKey) -> Option<Held> {
        let held = self.held.remove(&key)?;
        self.load -= held.cores;
        Some(held)
    }
}

/// Whatever a peer says that it has: sums over all there can be stay far from overflowing.
fn cores_of(resources: &Resources) -> u64 {
    resources.get(ResourceId::CORES).ceil().min(1 << 24)
}

pub(super) fn in_order(keys: impl Iterator<Item = AttemptKey>) -> Vec<AttemptKey> {
    let mut keys: Vec<AttemptKey> = keys.collect();
    keys.sort_unstable();
    keys
}
