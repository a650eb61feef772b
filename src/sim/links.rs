//! Links that go up and down, and frames on their way.

use super::agenda::Occurrence;
use super::referee::Foul;
use super::world::World;
use crate::model::wire::Wire;
use crate::model::{PeerId, Span, Time};
use crate::sched::{Event, Frame};

impl World {
    pub(super) fn settle_all(&mut self, peer: PeerId) {
        for other in self.network.neighbours(peer) {
            self.settle(peer, other);
        }
    }

    /// Brings a link up or down, and tells both ends, not quite at the same time.
    pub(super) fn settle(&mut self, a: PeerId, b: PeerId) {
        let alive = self.host(a).is_there() && self.host(b).is_there();
        let Some(up) = self.network.settle(a, b, alive, self.now) else { return };
        let mut latest = self.now;
        for (peer, other) in [(a, b), (b, a)] {
            let delay = if self.config.disorder { self.rng.below(5_000_000) } else { 0 };
            let at = self.now + Span(delay);
            latest = latest.max(at);
            let event = if up { Event::Up(other) } else { Event::Down(other) };
            let life = self.host(peer).life;
            self.agenda.plan(at, Occurrence::Told { peer, life, event });
        }
        self.network.hold(a, b, latest);
        if up {
            self.repeat_old(a, b, latest);
            self.repeat_old(b, a, latest);
        }
    }

    /// Some of what was sent before the link went down comes again, in any order.
    fn repeat_old(&mut self, from: PeerId, to: PeerId, since: Time) {
        let (frames, generation) = self.network.remembered(from, to);
        let life = self.host(to).life;
        for frame in frames {
            if self.rng.chance(30) {
                let at = since + self.rng.span(Span::ZERO, self.config.lease);
                self.stats.repeated += 1;
                self.agenda.plan(at, Occurrence::Arrives { from, to, life, generation, frame });
            }
        }
    }

    pub(super) fn transmit(&mut self, from: PeerId, to: PeerId, frame: Frame) -> Result<(), Foul> {
        self.stats.frames += 1;
        let mut bytes = 0;
        let sampled = self.stats.frames.is_multiple_of(16);
        if sampled || self.network.is_metered(from, to) {
            let wire = frame.to_bytes();
            bytes = wire.len() as u64;
            if sampled && Frame::from_bytes(&wire).as_ref() != Ok(&frame) {
                return Err(format!("a frame does not survive the wire: {frame:?}"));
            }
        }
        let (until, late) = self.slow[from.index()];
        let extra = if self.now < until { Span(self.rng.below(late.0)) } else { Span::ZERO };
        match self.network.send(self.now, (from, to), &frame, (bytes, extra)) {
            Some((at, generation)) => {
                let life = self.host(to).life;
                self.agenda.plan(at, Occurrence::Arrives { from, to, life, generation, frame });
            }
            None => self.stats.missed += 1,
        }
        Ok(())
    }
}
