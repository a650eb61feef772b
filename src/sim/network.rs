//! Links between processes: latency and bandwidth, in order while a link is up, cut and mended.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Link, PeerId, Span, Time};
use crate::sched::Frame;

/// How many of the last frames of each direction are kept, to come again late.
const MEMORY: usize = 12;

/// All links of a run.
#[derive(Debug, Default)]
pub(super) struct Network {
    links: BTreeMap<(PeerId, PeerId), State>,
}

#[derive(Debug)]
struct State {
    link: Link,
    up: bool,
    /// Counts the times that the link came up: what was sent before is not delivered after.
    generation: u32,
    cut_until: Time,
    directions: [Direction; 2],
}

#[derive(Debug, Default)]
struct Direction {
    /// Nothing arrives before what was sent before it.
    last: Time,
    sent: VecDeque<Frame>,
}

fn key(a: PeerId, b: PeerId) -> (PeerId, PeerId) {
    (a.min(b), a.max(b))
}

impl Network {
    /// Ties two processes together; the link is down at first.
    pub(super) fn connect(&mut self, a: PeerId, b: PeerId, link: Link) {
        let state = State {
            link,
            up: false,
            generation: 0,
            cut_until: Time::ZERO,
            directions: Default::default(),
        };
        self.links.entry(key(a, b)).or_insert(state);
    }

    /// Whom a process has links to.
    pub(super) fn neighbours(&self, peer: PeerId) -> Vec<PeerId> {
        let ends = self.links.keys().filter_map(|(a, b)| match peer {
            p if p == *a => Some(*b),
            p if p == *b => Some(*a),
            _ => None,
        });
        ends.collect()
    }

    /// The links that some of `peers` have to others.
    pub(super) fn between(&self, peers: &[PeerId]) -> Vec<(PeerId, PeerId)> {
        let parts = |(a, b): &&(PeerId, PeerId)| peers.contains(a) != peers.contains(b);
        self.links.keys().filter(parts).copied().collect()
    }

    /// Keeps a link down until then, or longer if it was to be down for longer.
    pub(super) fn cut(&mut self, a: PeerId, b: PeerId, until: Time) {
        if let Some(state) = self.links.get_mut(&key(a, b)) {
            state.cut_until = state.cut_until.max(until);
        }
    }

    /// Brings a link up or down as it has to be, given whether both ends live. Whether that
    /// changed anything, and to what.
    pub(super) fn settle(&mut self, a: PeerId, b: PeerId, alive: bool, now: Time) -> Option<bool> {
        let state = self.links.get_mut(&key(a, b))?;
        let up = alive && state.cut_until <= now;
        if up == state.up {
            return None;
        }
        state.up = up;
        state.generation += u32::from(up);
        Some(up)
    }

    /// Nothing arrives at either end before then.
    pub(super) fn hold(&mut self, a: PeerId, b: PeerId, until: Time) {
        if let Some(state) = self.links.get_mut(&key(a, b)) {
            state.directions.iter_mut().for_each(|d| d.last = d.last.max(until));
        }
    }

    /// Everything is down, and nothing of what was sent is remembered.
    pub(super) fn collapse(&mut self) {
        for state in self.links.values_mut() {
            state.up = false;
            state.generation += 1;
            state.directions = Default::default();
        }
    }

    /// Whether the bandwidth between two processes matters.
    pub(super) fn is_metered(&self, a: PeerId, b: PeerId) -> bool {
        self.links.get(&key(a, b)).is_some_and(|s| s.link.bandwidth.is_finite())
    }

    /// Puts a frame on its way. When it arrives, and in which generation of the link; nothing if
    /// the link is down.
    pub(super) fn send(
        &mut self,
        now: Time,
        (from, to): (PeerId, PeerId),
        frame: &Frame,
        (bytes, extra): (u64, Span),
    ) -> Option<(Time, u32)> {
        let state = self.links.get_mut(&key(from, to)).filter(|s| s.up)?;
        let direction = &mut state.directions[usize::from(from > to)];
        direction.last = direction.last.max(now + state.link.transfer(bytes) + extra);
        direction.sent.push_back(frame.clone());
        if direction.sent.len() > MEMORY {
            direction.sent.pop_front();
        }
        Some((direction.last, state.generation))
    }

    /// When the last of what is on its way from one process to another arrives.
    pub(super) fn quiet(&self, from: PeerId, to: PeerId) -> Time {
        let state = self.links.get(&key(from, to));
        state.map(|s| s.directions[usize::from(from > to)].last).unwrap_or_default()
    }

    /// Whether what was sent in `generation` still arrives.
    pub(super) fn delivers(&self, a: PeerId, b: PeerId, generation: u32) -> bool {
        self.links.get(&key(a, b)).is_some_and(|s| s.up && s.generation == generation)
    }

    /// What was sent lately from one process to another, and the link's generation.
    pub(super) fn remembered(&self, from: PeerId, to: PeerId) -> (Vec<Frame>, u32) {
        let state = self.links.get(&key(from, to));
        state.map_or_else(Default::default, |s| {
            let sent = &s.directions[usize::from(from > to)].sent;
            (sent.iter().cloned().collect(), s.generation)
        })
    }
}
