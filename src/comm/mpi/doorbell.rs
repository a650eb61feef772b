//! What a rank waits on: MPI has no descriptor that becomes readable when a message comes, so
//! whoever sends one also sends an empty datagram.
//!
//! The datagram carries nothing, and whoever sends one achieves one probe: a bell that rang for
//! nothing is not listened to for a moment, so that a flood of them costs little.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::super::Waker;
use super::whereabouts::{Place, interfaces};

/// The bells of a world: this rank's own, and where those of the others are.
pub(super) struct Doorbell {
    socket: UdpSocket,
    others: Vec<Option<SocketAddr>>,
    woken: Arc<AtomicBool>,
    eventfd: Arc<OwnedFd>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The bell rang.
    pub(super) rung: bool,
    /// One of the processes that are watched has ended.
    pub(super) death: bool,
}

/// A bell that is hung up, and not known to others yet.
pub(super) struct Hung {
    socket: UdpSocket,
    /// Where it can be rung from outside this host.
    addresses: Vec<Ipv4Addr>,
}

impl Hung {
    /// Hangs up a bell; it can be heard outside this host only if it `must_be`.
    pub(super) fn up(must_be: bool) -> io::Result<Hung> {
        let on = if must_be { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let socket = UdpSocket::bind((on, 0))?;
        socket.set_nonblocking(true)?;
        let addresses = if must_be { interfaces() } else { Vec::new() };
        Ok(Hung { socket, addresses })
    }

    /// What others have to know of it.
    pub(super) fn card(&self) -> io::Result<(u16, Vec<Ipv4Addr>)> {
        Ok((self.socket.local_addr()?.port(), self.addresses.clone()))
    }

    /// The doorbell of the rank at `place`, among others that are elsewhere and have told their
    /// cards.
    pub(super) fn among(
        self,
        place: &Place,
        others: &[(Place, u16, Vec<Ipv4Addr>)],
    ) -> io::Result<Doorbell> {
        let address = |(other, port, theirs): &(Place, u16, Vec<Ipv4Addr>)| {
            let ip = if other.shares_network_with(place) {
                Some(Ipv4Addr::LOCALHOST)
            } else {
                nearest(theirs, &self.addresses)
            };
            ip.map(|ip| SocketAddr::V4(SocketAddrV4::new(ip, *port)))
        };
        Ok(Doorbell {
            others: others.iter().map(address).collect(),
            socket: self.socket,
            woken: Arc::new(AtomicBool::new(false)),
            eventfd: Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?),
        })
    }
}

/// That of `theirs` which has the longest beginning in common with one of `ours`.
fn nearest(theirs: &[Ipv4Addr], ours: &[Ipv4Addr]) -> Option<Ipv4Addr> {
    let common = |a: &Ipv4Addr, b: &Ipv4Addr| (a.to_bits() ^ b.to_bits()).leading_zeros();
    let best = |a: &Ipv4Addr| ours.iter().map(|b| common(a, b)).max().unwrap_or(0);
    // The first of equals: `max_by_key` would take the last.
    theirs.iter().rev().max_by_key(|a| best(a)).copied()
}

impl Doorbell {
    /// Whether every other rank can be rung, and so, by the same rule, can ring here.
    pub(super) fn reaches_all(&self) -> bool {
        self.others.iter().all(Option::is_some)
    }

    /// Rings at `rank`. A ring that is lost costs it a little time.
    pub(super) fn ring(&self, rank: usize) {
        if let Some(address) = self.others[rank] {
            let _ = self.socket.send_to(&[], address);
        }
    }

    /// What ends a wait from other threads.
    pub(super) fn waker(&self) -> Waker {
        let (woken, eventfd) = (Arc::clone(&self.woken), Arc::downgrade(&self.eventfd));
        Waker::new(move || {
            // Release: with the acquire in `was_woken`, what was done before the call is seen
            // by whoever learns of it.
            if !woken.swap(true, Ordering::Release)
                && let Some(eventfd) = eventfd.upgrade()
            {
                let _ = rustix::io::write(&eventfd, &1u64.to_ne_bytes());
            }
        })
    }

    /// Whether a waker was used since this was last asked.
    pub(super) fn was_woken(&self) -> bool {
        // Acquire: with the release in `waker`. Looked at first, as it mostly says no.
        self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::Acquire)
    }

    /// Waits until something happens or `limit` is over; the bell counts only if it is
    /// `listened` to, and the end of a process only if it is one of `watched`.
    pub(super) fn wait(&self, limit: Duration, listened: bool, watched: &[OwnedFd]) -> Heard {
        let wanted = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds = vec![wanted(self.eventfd.as_fd())];
        fds.extend(listened.then(|| wanted(self.socket.as_fd())));
        let processes = fds.len();
        fds.extend(watched.iter().map(|fd| wanted(fd.as_fd())));
        let limit =
            Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
        // A wait that a signal cut short is one in which nothing happened.
        let count = poll(&mut fds, Some(&limit)).unwrap_or(0);
        if count == 0 {
            return Heard::default();
        }
        let happened = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let (woken, rung) = (happened(&fds[0]), listened && happened(&fds[1]));
        let death = fds[processes..].iter().any(happened);
        if woken {
            let _ = rustix::io::read(&self.eventfd, &mut [0u8; 8]);
        }
        if rung {
            self.silence();
        }
        Heard { rung, death }
    }

    /// Whether the process that `watched` is of has ended.
    pub(super) fn has_ended(&self, watched: &OwnedFd) -> bool {
        let mut fds = [PollFd::new(watched, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap_or(0) > 0
    }

    /// Takes the datagrams that came, or as many as it takes to see that they do not end.
    fn silence(&self) {
        for _ in 0..64 {
            if self.socket.recv_from(&mut [0u8; 1]).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_in_the_same_network_is_rung() {
        let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let ours = [ip("10.1.0.7"), ip("192.168.4.2")];
        assert_eq!(nearest(&[ip("172.16.0.1"), ip("192.168.4.9")], &ours), Some(ip("192.168.4.9")));
        assert_eq!(nearest(&[ip("10.1.0.9"), ip("10.1.0.8")], &[]), Some(ip("10.1.0.9")));
        assert_eq!(nearest(&[], &ours), None);
    }
}
