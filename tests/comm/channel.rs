//! The network of threads: its bounds, its faults, and what it does in any order of events.

use std::time::Instant;

use evenkeel::comm::channel::{ChannelTransport, network};
use evenkeel::comm::{Incoming, QUEUE_BYTES, QUEUE_FRAMES, Transport};
use evenkeel::model::PeerId;
use proptest::prelude::*;

const A: PeerId = PeerId(0);
const B: PeerId = PeerId(1);

fn pair() -> (ChannelTransport, ChannelTransport) {
    let [mut a, mut b] = network(2).try_into().ok().expect("two");
    assert_eq!((all(&mut a), all(&mut b)), (vec![Incoming::Up(B)], vec![Incoming::Up(A)]));
    (a, b)
}

/// What has come in already.
fn all(transport: &mut ChannelTransport) -> Vec<Incoming> {
    std::iter::from_fn(|| transport.receive(Some(Instant::now()))).collect()
}

fn frame(from: PeerId, bytes: &[u8]) -> Incoming {
    Incoming::Frame { from, bytes: bytes.into() }
}

#[test]
fn all_others_come_up_in_the_order_of_their_ids() {
    for (i, mut transport) in network(5).into_iter().enumerate() {
        assert_eq!(transport.id().index(), i);
        let ids = (0..5).map(PeerId).filter(|id| id.index() != i);
        assert_eq!(all(&mut transport)[..4], ids.map(Incoming::Up).collect::<Vec<_>>());
    }
}

#[test]
fn a_frame_to_nobody_or_to_oneself_is_dropped() {
    let (mut a, _b) = pair();
    a.send(A, b"me".into());
    a.send(PeerId(7), b"nobody".into());
    assert_eq!(all(&mut a), []);
}

#[test]
fn what_was_sent_before_a_cut_comes_before_the_down() {
    let (mut a, mut b) = pair();
    a.send(B, b"before".into());
    a.faults().cut(A, B);
    a.send(B, b"after".into());
    assert_eq!(all(&mut b), [frame(A, b"before"), Incoming::Down(A)]);
    a.faults().heal(A, B);
    assert_eq!(all(&mut b), [], "the other end has not seen the cut yet");
    assert_eq!(all(&mut a), [Incoming::Down(B), Incoming::Up(B)]);
    a.send(B, b"again".into());
    assert_eq!(all(&mut b), [Incoming::Up(A), frame(A, b"again")]);
}

#[test]
fn a_peer_that_is_dropped_is_down_after_its_last_frame() {
    let (mut a, mut b) = pair();
    a.send(B, b"last".into());
    a.faults().cut(PeerId(3), B);
    drop(a);
    assert_eq!(all(&mut b), [frame(A, b"last"), Incoming::Down(A)]);
    b.faults().heal(A, B);
    b.send(A, b"too late".into());
    assert_eq!(all(&mut b), []);
}

#[test]
fn too_many_frames_bring_a_connection_down_and_it_comes_up_again() {
    let (mut a, mut b) = pair();
    for _ in 0..=QUEUE_FRAMES {
        a.send(B, Vec::new());
    }
    assert_eq!(all(&mut a), [Incoming::Down(B)]);
    a.send(B, b"not up".into());
    let got = all(&mut b);
    assert_eq!(got.len(), QUEUE_FRAMES + 2);
    assert_eq!(got[QUEUE_FRAMES..], [Incoming::Down(A), Incoming::Up(A)]);
    assert_eq!(all(&mut a), [Incoming::Up(B)]);
    a.send(B, b"fresh".into());
    assert_eq!(all(&mut b), [frame(A, b"fresh")]);
}

#[test]
fn too_many_bytes_bring_a_connection_down_but_one_frame_of_any_size_passes() {
    let (mut a, mut b) = pair();
    a.send(B, vec![0; QUEUE_BYTES + 1]);
    a.send(B, vec![0]);
    assert_eq!(all(&mut a), [Incoming::Down(B)]);
    let got = all(&mut b);
    assert!(matches!(&got[0], Incoming::Frame { bytes, .. } if bytes.len() == QUEUE_BYTES + 1));
    assert_eq!(got[1..], [Incoming::Down(A), Incoming::Up(A)]);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Send(usize, usize),
    Receive(usize),
    Wake(usize),
    Cut(usize, usize),
    Heal(usize, usize),
    Drop(usize),
}

