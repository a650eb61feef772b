//! Links: what they promise beyond every transport, and what strangers achieve.

mod bridge;
mod cable;
mod child;
mod ends;
mod proxy;
mod strangers;
mod user;

use std::net::SocketAddr;
use std::time::Instant;

use evenkeel::comm::link::Secret;
use evenkeel::comm::{Incoming, Transport, Waker};
use evenkeel::model::PeerId;
use user::User;

/// Processes, each with a link to each other one, all of which are up.
pub(crate) fn mesh(peers: u32) -> Vec<Joined> {
    let secret = Secret::random().unwrap();
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut all = Vec::new();
    for me in (0..peers).map(PeerId) {
        let user = User::new(me);
        for address in &addresses {
            user.dial(&[*address], &secret);
        }
        addresses.push(user.listen(&secret));
        all.push(Joined { user, early: Vec::new() });
    }
    for one in &mut all {
        one.early = (1..peers).map(|_| one.user.next()).collect();
        assert!(one.early.iter().all(|incoming| matches!(incoming, Incoming::Up(_))));
    }
    all
}

/// A process that has met all others, and still is to receive that they are up.
pub(crate) struct Joined {
    user: User,
    early: Vec<Incoming>,
}

impl Transport for Joined {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        self.user.bridge.send(to, frame);
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        self.early.pop().or_else(|| self.user.bridge.receive(until))
    }

    fn waker(&self) -> Waker {
        self.user.bridge.waker()
    }
}
