//! What a rank waits on: MPI has no descriptor that becomes readable when a message comes, so
//! whoever sends one rings a bell too.
//!
//! On one host a bell is a named pipe in a folder that only this user can enter, and that is
//! removed once all have opened it. From other hosts it is rung by an empty datagram. Either
//! carries nothing, and whoever rings achieves one probe: a bell that rang for nothing is not
//! listened to for a moment, so that a flood costs little.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};

use super::super::Waker;
use super::whereabouts::{Place, interfaces};
use crate::model::wire::wire_struct;

/// The bells of a world: this rank's own, and where those of the others are.
pub(super) struct Doorbell {
    pipe: OwnedFd,
    /// Where other hosts ring, if there are any.
    socket: Option<UdpSocket>,
    others: Vec<Bell>,
    woken: Arc<AtomicBool>,
    eventfd: Arc<OwnedFd>,
}

/// How another rank is rung.
enum Bell {
    Pipe(OwnedFd),
    Datagram(SocketAddr),
    /// It cannot be, and looks for messages by itself.
    None,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The bell rang.
    pub(super) rung: bool,
    /// One of the processes that are watched has ended.
    pub(super) death: bool,
}

/// What others have to know to ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Card {
    pipe: String,
    port: u16,
    addresses: Vec<u32>,
}

wire_struct! {
    Card { pipe, port, addresses }
}

/// A bell that is hung up, until all others know it.
pub(super) struct Hung {
    folder: PathBuf,
    pipe: OwnedFd,
    socket: Option<UdpSocket>,
    addresses: Vec<Ipv4Addr>,
}

impl Hung {
    /// Hangs up a bell, also for other hosts if there are any.
    pub(super) fn up(others: bool) -> io::Result<Hung> {
        let folder = private_folder()?;
        let path = folder.join(PIPE);
        let made = mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
        // Opened for writing too, so that it does not end with the last of the others.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = made.and_then(|()| open(&path, flags, Mode::empty()));
        let pipe = pipe.inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        let mut hung = Hung { folder, pipe, socket: None, addresses: Vec::new() };
        if others {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_nonblocking(true)?;
            hung.socket = Some(socket);
            hung.addresses = interfaces();
        }
        Ok(hung)
    }

    pub(super) fn card(&self) -> io::Result<Card> {
        let port = self.socket.as_ref().map(UdpSocket::local_addr).transpose()?;
        Ok(Card {
            pipe: self.folder.join(PIPE).display().to_string(),
            port: port.map_or(0, |address| address.port()),
            addresses: self.addresses.iter().map(|ip| ip.to_bits()).collect(),
        })
    }

    /// The doorbell of the rank at `here`, and how those are rung whose places and cards these
    /// are.
    pub(super) fn among(&self, here: &Place, others: &[(Place, Card)]) -> io::Result<Doorbell> {
        let bell = |(place, card): &(Place, Card)| {
            if place.shares_network_with(here) {
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                open(card.pipe.as_str(), flags, Mode::empty()).map_or(Bell::None, Bell::Pipe)
            } else {
                let theirs = card.addresses.iter().copied().map(Ipv4Addr::from_bits);
                let ip = nearest(&theirs.collect::<Vec<_>>(), &self.addresses);
                let address = ip.map(|ip| SocketAddr::V4(SocketAddrV4::new(ip, card.port)));
                address.map_or(Bell::None, Bell::Datagram)
            }
        };
        Ok(Doorbell {
            others: others.iter().map(bell).collect(),
            pipe: self.pipe.try_clone()?,
            socket: self.socket.as_ref().map(UdpSocket::try_clone).transpose()?,
            woken: Arc::new(AtomicBool::new(false)),
            eventfd: Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?),
        })
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const PIPE: &str = "bell";

/// A new folder for temporary files that nobody else can look into.
fn private_folder() -> io::Result<PathBuf> {
    let pid = std::process::id();
    for n in 0.. {
        let folder = std::env::temp_dir().join(format!("evenkeel-{pid}-bell-{n}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| folder),
        }
    }
    Err(io::Error::other("all names are taken"))
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
        !self.others.iter().any(|bell| matches!(bell, Bell::None))
    }

    /// Rings at `rank`. A ring that is lost costs it a little time; one that finds the bell still
    /// ringing is not needed.
    pub(super) fn ring(&self, rank: usize) {
        match (&self.others[rank], &self.socket) {
            (Bell::Pipe(pipe), _) => drop(rustix::io::write(pipe, &[0])),
            (Bell::Datagram(address), Some(socket)) => drop(socket.send_to(&[], address)),
            (Bell::Datagram(_), None) | (Bell::None, _) => {}
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
    /// `listened` to.
    pub(super) fn wait(&self, limit: Duration, listened: bool, watched: &[OwnedFd]) -> Heard {
        let bells = [Some(self.pipe.as_fd()), self.socket.as_ref().map(AsFd::as_fd)];
        let bells = bells.into_iter().flatten().filter(|_| listened);
        let mut fds: Vec<PollFd<'_>> = vec![wanted(self.eventfd.as_fd())];
        fds.extend(bells.map(wanted));
        let processes = fds.len();
        fds.extend(watched.iter().map(|fd| wanted(fd.as_fd())));
        let nanoseconds = limit.subsec_nanos().into();
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: nanoseconds };
        // A wait that a signal cut short is one in which nothing happened.
        let count = poll(&mut fds, Some(&limit)).unwrap_or(0);
        if count == 0 {
            return Heard::default();
        }
        let happened = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let [woken, rung, death] =
            [0..1, 1..processes, processes..fds.len()].map(|fd| fds[fd].iter().any(happened));
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

    /// Takes the rings that came, or as many as it takes to see that they do not end.
    fn silence(&self) {
        const MANY: usize = 64;
        let _ = rustix::io::read(&self.pipe, &mut [0u8; MANY]);
        if let Some(socket) = &self.socket {
            let _ = (0..MANY).find(|_| socket.recv_from(&mut [0u8; 1]).is_err());
        }
    }
}

fn wanted(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
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

    #[test]
    fn a_bell_is_heard_once_however_often_it_rang_and_leaves_no_folder() {
        let here = Place::here();
        let hung = Hung::up(false).unwrap();
        let folder = hung.folder.clone();
        let card = hung.card().unwrap();
        let bell = hung.among(&here, &[(here.clone(), card)]).unwrap();
        drop(hung);
        assert!(!folder.exists());
        assert!(bell.reaches_all());
        bell.ring(0);
        bell.ring(0);
        let long = Duration::from_secs(60);
        assert_eq!(bell.wait(long, true, &[]), Heard { rung: true, death: false });
        assert_eq!(bell.wait(Duration::ZERO, true, &[]), Heard::default());
        bell.ring(0);
        assert_eq!(bell.wait(Duration::ZERO, false, &[]), Heard::default(), "not listened to");
        // More than a pipe holds: who rings does not wait.
        (0..100_000).for_each(|_| bell.ring(0));
    }
}
