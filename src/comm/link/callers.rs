//! The dialling end: it tries until there is a link, and again when that breaks.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::FLUSH_TIME;
use super::agenda::What;
use super::connection::{Connection, Phase, connect};
use super::ends::{End, Trouble};
use super::line::Arrived;
use super::lookup::{Found, Whereto};
use super::reactor::Reactor;
use super::secret::Secret;
use super::setup::Dial;
use super::wire::Wire;
use crate::model::PeerId;

/// From the beginning of a round of tries to the next: twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One who dials.
pub(super) struct Caller {
    hello: Box<dyn FnMut() -> Vec<u8> + Send>,
    welcomed: Box<dyn FnMut(Vec<u8>) -> Option<PeerId> + Send>,
    trouble: Box<dyn FnMut(Trouble) -> ControlFlow<()> + Send>,
    /// Away while it is asked.
    whereto: Option<Whereto>,
    state: State,
    /// Where else to try in this round, and what they know there.
    addresses: VecDeque<SocketAddr>,
    secret: Option<Secret>,
    began: Instant,
    pause: Duration,
    /// Whose connection was closed without a word, where: if that host now says that nobody
    /// listens there, the process has ended.
    lost: Option<(PeerId, SocketAddr)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// For its next round.
    Waiting,
    Looking,
    /// With this connection, on the way up or there.
    Connected(u64),
    /// For the user to take the `Down` of this peer.
    Held(PeerId),
}

impl Reactor {
    pub(super) fn dial(&mut self, id: u64, dial: Dial) {
        let Dial { whereto, hello, welcomed, trouble } = dial;
        let caller = Caller {
            hello,
            welcomed,
            trouble,
            whereto: Some(whereto),
            state: State::Waiting,
            addresses: VecDeque::new(),
            secret: None,
            began: self.now,
            pause: FIRST_PAUSE,
            lost: None,
        };
        self.callers.insert(id, caller);
        self.call(id);
    }

    /// Begins a round of tries.
    pub(super) fn call(&mut self, id: u64) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        if caller.state == State::Waiting
            && let Some(whereto) = caller.whereto.take()
        {
            caller.state = State::Looking;
            caller.began = self.now;
            self.lookup.ask(&self.hub, id, whereto);
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        let Some(caller) = self.callers.get_mut(&found.caller) else { return };
        caller.whereto = Some(found.whereto);
        match found.result {
            Ok((addresses, secret)) => {
                caller.addresses = addresses.into();
                caller.secret = Some(secret);
                self.try_next(found.caller);
            }
            Err(error) => {
                if self.goes_on(found.caller, Trouble::Nowhere(error)) {
                    self.wait(found.caller);
                }
            }
        }
    }

    /// Tells of trouble; whether there is to be another try.
    fn goes_on(&mut self, id: u64, trouble: Trouble) -> bool {
        let Some(caller) = self.callers.get_mut(&id) else { return false };
        let goes_on = (caller.trouble)(trouble).is_continue();
        if !goes_on {
            self.callers.remove(&id);
        }
        goes_on
    }

    fn try_next(&mut self, id: u64) {
        while let Some(caller) = self.callers.get_mut(&id) {
            let (address, secret) = match (caller.addresses.pop_front(), &caller.secret) {
                (Some(address), Some(secret)) => (address, secret.clone()),
                _ => return self.wait(id),
            };
            match self.try_at(id, address, &secret) {
                Ok(key) => {
                    if let Some(caller) = self.callers.get_mut(&id) {
                        caller.state = State::Connected(key);
                    }
                    return;
                }
                Err(error) => {
                    self.notice_death(id, address, &error);
                    self.goes_on(id, Trouble::Unreachable { address, error });
                }
            }
        }
    }

    fn try_at(&mut self, id: u64, address: SocketAddr, secret: &Secret) -> io::Result<u64> {
        let proof = Wire::dialling(secret, self.version);
        let wire = proof.map_err(|_| io::Error::other("the system has no random bytes"))?;
        let socket = connect(address)?;
        // Only a matter of speed.
        let _ = socket.set_nodelay(true);
        let key = self.new_key();
        let phase = Phase::Connecting { caller: id };
        self.begin(Connection::new(key, socket, address, wire, phase, self.now))?;
        Ok(key)
    }

