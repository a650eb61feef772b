//! Frames over MPI.

mod deaths;
mod goodbye;

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::super::{Incoming, Transport, Waker};
use super::call::{Communicator, Matched, Transfer};
use super::connection::{Connection, Todo};
use super::doorbell::Doorbell;
use super::outbox::Outbox;
use crate::model::PeerId;
use goodbye::{Goodbye, Word};

/// So many bytes travel in one message; larger frames in several.
const PART_BYTES: usize = 8 << 20;
/// So often it is looked for messages before there are taken to be none: one that has come often
/// shows only when MPI is called the second time.
const PROBES: usize = 8;
/// So many messages are taken in at once.
const BURST: usize = 64;
/// The longest sleep without looking, should a ring be lost.
const SLEEP: Duration = Duration::from_millis(10);
/// The same where some cannot ring.
const DEAF_SLEEP: Duration = Duration::from_micros(200);
/// The first sleep while a transfer goes on, which MPI moves only when it is called; each further
/// one is twice as long, up to [`LONGEST_NAP`].
const NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(1);
/// So many naps after a ring that announced nothing, what it announces may still come.
const EXPECTED: u32 = 6;
/// After so many rings in a row that announced nothing, the bell is not listened to for a nap.
const PATIENCE: u32 = 16;

/// What a message is.
mod tag {
    /// A frame, or the last part of one.
    pub(super) const FRAME: i32 = 1;
    /// A part of a frame of which more comes.
    pub(super) const PART: i32 = 2;
    /// See [`Connection`](super::Connection).
    pub(super) const OPEN: i32 = 3;
    /// The last that the sender says to this rank, beside what is said between it and rank 0.
    pub(super) const GONE: i32 = 4;
    /// Rank 0 says that another has left while the run goes on.
    pub(super) const LEFT: i32 = 5;
    /// Nothing is on its way to the sender or from it: what is it to do?
    pub(super) const READY: i32 = 6;
    /// What rank 0 says to that: see [`Word`](super::Word).
    pub(super) const WAIT: i32 = 7;
    pub(super) const FINALISE: i32 = 8;
    pub(super) const LEAVE: i32 = 9;
    /// The sender has heard it, and says no more.
    pub(super) const DONE: i32 = 10;
    /// The process of another has ended, as is seen on its host.
    pub(super) const DEAD: i32 = 11;
}

/// One rank of a world: peer *n* is rank *n*.
///
/// When it is dropped it says goodbye to rank 0 and to those that it had to do with, who are told
/// [`Incoming::Down`]; then it waits for rank 0 to do the same, since launchers take the first
/// process that leaves a world for a failure, and finalises MPI if all ranks do so. If one is
/// dead, or does not answer within seconds, none does, and the process has to end by
/// [`leave`](super::leave). That a process has died is told by [`Incoming::Down`] and
/// [`Incoming::Ended`], as long as another rank lives on its host.
pub struct MpiTransport {
    comm: Option<Communicator>,
    me: usize,
    doorbell: Doorbell,
    peers: Vec<Peer>,
    arrived: VecDeque<Incoming>,
    to_ring: BTreeSet<usize>,
    /// Those to whom something is being sent, and from whom something is being received.
    sending: BTreeSet<usize>,
    receiving: BTreeSet<usize>,
    /// What tells of the end of a process, and of whose.
    watched: Vec<OwnedFd>,
    watched_ranks: Vec<usize>,
    /// When it was last looked whether a process has ended. One that is never idle never sleeps.
    looked: Instant,
    /// Sleeps in a row after which there was nothing.
    quiet: u32,
    /// Rings in a row after which there was nothing.
    vain: u32,
    /// Whether this rank has begun to say goodbye.
    is_parting: bool,
    /// What rank 0 says that is to be done then.
    word: Option<Word>,
    /// Who is called when which peer is gone.
    when_gone: Option<(usize, WhenGone)>,
}

/// How a peer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It said goodbye.
    Said,
    /// Its process has ended, or MPI cannot reach it any more.
    Unsaid,
}

type WhenGone = Box<dyn FnOnce(Farewell) + Send>;

/// What is known of one of the ranks.
struct Peer {
    connection: Connection,
    outbox: Outbox,
    receiving: VecDeque<(i32, Transfer)>,
    /// The parts of a frame that have come.
    parts: Vec<u8>,
    /// Whether a frame ever went either way.
    is_known: bool,
    goodbye: Goodbye,
    /// Whether it is on this host, where the end of its process is seen.
    is_here: bool,
    /// Whether its process has ended, or MPI cannot reach it any more.
    is_dead: bool,
}

