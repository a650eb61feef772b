//! A process that has nothing but links, and what it was told.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evenkeel::comm::channel::{ChannelTransport, network};
use evenkeel::comm::link::{
    Admission, Bridge, Destination, Dial, DialId, Hello, Listen, Secret, Setup,
};
use evenkeel::comm::{Incoming, Transport};
use evenkeel::model::PeerId;

/// Longer than anything here takes on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// What those bear who are to notice it: short, so that tests need not wait.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);

pub(crate) struct User {
    pub(crate) bridge: Bridge<ChannelTransport>,
    me: PeerId,
    told: Told,
}

/// Notes and troubles, as they came.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    /// Waits for something that holds `text`.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        let holds = || self.all().iter().any(|told| told.contains(text));
        assert!(poll(holds), "{text:?} is not told, but {:#?}", self.all());
    }
}

/// Waits for something to become true.
pub(crate) fn poll(mut holds: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + LIMIT;
    while Instant::now() < limit {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// The peer that a hello or an answer names.
pub(crate) fn peer(bytes: &[u8]) -> Option<PeerId> {
    Some(PeerId(u32::from_le_bytes(bytes.try_into().ok()?)))
}

/// Lets everybody in who says which peer it is.
pub(crate) fn admit(me: PeerId) -> impl FnMut(Hello<'_>) -> Admission {
    move |hello| match peer(hello.bytes) {
        Some(peer) => Admission::Admit { peer, answer: me.0.to_le_bytes().into() },
        None => Admission::Refuse { why: format!("{} bytes are no peer", hello.bytes.len()) },
    }
}

/// To be dialled each time.
pub(crate) fn always(
    to: &[SocketAddr],
    secret: &Secret,
) -> impl FnMut() -> io::Result<Destination> + Send + 'static {
    let addresses = to.iter().map(SocketAddr::to_string).collect();
    let destination = Destination { addresses, secret: secret.clone() };
    move || Ok(destination.clone())
}

impl User {
    pub(crate) fn new(me: PeerId) -> User {
        User::with(me, 1, LIMIT)
    }

    /// One that bears little silence.
    pub(crate) fn impatient(me: PeerId) -> User {
        User::with(me, 1, SILENCE)
    }

    pub(crate) fn of_version(me: PeerId, version: u32) -> User {
        User::with(me, version, LIMIT)
    }

    fn with(me: PeerId, version: u32, silence: Duration) -> User {
        let told = Told::default();
        let sink = told.clone();
        let note = Box::new(move |note| sink.add(note));
        let inner = network(1).remove(0);
        let setup = Setup { version, silence, note };
        let bridge = Bridge::new(inner, me.0..me.0 + 1, setup).unwrap();
        User { bridge, me, told }
    }

    pub(crate) fn told(&self) -> Told {
        self.told.clone()
    }

    pub(crate) fn listen(&self, secret: &Secret) -> SocketAddr {
        self.listen_at("lo", secret)
    }

    pub(crate) fn listen_at(&self, place: &str, secret: &Secret) -> SocketAddr {
        let place: Listen = place.parse().unwrap();
        self.bridge.links().listen(&place, secret, admit(self.me)).unwrap()[0]
    }

    pub(crate) fn dial(&self, to: &[SocketAddr], secret: &Secret) -> DialId {
        self.bridge.links().dial(self.to_dial(always(to, secret)))
    }

    /// A dial that goes on for ever, and tells its troubles.
    pub(crate) fn to_dial(
        &self,
        whereto: impl FnMut() -> io::Result<Destination> + Send + 'static,
    ) -> Dial {
        let (me, told) = (self.me, self.told.clone());
        Dial {
            whereto: Box::new(whereto),
            hello: Box::new(move || me.0.to_le_bytes().into()),
            welcomed: Box::new(|answer| peer(&answer)),
            trouble: Box::new(move |trouble| {
                told.add(trouble.to_string());
                ControlFlow::Continue(())
            }),
        }
    }

    pub(crate) fn send(&mut self, to: PeerId, frame: &[u8]) {
        self.bridge.send(to, frame.into());
    }

    /// What comes next, with a limit.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Incoming {
        let incoming = self.bridge.receive(Some(Instant::now() + LIMIT));
        incoming.unwrap_or_else(|| panic!("nothing comes, but {:#?}", self.told.all()))
    }

    /// What has come and was not expected.
    pub(crate) fn what_is_there(&mut self) -> Option<Incoming> {
        self.bridge.receive(Some(Instant::now()))
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, incoming: &[Incoming]) {
        for expected in incoming {
            assert_eq!(self.next(), *expected, "{:#?}", self.told.all());
        }
    }

    /// A frame there and back with each of two who have a link.
    #[track_caller]
    pub(crate) fn greet(&mut self, other: &mut User) {
        let (me, them) = (self.me, other.me);
        self.send(them, b"there");
        assert_eq!(other.next(), Incoming::Frame { from: me, bytes: b"there".into() });
        other.send(me, b"back");
        assert_eq!(self.next(), Incoming::Frame { from: them, bytes: b"back".into() });
    }

    /// Waits for both to be up to each other.
    #[track_caller]
    pub(crate) fn meet(&mut self, other: &mut User) {
        assert_eq!(self.next(), Incoming::Up(other.me), "{:#?}", self.told.all());
        assert_eq!(other.next(), Incoming::Up(self.me), "{:#?}", other.told.all());
    }
}
