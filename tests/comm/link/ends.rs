//! How links end, and come back.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evenkeel::comm::link::{Destination, Secret};
use evenkeel::comm::{Incoming, Transport};
use evenkeel::model::PeerId;

use super::child::{CHILD, Listening};
use super::proxy::Proxy;
use super::user::{SILENCE, User, poll};

const A: PeerId = PeerId(1);
pub(crate) const B: PeerId = PeerId(2);

/// Two with a link, which the second has dialled.
fn pair() -> (User, User, Secret) {
    let (mut a, mut b) = (User::new(A), User::new(B));
    let secret = Secret::random().unwrap();
    b.dial(&[a.listen(&secret)], &secret);
    a.meet(&mut b);
    (a, b, secret)
}

/// The same with something between them that can be cut.
fn pair_with_proxy() -> (User, User, Proxy) {
    let (mut a, mut b) = (User::impatient(A), User::impatient(B));
    let secret = Secret::random().unwrap();
    let proxy = Proxy::to(a.listen(&secret));
    b.dial(&[proxy.address], &secret);
    a.meet(&mut b);
    a.greet(&mut b);
    (a, b, proxy)
}

#[test]
fn a_process_that_is_killed_is_told_to_have_ended() {
    let secret = Secret::random().unwrap();
    let mut child = Listening::start(&secret);
    let mut user = User::new(B);
    user.dial(&[child.address], &secret);
    assert_eq!(user.next(), Incoming::Up(CHILD));
    user.send(CHILD, b"there");
    assert_eq!(user.next(), Incoming::Frame { from: CHILD, bytes: b"there".into() });
    child.kill();
    user.expect(&[Incoming::Down(CHILD), Incoming::Ended(CHILD)]);
    // Once: it goes on trying, and nobody is there.
    let refusals = || {
        let all = user.told().all();
        all.iter().filter(|told| told.contains("refused")).count()
    };
    assert!(poll(|| refusals() >= 5));
    assert_eq!(user.what_is_there(), None);
}

#[test]
fn a_process_that_stands_still_has_not_ended() {
    let secret = Secret::random().unwrap();
    let child = Listening::start(&secret);
    let mut user = User::impatient(B);
    user.dial(&[child.address], &secret);
    assert_eq!(user.next(), Incoming::Up(CHILD));
    child.stop(true);
    assert_eq!(user.next(), Incoming::Down(CHILD));
    user.told().expect("broke: nothing was heard for too long");
    // Its system takes connections, which nobody answers.
    user.told().expect("ended the connection without an answer");
    assert_eq!(user.what_is_there(), None);
    child.stop(false);
    assert_eq!(user.next(), Incoming::Up(CHILD));
    user.send(CHILD, b"there");
    assert_eq!(user.next(), Incoming::Frame { from: CHILD, bytes: b"there".into() });
}

#[test]
fn a_process_that_was_dropped_in_order_has_not_ended() {
    let (a, mut b, _) = pair();
    drop(a);
    assert_eq!(b.next(), Incoming::Down(A));
    b.told().expect("broke: it was closed at the other end");
    b.told().expect("refused");
    assert_eq!(b.what_is_there(), None);
}

#[test]
fn a_short_cut_is_waited_out() {
    let (mut a, mut b, proxy) = pair_with_proxy();
    proxy.cut(true);
    a.send(B, b"one");
    b.send(A, b"two");
    let half = Some(Instant::now() + SILENCE / 2);
    assert_eq!(a.bridge.receive(half), None);
    assert_eq!(b.what_is_there(), None);
    proxy.cut(false);
    assert_eq!(a.next(), Incoming::Frame { from: B, bytes: b"two".into() });
    assert_eq!(b.next(), Incoming::Frame { from: A, bytes: b"one".into() });
}

