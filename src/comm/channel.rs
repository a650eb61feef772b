//! A network of threads in one process.
//!
//! One lock guards it all: what is done under it is moving a pointer, and there are as many
//! peers as nodes on one host, a few dozen at most.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::{Incoming, QUEUE_BYTES, QUEUE_FRAMES, Transport, Waker};
use crate::model::PeerId;

/// One peer of a network of threads.
///
/// When it is dropped the others are told [`Incoming::Down`], after all that it sent them.
pub struct ChannelTransport {
    network: Arc<Network>,
    me: usize,
}

/// Breaks and mends the connections of a network, for tests.
#[derive(Clone)]
pub struct Faults {
    network: Arc<Network>,
}

struct Network {
    state: Mutex<State>,
    /// One per peer: something came in for it.
    arrived: Vec<Condvar>,
}

struct State {
    peers: Vec<Peer>,
}

/// One peer, as the network sees it.
struct Peer {
    /// What came in and was not taken yet.
    queue: VecDeque<Incoming>,
    /// Whether a `Woken` is in the queue.
    woken: bool,
    /// Whether its transport still exists.
    exists: bool,
    /// Its ends of the connections, by the other peer.
    ends: Vec<End>,
}

/// One end of a connection.
#[derive(Clone, Default)]
struct End {
    phase: Phase,
    /// Whether the connection was cut and not healed yet. The same at both ends.
    cut: bool,
    /// Frames in the queue that came by this connection, and their bytes.
    frames: usize,
    bytes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// `Up` was queued last. Both ends are, or neither.
    Up,
    /// `Down` is queued and not taken yet, or never will be, as the peer is gone. The connection
    /// comes up again only after both ends took it, so that no frame of the new one is taken for one of the old.
    Closing,
    /// `Down` was taken, or there has never been an `Up`.
    #[default]
    Down,
}

/// A network of peers `0..n`, each connected with each other one. The first that each receives
/// is an [`Incoming::Up`] of every other, in the order of their ids.
#[must_use]
pub fn network(n: u32) -> Vec<ChannelTransport> {
    let n = n as usize;
    let peer = |_| Peer {
        queue: VecDeque::new(),
        woken: false,
        exists: true,
        ends: vec![End::default(); n],
    };
    let mut state = State { peers: (0..n).map(peer).collect() };
    for a in 0..n {
        for b in a + 1..n {
            state.connect(a, b);
        }
    }
    let arrived = (0..n).map(|_| Condvar::new()).collect();
    let network = Arc::new(Network { state: Mutex::new(state), arrived });
    (0..n).map(|me| ChannelTransport { network: network.clone(), me }).collect()
}

impl ChannelTransport {
    /// Which peer this is.
    #[must_use]
    pub fn id(&self) -> PeerId {
        id(self.me)
    }

    /// What breaks and mends the connections of this network.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults { network: self.network.clone() }
    }
}

impl Transport for ChannelTransport {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        let (me, to) = (self.me, to.index());
        let mut state = self.network.state.lock();
        let Some(end) = state.peers.get_mut(to).map(|peer| &mut peer.ends[me]) else { return };
        if end.phase != Phase::Up {
            return;
        }
        let bytes = end.bytes + frame.len();
        if end.frames >= QUEUE_FRAMES || (end.frames > 0 && bytes > QUEUE_BYTES) {
            state.disconnect(me, to);
        } else {
            end.frames += 1;
            end.bytes = bytes;
            state.peers[to].queue.push_back(Incoming::Frame { from: id(me), bytes: frame });
        }
        drop(state);
        self.network.arrived[to].notify_one();
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        let arrived = &self.network.arrived[self.me];
        let mut state = self.network.state.lock();
        loop {
            if let Some(incoming) = state.peers[self.me].queue.pop_front() {
                if let Some(other) = state.take(self.me, &incoming) {
                    self.network.arrived[other].notify_one();
                }
                return Some(incoming);
            }
            match until {
                None => arrived.wait(&mut state),
                Some(until) if until <= Instant::now() => return None,
                Some(until) => drop(arrived.wait_until(&mut state, until)),
            }
        }
    }

    fn waker(&self) -> Waker {
        // Weak, so that a waker left over does not keep the frames of a network alive.
        let (network, me) = (Arc::downgrade(&self.network), self.me);
        Waker::new(move || {
            let Some(network) = network.upgrade() else { return };
            let mut state = network.state.lock();
            let peer = &mut state.peers[me];
            if peer.exists && !std::mem::replace(&mut peer.woken, true) {
                peer.queue.push_back(Incoming::Woken);
                drop(state);
                network.arrived[me].notify_one();
            }
        })
    }
}

