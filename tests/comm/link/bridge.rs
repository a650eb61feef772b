//! A world and links, as one transport.

use std::time::Instant;

use evenkeel::comm::channel::network;
use evenkeel::comm::link::{Bridge, Secret, Setup};
use evenkeel::comm::{Incoming, Transport};
use evenkeel::model::PeerId;

use super::user::{LIMIT, User, admit};

const SINGLE: PeerId = PeerId(7);
const BASE: u32 = 20;

fn next(transport: &mut impl Transport) -> Incoming {
    transport.receive(Some(Instant::now() + LIMIT)).expect("nothing comes, and was to come")
}

#[test]
fn the_world_has_its_own_numbers_beside_those_of_links() {
    let [first, mut second] = network(2).try_into().ok().expect("two");
    let setup = Setup { version: 1, silence: LIMIT, note: Box::new(|_| {}) };
    let mut first = Bridge::new(first, BASE..BASE + 2, setup).unwrap();
    let (me, other) = (PeerId(BASE), PeerId(BASE + 1));
    let secret = Secret::random().unwrap();
    let lo = "lo".parse().unwrap();
    let address = first.links().listen(&lo, &secret, admit(me)).unwrap();
    let mut single = User::new(SINGLE);
    single.dial(&address, &secret);
    assert_eq!(single.next(), Incoming::Up(me));
    let mut up = [next(&mut first), next(&mut first)];
    up.sort_by_key(|incoming| format!("{incoming:?}"));
    assert_eq!(up, [Incoming::Up(other), Incoming::Up(SINGLE)]);
    assert_eq!(next(&mut second), Incoming::Up(PeerId(0)));

    first.send(other, b"world".into());
    first.send(SINGLE, b"link".into());
    first.send(PeerId(BASE + 2), b"nobody".into());
    first.send(me, b"itself".into());
    let frame = |from, bytes: &[u8]| Incoming::Frame { from, bytes: bytes.into() };
    assert_eq!(next(&mut second), frame(PeerId(0), b"world"));
    assert_eq!(single.next(), frame(me, b"link"));
    second.send(PeerId(0), b"from the world".into());
    assert_eq!(next(&mut first), frame(other, b"from the world"));
    single.send(me, b"from the link");
    assert_eq!(next(&mut first), frame(SINGLE, b"from the link"));

    // Neither keeps the other from being heard.
    for n in 0..1000u32 {
        second.send(PeerId(0), n.to_le_bytes().into());
        single.send(me, &n.to_le_bytes());
    }
    let mut due = [0u32; 2];
    while due != [1000; 2] {
        let Incoming::Frame { from, bytes } = next(&mut first) else { panic!("no frame") };
        let due = &mut due[usize::from(from == SINGLE)];
        assert_eq!(bytes, due.to_le_bytes());
        *due += 1;
    }
    drop(first);
    assert_eq!(next(&mut second), Incoming::Down(PeerId(0)));
    assert_eq!(single.next(), Incoming::Down(me));
}