impl MpiTransport {
    pub(super) fn new(
        comm: Communicator,
        me: usize,
        doorbell: Doorbell,
        watched: Vec<Option<OwnedFd>>,
    ) -> MpiTransport {
        let peer = |watched: &Option<OwnedFd>| Peer {
            connection: Connection::Up,
            outbox: Outbox::default(),
            receiving: VecDeque::new(),
            parts: Vec::new(),
            is_known: false,
            goodbye: Goodbye::default(),
            is_here: watched.is_some(),
            is_dead: false,
        };
        let others = (0..watched.len()).filter(|rank| *rank != me);
        let arrived = others.map(|rank| Incoming::Up(id(rank))).collect();
        let peers = watched.iter().map(peer).collect();
        let seen = watched.into_iter().enumerate().filter(|(rank, _)| *rank != me);
        let (watched_ranks, watched) = seen.filter_map(|(rank, fd)| Some((rank, fd?))).unzip();
        MpiTransport {
            comm: Some(comm),
            me,
            doorbell,
            peers,
            arrived,
            to_ring: BTreeSet::new(),
            sending: BTreeSet::new(),
            receiving: BTreeSet::new(),
            watched,
            watched_ranks,
            looked: Instant::now(),
            quiet: 0,
            vain: 0,
            is_parting: false,
            word: None,
            when_gone: None,
        }
    }

    /// Which peer this is.
    #[must_use]
    pub fn id(&self) -> PeerId {
        id(self.me)
    }

    /// How many peers there are, this one counted.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.peers.len() as u32
    }

    /// Puts back what was received, to be received again in the same order.
    pub fn put_back(&mut self, incoming: Vec<Incoming>) {
        incoming.into_iter().rev().for_each(|one| self.arrived.push_front(one));
    }

    /// Calls `then` once when `peer` is gone for good, at once if it is, instead of what was to be
    /// called before. [`Incoming::Down`] says less: a peer that is down may come up again.
    pub fn when_gone(&mut self, peer: PeerId, then: impl FnOnce(Farewell) + Send + 'static) {
        self.when_gone = Some((peer.index(), Box::new(then)));
        if self.peers[peer.index()].connection == Connection::Gone {
            self.part_from(peer.index());
        }
    }

    /// Sends a message, whatever the state of the connection.
    fn say(&mut self, rank: usize, tag: i32, bytes: Vec<u8>) {
        let Some(comm) = &self.comm else { return };
        let peer = &mut self.peers[rank];
        if peer.is_dead {
            return;
        }
        peer.outbox.push(tag, bytes);
        self.sending.insert(rank);
        match peer.outbox.begin(comm, rank) {
            Ok(true) => drop(self.to_ring.insert(rank)),
            Ok(false) => {}
            // MPI knows that it is gone: some do.
            Err(_) => self.lose(rank),
        }
    }

    fn part_from(&mut self, rank: usize) {
        let todo = self.peers[rank].connection.gone();
        self.act(rank, todo);
        if let Some((_, then)) = self.when_gone.take_if(|(peer, _)| *peer == rank) {
            then(if self.peers[rank].goodbye.is_heard() {
                Farewell::Said
            } else {
                Farewell::Unsaid
            });
        }
    }

    fn act(&mut self, rank: usize, todo: Todo) {
        if todo.down {
            self.peers[rank].parts = Vec::new();
            self.arrived.push_back(Incoming::Down(id(rank)));
        }
        if todo.open {
            self.say(rank, tag::OPEN, Vec::new());
        }
        if todo.up {
            self.arrived.push_back(Incoming::Up(id(rank)));
        }
    }

    fn ring(&mut self) {
        for rank in std::mem::take(&mut self.to_ring) {
            self.doorbell.ring(rank);
        }
    }

    /// Moves on what is being sent.
    fn move_sends(&mut self) {
        for rank in self.sending.clone() {
            let (Some(comm), peer) = (&self.comm, &mut self.peers[rank]) else { return };
            match peer.outbox.advance(comm, rank) {
                Ok(true) => drop(self.to_ring.insert(rank)),
                Ok(false) => {}
                Err(_) => self.lose(rank),
            }
            let peer = &mut self.peers[rank];
            if peer.outbox.is_empty() {
                self.sending.remove(&rank);
                let todo = peer.connection.drained();
                self.act(rank, todo);
            }
        }
    }

    /// Begins to receive what has come; whether anything had.
    fn take_in(&mut self) -> bool {
        let (mut found, mut dry) = (0, 0);
        while found < BURST && dry < PROBES {
            let Some(comm) = &self.comm else { return false };
            match comm.probe() {
                Ok(Some(matched)) => {
                    found += 1;
                    self.begin(matched);
                }
                Ok(None) | Err(_) => dry += 1,
            }
            if dry == 1 && found > 0 {
                // What came together is in.
                break;
            }
        }
        found > 0
    }

    fn begin(&mut self, matched: Matched) {
        let (Some(comm), rank, tag) = (&self.comm, matched.source, matched.tag) else { return };
        // A message that cannot be received is one that is lost, as at the death of its sender.
        let Ok(transfer) = comm.receive(matched) else { return self.lose(rank) };
        self.peers[rank].receiving.push_back((tag, transfer));
        self.receiving.insert(rank);
        self.finish_receives(rank);
    }

    /// Hands on what has come whole from `rank`, in order.
    fn finish_receives(&mut self, rank: usize) {
        loop {
            let (Some(comm), peer) = (&self.comm, &mut self.peers[rank]) else { return };
            let Some((tag, transfer)) = peer.receiving.front_mut() else { break };
            match comm.is_complete(transfer) {
                Ok(true) => {
                    let tag = *tag;
                    let taken = peer.receiving.pop_front();
                    taken.into_iter().for_each(|(_, t)| self.take(rank, tag, t.into_bytes()));
                }
                Ok(false) => return,
                Err(_) => {
                    peer.receiving.clear();
                    self.lose(rank);
                }
            }
        }
        self.receiving.remove(&rank);
    }

    fn take(&mut self, rank: usize, tag: i32, bytes: Vec<u8>) {
        if self.is_parting && matches!(tag, tag::PART | tag::FRAME | tag::OPEN) {
            return self.tell(rank);
        }
        let peer = &mut self.peers[rank];
        match tag {
            tag::PART if peer.connection.is_up() => peer.parts.extend_from_slice(&bytes),
            tag::FRAME if peer.connection.is_up() => {
                peer.is_known = true;
                let bytes = match std::mem::take(&mut peer.parts) {
                    none if none.is_empty() => bytes,
                    parts => [parts, bytes].concat(),
                };
                self.arrived.push_back(Incoming::Frame { from: id(rank), bytes });
            }
            tag::OPEN => {
                let todo = peer.connection.opened();
                self.act(rank, todo);
            }
            // Of a connection that has ended.
            tag::PART | tag::FRAME => {}
            tag::DEAD => self.hear_of_death(rank, &bytes),
            _ => self.hear(rank, tag, &bytes),
        }
    }

    /// Moves on whatever can move; whether anything came in.
    fn progress(&mut self) -> bool {
        self.ring();
        let came = self.take_in();
        for rank in self.receiving.clone() {
            self.finish_receives(rank);
        }
        self.move_sends();
        self.ring();
        came
    }

    /// Sleeps until something happens, `limit` at most.
    fn sleep(&mut self, limit: Duration) {
        self.ring();
        let moving = !self.sending.is_empty() || !self.receiving.is_empty();
        let listened = self.vain < PATIENCE;
        // A datagram may be faster than the message that it announces.
        let expected = self.vain > 0 && self.quiet < EXPECTED;
        let most = if moving || expected || !listened {
            (NAP * (1 << self.quiet.min(8))).min(LONGEST_NAP)
        } else if self.doorbell.reaches_all() {
            SLEEP
        } else {
            DEAF_SLEEP
        };
        let heard = self.doorbell.wait(limit.min(most), listened, &self.watched);
        self.looked = Instant::now();
        let came = self.progress();
        self.quiet = if came || heard.rung { 0 } else { self.quiet.saturating_add(1) };
        self.vain = match (came, heard.rung) {
            (false, true) => self.vain + 1,
            (false, false) if listened => self.vain,
            _ => 0,
        };
        if heard.death {
            self.notice_deaths();
        }
    }

    /// Goes on until `done` holds, or it is `until`.
    fn go_on(&mut self, until: Instant, done: impl Fn(&MpiTransport) -> bool) {
        self.progress();
        while !done(self) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.sleep(left);
        }
    }
}