    /// Waits for the next round.
    fn wait(&mut self, id: u64) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        caller.state = State::Waiting;
        let at = caller.began + spread(caller.pause);
        caller.pause = (caller.pause * 2).min(LONGEST_PAUSE);
        self.agenda.add(What::Caller(id), at);
    }

    /// The host has answered, or said that it will not.
    pub(super) fn connected(
        &mut self,
        connection: &mut Connection,
        caller: u64,
    ) -> Result<(), End> {
        match connection.socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(End::Failed(error)),
            Ok(None) => {
                connection.phase = Phase::Asking { caller };
                connection.since = self.now;
                Ok(())
            }
        }
    }

    pub(super) fn say_hello(&mut self, connection: &mut Connection, id: u64) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        connection.wire.send((caller.hello)());
        connection.phase = Phase::Greeting { caller: id };
        connection.heard = self.now;
    }

    pub(super) fn welcomed(
        &mut self,
        connection: &mut Connection,
        id: u64,
        answer: Vec<u8>,
    ) -> Result<(), End> {
        let caller = self.callers.get_mut(&id).ok_or(End::Closed)?;
        let peer = (caller.welcomed)(answer).ok_or(End::Garbled)?;
        caller.lost = None;
        self.replace(peer);
        self.up(connection, peer, Some(id));
        Ok(())
    }

    /// A connection ended before it was up.
    pub(super) fn try_failed(&mut self, id: u64, address: SocketAddr, end: End) {
        if let End::Failed(error) = &end {
            self.notice_death(id, address, error);
        }
        if self.goes_on(id, end.into_trouble(address)) {
            self.try_next(id);
        }
    }

    /// Tells that a process has ended, if its connection was closed without a word and its host
    /// says that nobody listens there any more.
    fn notice_death(&mut self, id: u64, address: SocketAddr, error: &io::Error) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        if error.kind() == io::ErrorKind::ConnectionRefused
            && let Some((peer, _)) = caller.lost.take_if(|(_, at)| *at == address)
        {
            self.hub.arrive(Arrived::Ended(peer));
        }
    }

    /// A connection that was up for some time ended.
    pub(super) fn broke(
        &mut self,
        id: u64,
        peer: PeerId,
        address: SocketAddr,
        was_up: Duration,
        end: End,
    ) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        caller.lost = end.may_be_death().then_some((peer, address));
        caller.state = State::Held(peer);
        caller.addresses.clear();
        if was_up >= LONGEST_PAUSE {
            caller.pause = FIRST_PAUSE;
        }
        let trouble = Trouble::Broken { address, why: end.to_string() };
        self.goes_on(id, trouble);
    }

    /// The user has taken all there was of a peer: those who had a link to it dial again.
    pub(super) fn call_again(&mut self, peer: PeerId) {
        let held = |caller: &Caller| caller.state == State::Held(peer);
        let ids = self.callers.iter().filter(|(_, caller)| held(caller)).map(|(id, _)| *id);
        for id in ids.collect::<Vec<_>>() {
            if let Some(caller) = self.callers.get_mut(&id) {
                caller.began = self.now;
                self.wait(id);
            }
        }
    }

    pub(super) fn hang_up(&mut self, id: u64) {
        self.agenda.remove(What::Caller(id));
        let Some(caller) = self.callers.remove(&id) else { return };
        if let State::Connected(key) = caller.state
            && let Some(connection) = self.connections.remove(&key)
        {
            self.part(connection, self.now + FLUSH_TIME);
        }
    }
}

/// Up to a quarter more, so that those who lost the same peer do not all come back at once.
fn spread(pause: Duration) -> Duration {
    // Each such hasher has a random key of its own.
    let random = RandomState::new().hash_one(0u8) as u32;
    pause + pause.mul_f64(f64::from(random) / f64::from(u32::MAX) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_spread_upwards_and_differently() {
        let pauses: Vec<Duration> = (0..100).map(|_| spread(LONGEST_PAUSE)).collect();
        let range = LONGEST_PAUSE..=LONGEST_PAUSE * 5 / 4;
        assert!(pauses.iter().all(|pause| range.contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
