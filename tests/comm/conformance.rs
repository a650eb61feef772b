//! What every transport promises. Each check is a program of which every peer runs one copy
//! with its own, fresh transport: a thread, or a rank.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::comm::{Incoming, Transport};
use evenkeel::model::PeerId;
use rustix::time::{ClockId, clock_gettime};

/// Longer than anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
const DONE: &[u8] = b"done";

/// A peer that has met all the others and sees that Up, Down and frames come in turn.
struct Peer<T> {
    transport: T,
    me: PeerId,
    others: Vec<PeerId>,
    up: BTreeSet<PeerId>,
    /// Frames that came before the last of the others was up.
    early: VecDeque<(PeerId, Vec<u8>)>,
    /// Those that said that they are done.
    ended: BTreeSet<PeerId>,
    done: BTreeSet<PeerId>,
}

impl<T: Transport> Peer<T> {
    fn meet(transport: T, me: PeerId, peers: u32) -> Peer<T> {
        let others: Vec<PeerId> = (0..peers).map(PeerId).filter(|p| *p != me).collect();
        let mut peer = Peer {
            transport,
            me,
            others,
            up: BTreeSet::new(),
            early: VecDeque::new(),
            done: BTreeSet::new(),
            ended: BTreeSet::new(),
        };
        while peer.up.len() < peer.others.len() {
            if let Incoming::Frame { from, bytes } = peer.next() {
                peer.early.push_back((from, bytes));
            }
        }
        peer
    }

    /// Receives with a deadline and checks that what comes may come now.
    fn receive(&mut self, until: Instant) -> Option<Incoming> {
        let incoming = self.transport.receive(Some(until))?;
        match &incoming {
            Incoming::Up(peer) => assert!(self.up.insert(*peer), "{peer} up twice"),
            Incoming::Down(peer) => assert!(self.up.remove(peer), "{peer} down and was not up"),
            Incoming::Frame { from, .. } => {
                assert!(self.up.contains(from), "a frame of {from}, which is not up");
            }
            Incoming::Ended(peer) => {
                assert!(!self.up.contains(peer), "{peer} ended, and is up");
                assert!(self.ended.insert(*peer), "{peer} ended twice");
                // Not every transport can tell: nothing here waits for it.
                return self.receive(until);
            }
            Incoming::Woken => {}
        }
        Some(incoming)
    }

    fn next(&mut self) -> Incoming {
        let me = self.me;
        self.receive(Instant::now() + LIMIT).unwrap_or_else(|| panic!("{me} waits for ever"))
    }

    /// The next frame of a check; that its sender is done is only noted.
    fn frame(&mut self) -> (PeerId, Vec<u8>) {
        loop {
            let (from, bytes) = match self.early.pop_front() {
                Some(frame) => frame,
                None => match self.next() {
                    Incoming::Frame { from, bytes } => (from, bytes),
                    other => panic!("{} got {other:?}", self.me),
                },
            };
            if bytes != DONE {
                return (from, bytes);
            }
            self.done.insert(from);
        }
    }

    /// Has one peer do something while no other sends anything.
    fn alone(&mut self, act: impl FnOnce(&mut Peer<T>)) {
        if self.me == PeerId(0) {
            act(self);
            for other in self.others.clone() {
                self.transport.send(other, b"over".into());
            }
        } else {
            assert_eq!(self.frame(), (PeerId(0), b"over".into()));
        }
    }

    /// Leaves together with those that are up: the first of them lets the others go when all
    /// are done, and goes last, so that nothing is cut short.
    fn finish(mut self) {
        let others = self.up.clone();
        match others.first() {
            Some(first) if *first < self.me => {
                self.transport.send(*first, DONE.into());
                self.wait_for(&BTreeSet::from([*first]));
            }
            _ => {
                self.wait_for(&others);
                for other in others {
                    self.transport.send(other, DONE.into());
                }
                while !self.up.is_empty() {
                    assert!(matches!(self.next(), Incoming::Down(_)));
                }
            }
        }
    }

    fn wait_for(&mut self, others: &BTreeSet<PeerId>) {
        while !self.done.is_superset(others) {
            let early = self.early.pop_front().map(|(from, bytes)| Incoming::Frame { from, bytes });
            match early.unwrap_or_else(|| self.next()) {
                Incoming::Frame { from, bytes } if bytes == DONE => drop(self.done.insert(from)),
                // Another one was let go first.
                Incoming::Down(peer) => assert!(!others.contains(&peer), "{peer} is gone"),
                other => panic!("{} got {other:?}", self.me),
            }
        }
    }

    /// Sends each of the others that is up one frame, and has one from each.
    fn greet(&mut self) {
        for other in self.up.clone() {
            self.transport.send(other, self.me.0.to_le_bytes().into());
        }
        let mut waiting = self.up.clone();
        while !waiting.is_empty() {
            let (from, bytes) = self.frame();
            assert_eq!(bytes, from.0.to_le_bytes());
            assert!(waiting.remove(&from), "{from} greets twice");
        }
    }
}

/// The frame number `n` of `from`: it says so, and is of a length that depends on it.
fn numbered(from: PeerId, n: u32) -> Vec<u8> {
    let mut bytes = [from.0.to_le_bytes(), n.to_le_bytes()].concat();
    bytes.resize(8 + (n as usize * 37) % 3000, n as u8);
    bytes
}