#[test]
fn a_long_cut_is_told_to_both_and_heals() {
    let (mut a, mut b, proxy) = pair_with_proxy();
    proxy.cut(true);
    assert_eq!([a.next(), b.next()], [Incoming::Down(B), Incoming::Down(A)]);
    a.told().expect("broke: nothing was heard for too long");
    b.told().expect("broke: nothing was heard for too long");
    // Try after try fails.
    b.told().expect("ended the connection without an answer");
    proxy.cut(false);
    a.meet(&mut b);
    a.greet(&mut b);
}

#[test]
fn a_cut_in_which_connections_are_refused_is_no_death() {
    let (mut a, mut b, proxy) = pair_with_proxy();
    proxy.cut(true);
    proxy.refuse(true);
    assert_eq!([a.next(), b.next()], [Incoming::Down(B), Incoming::Down(A)]);
    b.told().expect("refused");
    assert_eq!(b.what_is_there(), None, "it has not ended");
    proxy.refuse(false);
    proxy.cut(false);
    a.meet(&mut b);
}

#[test]
fn a_connection_that_is_closed_on_the_way_is_no_death() {
    let (mut a, mut b, proxy) = pair_with_proxy();
    for _ in 0..3 {
        proxy.sever();
        assert_eq!([a.next(), b.next()], [Incoming::Down(B), Incoming::Down(A)]);
        a.meet(&mut b);
        a.greet(&mut b);
    }
}

#[test]
fn too_much_brings_a_link_down_and_it_comes_up_again() {
    const BYTES: usize = 1 << 20;
    // The one that has not dialled sends; the other does in the next test.
    let (mut from, mut to, _) = pair();
    let mut sent = 0u32;
    while from.what_is_there().is_none() {
        let mut frame = sent.to_le_bytes().to_vec();
        frame.resize(BYTES, 0);
        from.bridge.send(B, frame);
        sent += 1;
        assert!(sent < 1000, "there is no end to what is kept");
    }
    from.send(B, b"not up");
    let mut came = 0u32;
    let last = loop {
        match to.next() {
            Incoming::Frame { bytes, .. } => assert_eq!(bytes[..4], came.to_le_bytes()),
            other => break other,
        }
        came += 1;
    };
    assert_eq!(last, Incoming::Down(A));
    assert!(came <= sent);
    to.meet(&mut from);
    to.greet(&mut from);
}

#[test]
fn who_takes_nothing_is_not_sent_more_and_more() {
    let (a, b, _) = pair();
    let (mut from, mut to) = (b, a);
    let too_much = evenkeel::comm::QUEUE_FRAMES + 1;
    (0..too_much).for_each(|_| from.send(A, b""));
    assert_eq!(from.next(), Incoming::Down(A));
    from.told().expect("broke: more was sent than the other end took");
    // It has dialled, and is let in only when all of before is taken.
    let until = Some(Instant::now() + Duration::from_millis(500));
    assert_eq!(from.bridge.receive(until), None);
    let mut incoming = to.next();
    while let Incoming::Frame { .. } = incoming {
        incoming = to.next();
    }
    assert_eq!(incoming, Incoming::Down(B));
    to.meet(&mut from);
}

#[test]
fn who_dials_again_replaces_its_link() {
    let (mut a, mut b, secret) = pair();
    let mut again = User::new(B);
    again.dial(&[a.listen(&secret)], &secret);
    assert_eq!(a.next(), Incoming::Down(B));
    a.meet(&mut again);
    assert_eq!(b.next(), Incoming::Down(A));
    b.told().expect("broke: it was closed at the other end");
}

#[test]
fn where_to_dial_may_change() {
    let secret = Secret::random().unwrap();
    let place: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
    let mut b = User::new(B);
    let dial = b.to_dial({
        let (place, secret) = (place.clone(), secret.clone());
        move || {
            let nowhere = || io::Error::new(io::ErrorKind::NotFound, "no file yet");
            let address = place.lock().unwrap().ok_or_else(nowhere)?;
            // The first is nobody's: the next is tried.
            let addresses = vec!["127.0.0.1:1".to_owned(), address.to_string()];
            Ok(Destination { addresses, secret: secret.clone() })
        }
    });
    b.bridge.links().dial(dial);
    b.told().expect("it is not known where to dial: no file yet");
    for round in 0..2 {
        let mut a = User::new(PeerId(10 + round));
        *place.lock().unwrap() = Some(a.listen(&secret));
        b.meet(&mut a);
        b.greet(&mut a);
        drop(a);
        assert_eq!(b.next(), Incoming::Down(PeerId(10 + round)));
    }
}

