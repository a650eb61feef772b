//! The listening end: strangers come in, prove the secret, say hello and are let in.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;

use super::STRANGERS;
use super::agenda::What;
use super::connection::{Connection, Phase};
use super::ends::End;
use super::hub::Door;
use super::reactor::Reactor;
use super::setup::{Admission, Hello};
use super::wire::Wire;
use crate::model::PeerId;

/// So many come in at a door before others have their turn.
const ACCEPTS: usize = 16;
/// So long nobody comes in when there is no descriptor for them.
const PAUSE: Duration = Duration::from_millis(100);

/// A door that the thread watches, or will again.
pub(super) struct Entrance {
    pub(super) door: Door,
    is_closed: bool,
}

impl Reactor {
    pub(super) fn open(&mut self, door: Door) {
        let key = self.new_key();
        self.entrances.insert(key, Entrance { door, is_closed: false });
        if let Err(error) = self.watch(key) {
            self.close_for_a_moment(key, &error);
        }
    }

    /// Lets some of those in who wait at a door.
    pub(super) fn accept(&mut self, door: u64) {
        for _ in 0..ACCEPTS {
            let Some(entrance) = self.entrances.get(&door) else { return };
            let entered = match entrance.door.listener.accept() {
                Ok((socket, address)) => self.enter(door, socket, address),
                Err(error) => Err(error),
            };
            match entered {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => {}
                // Those who have not proved anything make room for others.
                Err(error) if is_scarcity(&error) && self.turn_oldest_away() => {}
                Err(error) => return self.close_for_a_moment(door, &error),
            }
        }
    }

    fn enter(&mut self, door: u64, socket: TcpStream, address: SocketAddr) -> io::Result<()> {
        let Some(entrance) = self.entrances.get(&door) else { return Ok(()) };
        let wire = Wire::listening(entrance.door.secret.clone(), self.version);
        socket.set_nonblocking(true)?;
        // Only a matter of speed.
        let _ = socket.set_nodelay(true);
        while self.strangers.len() >= STRANGERS && self.turn_oldest_away() {}
        let key = self.new_key();
        let phase = Phase::Stranger { door };
        self.begin(Connection::new(key, socket, address, wire, phase, self.now))?;
        self.strangers.insert(key);
        // Who has spoken already need not wait among the strangers that come after it.
        self.with(key, |this, connection| this.read(connection).map(drop));
        Ok(())
    }

    /// Closes the connection that has proved nothing for the longest time, if there is one.
    fn turn_oldest_away(&mut self) -> bool {
        let Some(oldest) = self.strangers.pop_first() else { return false };
        if let Some(connection) = self.connections.remove(&oldest) {
            self.end(connection, End::Crowded);
        }
        true
    }

    /// The system would tell of those who wait again and again.
    fn close_for_a_moment(&mut self, door: u64, error: &io::Error) {
        self.unwatch(door);
        if let Some(entrance) = self.entrances.get_mut(&door) {
            entrance.is_closed = true;
        }
        self.agenda.add(What::Doors, self.now + PAUSE);
        self.note(format!("nobody can be let in for a moment: {error}"));
    }

    pub(super) fn reopen(&mut self) {
        let closed = self.entrances.iter_mut().filter(|(_, entrance)| entrance.is_closed);
        let doors: Vec<u64> = closed
            .map(|(door, entrance)| {
                entrance.is_closed = false;
                *door
            })
            .collect();
        for door in doors {
            if let Err(error) = self.watch(door) {
                self.close_for_a_moment(door, &error);
            }
        }
    }

    /// Asks what becomes of who says hello.
    pub(super) fn admit(
        &mut self,
        connection: &mut Connection,
        door: u64,
        hello: &[u8],
    ) -> Result<(), End> {
        let Some(entrance) = self.entrances.get_mut(&door) else { return Err(End::Closed) };
        let hello = Hello { bytes: hello, from: connection.address };
        match (entrance.door.admit)(hello) {
            Admission::Refuse { why } => Err(End::Unwelcome(why)),
            Admission::Admit { peer, answer } => {
                self.replace(peer);
                connection.phase = Phase::Held { peer, answer };
                let known = self.peers.entry(peer).or_default();
                if known.untaken == 0 {
                    self.come_in(connection);
                } else {
                    known.held = Some(connection.key);
                }
                Ok(())
            }
        }
    }

    /// Ends the connections of a peer, as there is a new one.
    pub(super) fn replace(&mut self, peer: PeerId) {
        let known = self.peers.entry(peer).or_default();
        for old in [known.up.take(), known.held.take()].into_iter().flatten() {
            if let Some(connection) = self.connections.remove(&old) {
                self.end(connection, End::Replaced);
            }
        }
    }

    /// Lets a guest in whose peer has no other connection any more.
    pub(super) fn come_in(&mut self, connection: &mut Connection) {
        let Phase::Held { peer, answer } = &mut connection.phase else { return };
        let peer = *peer;
        connection.wire.send(std::mem::take(answer));
        self.up(connection, peer, None);
    }
}

/// Whether only this one connection came to nothing.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Whether there would be room if another connection were closed.
fn is_scarcity(error: &io::Error) -> bool {
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSPC];
    Errno::from_io_error(error).is_some_and(|errno| scarce.contains(&errno))
}
