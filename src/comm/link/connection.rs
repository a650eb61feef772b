//! One connection, as the thread of links has it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;

use super::ends::End;
use super::line::Line;
use super::record::Record;
use super::wire::{Scratch, Wire};
use super::{HELLO_TIME, PROOF_TIME};
use crate::model::PeerId;

/// So long a host may take to say that it is there. The system asks again after a second.
const CONNECT_TIME: Duration = Duration::from_millis(1500);
/// Each end says a word so many times in the time after which silence is an end.
const WORDS: u32 = 4;
/// So much goes into one socket before others have their turn.
const TURN_BYTES: usize = 1 << 20;

pub(super) struct Connection {
    pub(super) key: u64,
    pub(super) socket: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) wire: Wire,
    pub(super) phase: Phase,
    /// When the phase began, as far as that matters.
    pub(super) since: Instant,
    pub(super) heard: Instant,
    pub(super) spoke: Instant,
    /// What the system is to tell of it.
    pub(super) interest: EventFlags,
}

/// How far a connection has come.
pub(super) enum Phase {
    /// The dialling end has no connection yet.
    Connecting { caller: u64 },
    /// It waits for the other's proof.
    Asking { caller: u64 },
    /// It waits for the answer to its hello.
    Greeting { caller: u64 },
    /// The listening end waits for the proof.
    Stranger { door: u64 },
    /// It waits for the hello.
    Guest { door: u64 },
    /// The guest is let in, once the user has taken the `Down` of its last connection.
    Held { peer: PeerId, answer: Vec<u8> },
    /// Up; dialled by a caller, or not.
    Up { line: Arc<Line>, caller: Option<u64> },
    /// All has been said here: the other end is to close too.
    Closing { until: Instant },
}

impl Connection {
    /// A connection that begins now.
    pub(super) fn new(
        key: u64,
        socket: TcpStream,
        address: SocketAddr,
        wire: Wire,
        phase: Phase,
        now: Instant,
    ) -> Connection {
        let interest = match phase {
            Phase::Connecting { .. } => EventFlags::OUT,
            _ => EventFlags::IN,
        };
        Connection {
            key,
            socket,
            address,
            wire,
            phase,
            since: now,
            heard: now,
            spoke: now,
            interest,
        }
    }

    /// When it is to be looked at, if nothing happens.
    pub(super) fn deadline(&self, silence: Duration) -> Instant {
        match &self.phase {
            Phase::Connecting { .. } => self.since + CONNECT_TIME,
            Phase::Asking { .. } | Phase::Stranger { .. } => self.since + PROOF_TIME,
            Phase::Guest { .. } => self.since + HELLO_TIME,
            Phase::Greeting { .. } | Phase::Held { .. } | Phase::Up { .. } => {
                (self.heard + silence).min(self.spoke + silence / WORDS)
            }
            Phase::Closing { until } => *until,
        }
    }

    /// Does what is to be done when nothing happened until the deadline.
    ///
    /// # Errors
    /// If that is the end.
    pub(super) fn look(
        &mut self,
        now: Instant,
        silence: Duration,
        scratch: &mut Scratch,
    ) -> Result<(), End> {
        if now < self.deadline(silence) {
            return Ok(());
        }
        match &self.phase {
            Phase::Connecting { .. } => Err(End::Failed(ErrorKind::TimedOut.into())),
            Phase::Asking { .. } | Phase::Stranger { .. } | Phase::Guest { .. } => Err(End::Late),
            Phase::Closing { .. } => Err(End::Silent),
            _ if now >= self.heard + silence => Err(End::Silent),
            _ => {
                self.spoke = now;
                self.wire.rest();
                // What waits to leave says as much.
                let is_idle = self.wire.unsent().is_empty();
                if is_idle { self.wire.say(Record::Ping, scratch) } else { Ok(()) }
            }
        }
    }

    /// Reads once; nothing if nothing is there.
    ///
    /// # Errors
    /// If the other end has closed.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Result<usize, End> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(End::Eof),
                Ok(n) => {
                    self.heard = now;
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) => return Err(End::Failed(error)),
            }
        }
    }

    /// Writes what the socket takes, and a bounded share at that.
    pub(super) fn flush(&mut self, scratch: &mut Scratch, now: Instant) -> Result<(), End> {
        if matches!(self.phase, Phase::Connecting { .. }) {
            return Ok(());
        }
        let mut left = TURN_BYTES;
        loop {
            let line = match &self.phase {
                Phase::Up { line, .. } => Some(&**line),
                _ => None,
            };
            self.wire.fill(line, scratch)?;
            let unsent = self.wire.unsent();
            if unsent.is_empty() || left == 0 {
                break;
            }
            match self.socket.write(unsent) {
                Ok(0) => return Err(End::Failed(ErrorKind::WriteZero.into())),
                Ok(n) => {
                    self.wire.sent(n);
                    self.spoke = now;
                    left = left.saturating_sub(n);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(End::Failed(error)),
            }
        }
        if matches!(self.phase, Phase::Closing { .. }) && self.wire.is_over() {
            // The other end closes when it has read all.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// What the system is to tell of it now; nothing if that is no news.
    pub(super) fn new_interest(&mut self) -> Option<EventFlags> {
        let mut interest = EventFlags::IN;
        if matches!(self.phase, Phase::Connecting { .. }) {
            interest = EventFlags::OUT;
        } else if !self.wire.unsent().is_empty() {
            interest |= EventFlags::OUT;
        }
        (std::mem::replace(&mut self.interest, interest) != interest).then_some(interest)
    }

    /// Has the other end told that this one closes, and why if it is `refused`.
    pub(super) fn break_off(
        &mut self,
        refused: Option<&str>,
        scratch: &mut Scratch,
    ) -> Result<(), End> {
        const MOST: usize = 4096;
        let last = match refused {
            Some(why) => Record::Refused(&why.as_bytes()[..why.floor_char_boundary(MOST)]),
            None => Record::Closed,
        };
        self.wire.break_off(last, scratch)
    }
}

/// Begins to connect.
pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}