pub(crate) fn frames_come_in_order_each_once<T: Transport>(transport: T, me: PeerId, peers: u32) {
    const FRAMES: u32 = 2000;
    let mut peer = Peer::meet(transport, me, peers);
    let others = peer.others.clone();
    for n in 0..FRAMES {
        for other in &others {
            peer.transport.send(*other, numbered(me, n));
        }
    }
    let mut next: BTreeMap<PeerId, u32> = others.iter().map(|p| (*p, 0)).collect();
    while next.values().any(|n| *n < FRAMES) {
        let (from, bytes) = peer.frame();
        let n = next.get_mut(&from).expect("one of the others");
        assert!(bytes == numbered(from, *n), "{me} got another frame than {n} of {from}");
        *n += 1;
    }
    peer.finish();
}

pub(crate) fn big_frames_pass<T: Transport>(transport: T, me: PeerId, peers: u32) {
    const BYTES: usize = 16 << 20;
    const FRAMES: u8 = 2;
    let content = |from: PeerId, n: u8| vec![from.0 as u8 * 10 + n; BYTES + usize::from(n)];
    let mut peer = Peer::meet(transport, me, peers);
    for other in peer.others.clone() {
        for n in 0..FRAMES {
            peer.transport.send(other, content(me, n));
        }
        peer.transport.send(other, Vec::new());
    }
    let mut got: BTreeMap<PeerId, u8> = BTreeMap::new();
    for _ in 0..peer.others.len() * usize::from(FRAMES + 1) {
        let (from, bytes) = peer.frame();
        let n = got.entry(from).or_default();
        let expected = if *n < FRAMES { content(from, *n) } else { Vec::new() };
        assert!(bytes == expected, "{me} got {} bytes from {from}", bytes.len());
        *n += 1;
    }
    peer.finish();
}

pub(crate) fn many_send_to_one<T: Transport>(transport: T, me: PeerId, peers: u32) {
    const FRAMES: u32 = 20_000;
    let mut peer = Peer::meet(transport, me, peers);
    if me != PeerId(0) {
        for n in 0..FRAMES {
            peer.transport.send(PeerId(0), n.to_le_bytes().into());
        }
        return peer.finish();
    }
    let mut next = vec![0u32; peers as usize];
    for _ in 0..FRAMES * (peers - 1) {
        let (from, bytes) = peer.frame();
        assert_eq!(bytes, next[from.index()].to_le_bytes(), "of {from}");
        next[from.index()] += 1;
    }
    peer.finish();
}

pub(crate) fn a_deadline_is_kept<T: Transport>(transport: T, me: PeerId, peers: u32) {
    let mut peer = Peer::meet(transport, me, peers);
    peer.alone(|peer| {
        for wait in [0, 1, 20, 150].map(Duration::from_millis) {
            let start = Instant::now();
            assert_eq!(peer.receive(start + wait), None);
            let waited = start.elapsed();
            assert!(waited >= wait, "{waited:?} instead of {wait:?}");
            assert!(waited < wait + Duration::from_secs(10), "{waited:?} instead of {wait:?}");
        }
    });
    peer.finish();
}

pub(crate) fn a_waker_ends_a_wait<T: Transport>(transport: T, me: PeerId, peers: u32) {
    let mut peer = Peer::meet(transport, me, peers);
    let waker = peer.transport.waker();
    peer.alone(|peer| {
        for _ in 0..200 {
            thread::scope(|scope| {
                scope.spawn(|| waker.wake());
                assert_eq!(peer.next(), Incoming::Woken);
            });
        }
        for _ in 0..3 {
            waker.clone().wake();
        }
        assert_eq!(peer.next(), Incoming::Woken);
        assert_eq!(peer.receive(Instant::now()), None, "three calls count as one");
    });
    peer.finish();
    waker.wake();
}

pub(crate) fn waiting_takes_no_processor_time<T: Transport>(transport: T, me: PeerId, peers: u32) {
    let spent = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let mut peer = Peer::meet(transport, me, peers);
    peer.alone(|peer| {
        let before = spent();
        assert_eq!(peer.receive(Instant::now() + Duration::from_millis(500)), None);
        let spent = spent() - before;
        assert!(spent < Duration::from_millis(50), "{spent:?} of half a second");
    });
    peer.finish();
}

pub(crate) fn a_dead_peer_is_told_and_hurts_nobody<T: Transport>(
    transport: T,
    me: PeerId,
    peers: u32,
) {
    let victim = PeerId(peers - 1);
    let mut peer = Peer::meet(transport, me, peers);
    if me == victim {
        return;
    }
    while peer.up.contains(&victim) {
        match peer.next() {
            Incoming::Down(down) => assert_eq!(down, victim),
            Incoming::Frame { from, bytes } => peer.early.push_back((from, bytes)),
            other => panic!("{me} got {other:?}"),
        }
    }
    for n in 0..1000 {
        peer.transport.send(victim, numbered(me, n));
    }
    peer.greet();
    peer.finish();
}

pub(crate) fn a_peer_dies_while_others_send<T: Transport>(transport: T, me: PeerId, peers: u32) {
    let victim = PeerId(peers - 1);
    let mut peer = Peer::meet(transport, me, peers);
    if me == victim {
        for _ in 0..500 {
            peer.frame();
        }
        return;
    }
    let deadline = Instant::now() + LIMIT;
    for n in 0.. {
        assert!(Instant::now() < deadline, "{victim} is dead and {me} does not know");
        if !peer.up.contains(&victim) {
            break;
        }
        peer.transport.send(victim, numbered(me, n));
        if let Some(Incoming::Frame { from, bytes }) = peer.receive(Instant::now()) {
            peer.early.push_back((from, bytes));
        }
    }
    peer.greet();
    peer.finish();
}
