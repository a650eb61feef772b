//! Frames over MPI.

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::super::{Incoming, QUEUE_BYTES, QUEUE_FRAMES, Transport, Waker};
use super::call::{Communicator, Matched, Transfer, finalise};
use super::connection::{Connection, Todo};
use super::doorbell::Doorbell;
use super::part;
use crate::model::PeerId;

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
    /// The sender leaves and says no more.
    pub(super) const GONE: i32 = 4;
    /// All are there: finalise MPI.
    pub(super) const FINALISE: i32 = 5;
    /// Some are dead: leave without finalising.
    pub(super) const LEAVE: i32 = 6;
}

/// One rank of a world: peer *n* is rank *n*.
///
/// When it is dropped it says goodbye to rank 0 and to those that it had to do with, who are told
/// [`Incoming::Down`]; then it finalises MPI if all ranks do so. If one is dead, or does not
/// answer within seconds, none does, and the process has to end by [`leave`](super::leave). A process that
/// has died on this host is told [`Incoming::Down`] too; of other hosts nothing is known.
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
    /// Sleeps in a row after which there was nothing.
    quiet: u32,
    /// Rings in a row after which there was nothing.
    vain: u32,
    /// Whether all are to finalise, as rank 0 says.
    parting: Option<bool>,
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
    sending: VecDeque<Transfer>,
    bytes: usize,
    receiving: VecDeque<(i32, Transfer)>,
    /// The parts of a frame that have come.
    parts: Vec<u8>,
    /// Whether a frame ever went either way.
    is_known: bool,
    /// Whether it has said that it leaves.
    said_gone: bool,
}

impl MpiTransport {
    pub(super) fn new(
        comm: Communicator,
        me: usize,
        doorbell: Doorbell,
        watched: Vec<Option<OwnedFd>>,
    ) -> MpiTransport {
        let peer = |_| Peer {
            connection: Connection::Up,
            sending: VecDeque::new(),
            bytes: 0,
            receiving: VecDeque::new(),
            parts: Vec::new(),
            is_known: false,
            said_gone: false,
        };
        let others = (0..watched.len()).filter(|rank| *rank != me);
        let arrived = others.map(|rank| Incoming::Up(id(rank))).collect();
        let peers = (0..watched.len()).map(peer).collect();
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
            quiet: 0,
            vain: 0,
            parting: None,
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

    /// Calls `then` once when `peer` is gone for good, instead of what was to be called before.
    /// [`Incoming::Down`] says less: a peer that is down may come up again.
    pub fn when_gone(&mut self, peer: PeerId, then: impl FnOnce(Farewell) + Send + 'static) {
        self.when_gone = Some((peer.index(), Box::new(then)));
    }

    /// Sends a message, whatever the state of the connection.
    fn say(&mut self, rank: usize, tag: i32, bytes: Vec<u8>) {
        let Some(comm) = &self.comm else { return };
        let (peer, length) = (&mut self.peers[rank], bytes.len());
        match comm.send(rank, tag, bytes) {
            Ok(transfer) => {
                peer.bytes += length;
                peer.sending.push_back(transfer);
                self.sending.insert(rank);
                self.to_ring.insert(rank);
            }
            // MPI knows that it is gone: some do.
            Err(_) => self.lose(rank),
        }
    }

    fn lose(&mut self, rank: usize) {
        let todo = self.peers[rank].connection.gone();
        self.act(rank, todo);
        if let Some((_, then)) = self.when_gone.take_if(|(peer, _)| *peer == rank) {
            then(if self.peers[rank].said_gone { Farewell::Said } else { Farewell::Unsaid });
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

    /// Lets go of what has been sent.
    fn finish_sends(&mut self) {
        let Some(comm) = &self.comm else { return };
        let mut drained = Vec::new();
        for rank in &self.sending {
            let peer = &mut self.peers[*rank];
            while let Some(first) = peer.sending.front_mut() {
                let length = first.len();
                match comm.is_complete(first) {
                    Ok(false) => break,
                    // What failed will not be sent later either.
                    Ok(true) | Err(_) => {
                        peer.bytes -= length;
                        peer.sending.pop_front();
                    }
                }
            }
            if peer.sending.is_empty() {
                drained.push(*rank);
            }
        }
        for rank in drained {
            self.sending.remove(&rank);
            let todo = self.peers[rank].connection.drained();
            self.act(rank, todo);
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
            tag::GONE => {
                peer.said_gone = true;
                self.lose(rank);
            }
            tag::FINALISE => self.parting = Some(true),
            tag::LEAVE => self.parting = Some(false),
            // Of a connection that has ended.
            _ => {}
        }
    }

    /// Moves on whatever can move; whether anything came in.
    fn progress(&mut self) -> bool {
        self.ring();
        let came = self.take_in();
        for rank in self.receiving.clone() {
            self.finish_receives(rank);
        }
        self.finish_sends();
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

    /// Tells of processes that have ended, after what they had sent.
    fn notice_deaths(&mut self) {
        for i in (0..self.watched.len()).rev() {
            if self.doorbell.has_ended(&self.watched[i]) {
                self.watched.swap_remove(i);
                let rank = self.watched_ranks.swap_remove(i);
                self.lose(rank);
            }
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

    /// Says goodbye, and agrees with the others on whether MPI is finalised.
    fn part(&mut self) {
        /// How long to wait for what was sent to leave.
        const FLUSH: Duration = Duration::from_secs(1);
        /// How long rank 0 waits for all to say goodbye.
        const GOODBYES: Duration = Duration::from_secs(5);
        /// How long the others wait for rank 0 to say what it is to be.
        const WORD: Duration = Duration::from_secs(10);
        let now = Instant::now();
        for rank in 0..self.peers.len() {
            let peer = &self.peers[rank];
            let matters = rank == 0 || peer.is_known;
            if rank != self.me && matters && peer.connection != Connection::Gone {
                self.say(rank, tag::GONE, Vec::new());
            }
        }
        self.go_on(now + FLUSH, |this| this.sending.is_empty());
        let others = (0..self.peers.len()).filter(|rank| *rank != self.me).collect::<Vec<_>>();
        if self.me == 0 {
            let gone = |this: &Self, rank: &usize| this.peers[*rank].connection == Connection::Gone;
            self.go_on(now + GOODBYES, |this| others.iter().all(|rank| gone(this, rank)));
            let all = others.iter().all(|rank| self.peers[*rank].said_gone);
            self.parting = Some(all);
            for rank in others {
                if self.peers[rank].said_gone {
                    self.say(rank, if all { tag::FINALISE } else { tag::LEAVE }, Vec::new());
                }
            }
            self.go_on(Instant::now() + FLUSH, |this| this.sending.is_empty());
        } else {
            let heads = |this: &Self| this.parting.is_some() || this.is_dead(0);
            self.go_on(now + WORD, heads);
        }
        let comm = self.comm.take();
        if let (Some(comm), Some(true), true) = (comm, self.parting, part::is_to_finalise())
            && finalise(comm).is_ok()
        {
            part::finalised();
        }
    }

    fn is_dead(&self, rank: usize) -> bool {
        let peer = &self.peers[rank];
        peer.connection == Connection::Gone && !peer.said_gone
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
        let full = peer.bytes + frame.len() > QUEUE_BYTES && !peer.sending.is_empty();
        if peer.sending.len() >= QUEUE_FRAMES || full {
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