fn op(peers: usize) -> impl Strategy<Value = Op> {
    let a = 0..peers;
    prop_oneof![
        8 => (a.clone(), a.clone()).prop_map(|(a, b)| Op::Send(a, b)),
        8 => a.clone().prop_map(Op::Receive),
        1 => a.clone().prop_map(Op::Wake),
        1 => (a.clone(), a.clone()).prop_map(|(a, b)| Op::Cut(a, b)),
        1 => (a.clone(), a.clone()).prop_map(|(a, b)| Op::Heal(a, b)),
        1 => (0..peers * 8).prop_map(Op::Drop),
    ]
}

/// What one peer may expect of another.
#[derive(Clone, Default)]
struct View {
    up: bool,
    /// The number of the frame received last in this connection.
    last: Option<u32>,
    /// The number of the frame received last in any.
    highest: Option<u32>,
}

fn observe(views: &mut [View], incoming: &Incoming) {
    match incoming {
        Incoming::Up(peer) => {
            let view = &mut views[peer.index()];
            assert!(!std::mem::replace(&mut view.up, true), "up twice");
            view.last = None;
        }
        Incoming::Down(peer) => assert!(std::mem::take(&mut views[peer.index()].up), "not up"),
        Incoming::Frame { from, bytes } => {
            let view = &mut views[from.index()];
            let n = u32::from_le_bytes(bytes[..].try_into().expect("four bytes"));
            assert!(view.up, "a frame of a peer that is not up");
            assert!(view.highest < Some(n), "twice, or out of order");
            assert!(view.last.is_none_or(|last| last + 1 == n), "a gap within a connection");
            (view.last, view.highest) = (Some(n), Some(n));
        }
        Incoming::Ended(peer) => panic!("{peer} is a thread, and threads are not told to end"),
        Incoming::Woken => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_promise(ops in prop::collection::vec(op(3), 1..200)) {
        const PEERS: usize = 3;
        let mut peers: Vec<Option<ChannelTransport>> =
            network(PEERS as u32).into_iter().map(Some).collect();
        let faults = peers[0].as_ref().expect("there").faults();
        let id = |i: usize| PeerId(i as u32);
        let mut views = vec![vec![View::default(); PEERS]; PEERS];
        let mut sent = [[0u32; PEERS]; PEERS];
        for op in ops {
            match op {
                Op::Send(a, b) => if let Some(peer) = &mut peers[a] {
                    peer.send(id(b), sent[a][b].to_le_bytes().into());
                    sent[a][b] += 1;
                },
                Op::Receive(a) => {
                    let now = Some(Instant::now());
                    let incoming = peers[a].as_mut().and_then(|peer| peer.receive(now));
                    incoming.iter().for_each(|incoming| observe(&mut views[a], incoming));
                }
                Op::Wake(a) => if let Some(peer) = &peers[a] {
                    peer.waker().wake();
                },
                Op::Cut(a, b) => faults.cut(id(a), id(b)),
                Op::Heal(a, b) => faults.heal(id(a), id(b)),
                Op::Drop(a) => if a < PEERS {
                    peers[a] = None;
                },
            }
        }
        // When all is healed and read, those that are there are up to each other.
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            faults.heal(id(a), id(b));
        }
        for _ in 0..2 {
            for (peer, views) in peers.iter_mut().zip(&mut views) {
                for incoming in peer.iter_mut().flat_map(all) {
                    observe(views, &incoming);
                }
            }
        }
        for a in (0..PEERS).filter(|a| peers[*a].is_some()) {
            for b in (0..PEERS).filter(|b| *b != a) {
                prop_assert_eq!(views[a][b].up, peers[b].is_some());
            }
        }
    }
}