impl Drop for ChannelTransport {
    fn drop(&mut self) {
        let mut state = self.network.state.lock();
        let peer = &mut state.peers[self.me];
        peer.exists = false;
        let unread = std::mem::take(&mut peer.queue);
        for other in 0..state.peers.len() {
            state.disconnect(self.me, other);
            self.network.arrived[other].notify_one();
        }
        drop(state);
        // Many large frames take a while to free.
        drop(unread);
    }
}

impl Faults {
    /// Cuts the connection between `a` and `b`: both are told `Down`, and no `Up` until it is
    /// healed. Nothing happens if it is cut, or if there are no such peers.
    pub fn cut(&self, a: PeerId, b: PeerId) {
        self.set_cut(a, b, true);
    }

    /// Heals the connection between `a` and `b`: both are told `Up` once both have taken the
    /// `Down` of the cut.
    pub fn heal(&self, a: PeerId, b: PeerId) {
        self.set_cut(a, b, false);
    }

    fn set_cut(&self, a: PeerId, b: PeerId, cut: bool) {
        let (a, b) = (a.index(), b.index());
        let mut state = self.network.state.lock();
        if a == b || a.max(b) >= state.peers.len() {
            return;
        }
        state.peers[a].ends[b].cut = cut;
        state.peers[b].ends[a].cut = cut;
        if cut {
            state.disconnect(a, b);
        } else {
            state.connect(a, b);
        }
        self.network.arrived[a].notify_one();
        self.network.arrived[b].notify_one();
    }
}

impl State {
    /// Accounts for what `me` takes from its queue. If that lets a connection come up again,
    /// gives the peer at its other end.
    fn take(&mut self, me: usize, incoming: &Incoming) -> Option<usize> {
        let peer = &mut self.peers[me];
        match incoming {
            Incoming::Up(_) | Incoming::Ended(_) => None,
            Incoming::Woken => {
                peer.woken = false;
                None
            }
            Incoming::Frame { from, bytes } => {
                let end = &mut peer.ends[from.index()];
                end.frames -= 1;
                end.bytes -= bytes.len();
                None
            }
            Incoming::Down(other) => {
                let other = other.index();
                peer.ends[other].phase = Phase::Down;
                self.connect(me, other).then_some(other)
            }
        }
    }

    /// Connects two peers if both are there, done with the last connection, and not cut off
    /// from each other.
    fn connect(&mut self, a: usize, b: usize) -> bool {
        let ready = |peer: &Peer, end: &End| peer.exists && !end.cut && end.phase == Phase::Down;
        let both = [(a, b), (b, a)];
        let possible = both.iter().all(|(x, y)| ready(&self.peers[*x], &self.peers[*x].ends[*y]));
        if possible {
            for (x, y) in both {
                self.peers[x].ends[y].phase = Phase::Up;
                self.peers[x].queue.push_back(Incoming::Up(id(y)));
            }
        }
        possible
    }

    /// Ends the connection of two peers, if there is one. What was sent by it stays in the
    /// queues, before the `Down`.
    fn disconnect(&mut self, a: usize, b: usize) {
        for (x, y) in [(a, b), (b, a)] {
            let peer = &mut self.peers[x];
            if peer.ends[y].phase == Phase::Up {
                // At the end of a peer that is gone too: frames to it are not to be kept.
                peer.ends[y].phase = Phase::Closing;
                if peer.exists {
                    peer.queue.push_back(Incoming::Down(id(y)));
                }
            }
        }
    }
}

fn id(index: usize) -> PeerId {
    PeerId(index as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_for_a_peer_that_is_gone() {
        let mut peers = network(2);
        drop(peers.pop());
        let mut left = peers.pop().expect("there were two");
        for _ in 0..3 {
            left.send(PeerId(1), vec![0; 1024]);
        }
        assert_eq!(left.network.state.lock().peers[1].queue, [], "it was sent before Down came");
        assert_eq!(left.receive(None), Some(Incoming::Up(PeerId(1))));
        assert_eq!(left.receive(None), Some(Incoming::Down(PeerId(1))));
        left.send(PeerId(1), vec![0; 1024]);
        assert_eq!(left.network.state.lock().peers[1].queue, [], "it was sent after Down came");
    }
}
