//! A world whose peers have other numbers outside than inside.

use std::time::Instant;

use super::{Incoming, Transport, Waker};
use crate::model::PeerId;

/// A transport between peers `0..n`, which are `first..first + n` to whoever uses it.
pub struct Renumbered<T> {
    inner: T,
    first: u32,
}

impl<T: Transport> Renumbered<T> {
    /// Peer 0 of `inner` is `first` from now on.
    pub fn new(inner: T, first: PeerId) -> Renumbered<T> {
        Renumbered { inner, first: first.0 }
    }

    /// Peer 0 is `first` from now on.
    pub fn renumber(&mut self, first: PeerId) {
        self.first = first.0;
    }

    fn outside(&self, peer: PeerId) -> PeerId {
        PeerId(self.first + peer.0)
    }
}

impl<T: Transport> Transport for Renumbered<T> {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        if let Some(to) = to.0.checked_sub(self.first) {
            self.inner.send(PeerId(to), frame);
        }
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        Some(match self.inner.receive(until)? {
            Incoming::Up(peer) => Incoming::Up(self.outside(peer)),
            Incoming::Down(peer) => Incoming::Down(self.outside(peer)),
            Incoming::Ended(peer) => Incoming::Ended(self.outside(peer)),
            Incoming::Frame { from, bytes } => Incoming::Frame { from: self.outside(from), bytes },
            Incoming::Woken => Incoming::Woken,
        })
    }

    fn waker(&self) -> Waker {
        self.inner.waker()
    }
}