impl Transport for MpiTransport {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        let rank = to.index();
        if rank == self.me || rank >= self.peers.len() {
            return;
        }
        let peer = &mut self.peers[rank];
        if !peer.connection.is_up() {
            return;
        }
        if peer.outbox.is_full_for(frame.len()) {
            let todo = peer.connection.overflow();
            return self.act(rank, todo);
        }
        peer.is_known = true;
        if frame.len() <= PART_BYTES {
            return self.say(rank, tag::FRAME, frame);
        }
        let parts = frame.chunks(PART_BYTES);
        let last = parts.len() - 1;
        for (i, part) in parts.enumerate() {
            let tag = if i == last { tag::FRAME } else { tag::PART };
            self.say(rank, tag, part.to_vec());
        }
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        self.ring();
        if self.arrived.is_empty() {
            self.progress();
        }
        if self.looked.elapsed() >= SLEEP {
            self.sleep(Duration::ZERO);
        }
        loop {
            if let Some(incoming) = self.arrived.pop_front() {
                return Some(incoming);
            }
            if self.doorbell.was_woken() {
                return Some(Incoming::Woken);
            }
            let limit = match until {
                None => Duration::MAX,
                Some(until) => until.saturating_duration_since(Instant::now()),
            };
            if limit.is_zero() {
                return None;
            }
            self.sleep(limit);
        }
    }

    fn waker(&self) -> Waker {
        self.doorbell.waker()
    }
}

impl Drop for MpiTransport {
    fn drop(&mut self) {
        self.part();
    }
}

fn id(rank: usize) -> PeerId {
    PeerId(rank as u32)
}