#[test]
fn who_hangs_up_goes_in_order() {
    let (mut a, mut b) = (User::new(A), User::new(B));
    let secret = Secret::random().unwrap();
    let dial = b.dial(&[a.listen(&secret)], &secret);
    a.meet(&mut b);
    b.send(A, b"last");
    b.bridge.links().hang_up(dial);
    assert_eq!(b.next(), Incoming::Down(A));
    a.expect(&[Incoming::Frame { from: B, bytes: b"last".into() }, Incoming::Down(B)]);
    assert_eq!(a.told().all(), [""; 0], "nothing was wrong");
    // No more than the connections of others does it come up again.
    let mut c = User::new(PeerId(3));
    c.dial(&[a.listen(&secret)], &secret);
    c.meet(&mut a);
    assert_eq!(b.what_is_there(), None);
}

#[test]
fn what_was_sent_before_a_drop_arrives() {
    // More than the system keeps, and few enough for the time that there is on any machine.
    const FRAMES: u8 = 8;
    const BYTES: usize = 256 << 10;
    for from_the_one_who_dialled in [true, false] {
        let (a, b, _) = pair();
        let ((mut from, me), (mut to, other)) = match from_the_one_who_dialled {
            true => ((b, B), (a, A)),
            false => ((a, A), (b, B)),
        };
        for n in 0..FRAMES {
            from.bridge.send(other, vec![n; BYTES]);
        }
        drop(from);
        for n in 0..FRAMES {
            assert!(to.next() == Incoming::Frame { from: me, bytes: vec![n; BYTES] });
        }
        assert_eq!(to.next(), Incoming::Down(me));
    }
}

#[test]
fn frames_of_a_hundred_mebibytes_pass_both_ways() {
    const BYTES: usize = 100 << 20;
    let (mut a, mut b, _) = pair();
    a.bridge.send(B, vec![1; BYTES]);
    b.bridge.send(A, vec![2; BYTES]);
    a.send(B, b"after");
    assert!(a.next() == Incoming::Frame { from: B, bytes: vec![2; BYTES] });
    assert!(b.next() == Incoming::Frame { from: A, bytes: vec![1; BYTES] });
    assert_eq!(b.next(), Incoming::Frame { from: A, bytes: b"after".into() });
}

#[test]
fn without_descriptors_nobody_comes_in_and_nothing_spins() {
    const DESCRIPTORS: u32 = 40;
    let secret = Secret::random().unwrap();
    let child = Listening::start_in(None, "lo", &secret, Some(DESCRIPTORS));
    // They know the secret, so that none is turned away to make room for another.
    let mut users: Vec<User> = (0..2 * DESCRIPTORS).map(|n| User::new(PeerId(100 + n))).collect();
    for user in &users {
        user.dial(&[child.address], &secret);
    }
    let mut up = 0;
    let mut count = || {
        let came = users.iter_mut().filter_map(User::what_is_there);
        up += came.filter(|incoming| *incoming == Incoming::Up(CHILD)).count();
        up
    };
    assert!(poll(|| count() >= DESCRIPTORS as usize / 2));
    // Half a second without a descriptor.
    let before = child.ticks();
    let until = Instant::now() + Duration::from_millis(500);
    assert!(poll(|| {
        count();
        Instant::now() >= until
    }));
    let ticks = child.ticks() - before;
    assert!(ticks < 25, "{ticks} hundredths of a second of half a second");
    assert!(count() < DESCRIPTORS as usize);
    // With those that go it lets others in.
    users.truncate(DESCRIPTORS as usize / 2);
    let mut late = User::new(B);
    late.dial(&[child.address], &secret);
    assert_eq!(late.next(), Incoming::Up(CHILD));
}
