//! Those who do not know the secret, and those who say too much.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;

use evenkeel::comm::link::{HELLO_BYTES, STRANGERS, Secret};
use evenkeel::model::PeerId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::user::{LIMIT, User, always, poll};

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

fn listener() -> (User, Secret, SocketAddr) {
    let (user, secret) = (User::new(A), Secret::random().unwrap());
    let address = user.listen(&secret);
    (user, secret, address)
}

fn stranger(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// The connection is closed, and not one byte came before that.
#[track_caller]
fn expect_silence(mut socket: TcpStream) {
    let mut answer = Vec::new();
    // Who is refused in the middle of what it says is reset.
    let end = socket.read_to_end(&mut answer).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)), "{end:?}");
    assert_eq!(answer, [0u8; 0], "a stranger is answered");
}

#[test]
fn another_secret_is_refused_without_an_answer() {
    let (mut a, secret, address) = listener();
    let b = User::new(B);
    b.dial(&[address], &Secret::random().unwrap());
    b.told().expect("ended the connection without an answer: it has another secret");
    a.told().expect("was turned away: the secret was not proved");
    let mut c = User::new(PeerId(3));
    c.dial(&[address], &secret);
    c.meet(&mut a);
    c.greet(&mut a);
}

#[test]
fn another_version_is_told_to_who_knows_the_secret() {
    let (a, secret, address) = listener();
    let b = User::of_version(B, 7);
    b.dial(&[address], &secret);
    b.told().expect("speaks version 1.1 and this program 1.7: use the same evenkeel everywhere");
    a.told().expect("the other end speaks version 1.7 and this program 1.1");
}

#[test]
fn garbage_is_not_answered() {
    let (a, _, address) = listener();
    let wrong_proof = [&b"evenkeel"[..], &[0, 54], &[7; 54]].concat();
    let long_proof = [&b"evenkeel"[..], &[2, 1]].concat();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 100_000], &wrong_proof, &long_proof] {
        let mut socket = stranger(address);
        let _ = socket.write_all(garbage);
        expect_silence(socket);
    }
    a.told().expect("was turned away: the secret was not proved");
}

#[test]
fn who_begins_and_falls_silent_is_not_waited_for() {
    let (a, _, address) = listener();
    let half = [&b"evenkeel"[..], &[0, 54], &[7; 20]].concat();
    let sockets = [&b""[..], b"even", &half].map(|begun| {
        let mut socket = stranger(address);
        socket.write_all(begun).unwrap();
        socket
    });
    sockets.into_iter().for_each(expect_silence);
    a.told().expect("was turned away: nothing was said in time");
}

/// Has `b` dial with a hello of so many bytes.
fn dial_with_hello(b: &User, address: SocketAddr, secret: &Secret, bytes: usize) {
    let mut dial = b.to_dial(always(&[address], secret));
    dial.hello = Box::new(move || vec![0; bytes]);
    b.bridge.links().dial(dial);
}

#[test]
fn a_hello_has_a_limit() {
    let (mut a, secret, address) = listener();
    let b = User::new(B);
    dial_with_hello(&b, address, &secret, HELLO_BYTES + 1);
    b.told().expect("refused: a hello has at most 1048576 bytes, and this one more");
    // The listener has read it.
    dial_with_hello(&b, address, &secret, HELLO_BYTES);
    b.told().expect("refused: 1048576 bytes are no peer");
    let mut c = User::new(PeerId(3));
    c.dial(&[address], &secret);
    c.meet(&mut a);
}

#[test]
fn who_is_not_let_in_is_told_why_and_can_give_up() {
    let (a, secret, address) = listener();
    let b = User::new(B);
    let told = b.told();
    let mut dial = b.to_dial(always(&[address], &secret));
    dial.hello = Box::new(|| b"?".into());
    let kept = Arc::new(());
    let token = kept.clone();
    dial.trouble = Box::new(move |trouble| {
        let _ = &token;
        told.add(trouble.to_string());
        ControlFlow::Break(())
    });
    b.bridge.links().dial(dial);
    b.told().expect("refused: 1 bytes are no peer");
    a.told().expect("was turned away: 1 bytes are no peer");
    assert!(poll(|| Arc::strong_count(&kept) == 1), "it goes on: {:#?}", b.told().all());
    assert_eq!(b.told().all().len(), 1);
}

#[test]
fn a_thousand_strangers_disturb_nobody() {
    const MANY: usize = 1000;
    // Both ends of each are in this process.
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < 3 * MANY as u64) {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    }
    let (mut a, secret, address) = listener();
    let mut b = User::new(B);
    b.dial(&[address], &secret);
    b.meet(&mut a);
    let sockets: Vec<TcpStream> = (0..MANY)
        .map(|n| {
            if n % 50 == 0 {
                b.greet(&mut a);
            }
            stranger(address)
        })
        .collect();
    // One more that is good gets in among them.
    let mut c = User::new(PeerId(3));
    c.dial(&[address], &secret);
    c.meet(&mut a);
    c.greet(&mut a);
    let closed = |socket: &TcpStream| {
        socket.set_nonblocking(true).unwrap();
        socket.peek(&mut [0]).is_ok_and(|n| n == 0)
    };
    let count = || sockets.iter().filter(|socket| closed(socket)).count();
    assert!(poll(|| count() >= MANY - STRANGERS), "{} are closed", count());
    a.told().expect("too many came that had not proved the secret");
    a.told().expect("more such within a second");
    assert!(poll(|| count() == MANY), "{} are closed", count());
    assert!(a.told().all().len() < MANY / 10, "{:#?}", a.told().all());
    assert_eq!(a.what_is_there(), None);
    b.greet(&mut a);
    c.greet(&mut a);
}

#[test]
fn who_listens_on_nothing_is_not_reached() {
    let user = User::new(A);
    let off = "off".parse().unwrap();
    let secret = Secret::random().unwrap();
    let at = user.bridge.links().listen(&off, &secret, super::user::admit(A)).unwrap();
    assert_eq!(at, []);
}
