//! Links: encrypted TCP connections between processes that were started apart.
//!
//! A [`Bridge`] is the [`Transport`](super::Transport) of a process that has links beside its own
//! world. It starts one thread, which does the input and output of all links; [`Links`] is how the
//! rest of the process tells that thread to listen and to dial. Whoever knows the [`Secret`] may
//! come in, and nobody else learns more than that somebody listens: see the `README.md` beside
//! this file for what is said on the wire, and `SECURITY.md` for what that protects.
//!
//! ```
//! # use std::ops::ControlFlow;
//! # use std::time::Duration;
//! use evenkeel::comm::channel::network;
//! use evenkeel::comm::link::{Admission, Bridge, Destination, Dial, Secret, Setup};
//! use evenkeel::comm::{Incoming, Transport};
//! use evenkeel::model::PeerId;
//!
//! // Two processes without a world, here in one.
//! let [mut master, mut joiner] = [0, 1].map(|id| {
//!     let note = Box::new(|text| eprintln!("{text}"));
//!     let setup = Setup { version: 1, silence: Duration::from_secs(10), note };
//!     Bridge::new(network(1).remove(0), id..id + 1, setup).unwrap()
//! });
//! let secret = Secret::random().unwrap();
//! let addresses = master.links().listen(&"lo".parse().unwrap(), &secret, |hello| {
//!     assert_eq!(hello.bytes, b"let me in");
//!     Admission::Admit { peer: PeerId(1), answer: b"you are p1".into() }
//! });
//! let addresses: Vec<String> = addresses.unwrap().iter().map(ToString::to_string).collect();
//! joiner.links().dial(Dial {
//!     whereto: Box::new(move || {
//!         Ok(Destination { addresses: addresses.clone(), secret: secret.clone() })
//!     }),
//!     hello: Box::new(|| b"let me in".into()),
//!     welcomed: Box::new(|answer| (answer == b"you are p1").then_some(PeerId(0))),
//!     trouble: Box::new(|_| ControlFlow::Continue(())),
//! });
//! assert_eq!(joiner.receive(None), Some(Incoming::Up(PeerId(0))));
//! joiner.send(PeerId(0), b"hello".into());
//! assert_eq!(master.receive(None), Some(Incoming::Up(PeerId(1))));
//! let frame = Incoming::Frame { from: PeerId(1), bytes: b"hello".into() };
//! assert_eq!(master.receive(None), Some(frame));
//! ```
#![forbid(unsafe_code)]

mod agenda;
mod bridge;
mod callers;
mod connection;
mod ends;
mod guests;
mod hub;
mod line;
mod listen;
mod lookup;
mod noise;
mod notes;
mod reactor;
mod record;
mod secret;
mod setup;
mod wire;

pub use bridge::Bridge;
pub use ends::Trouble;
pub use hub::{DialId, Links};
pub use listen::{Listen, ListenError, Ports};
pub use secret::{BadSecret, Secret};
pub use setup::{Admission, Destination, Dial, Hello, Setup};

use std::time::Duration;

/// So many connections at most that have not proved the secret; the oldest is closed for one more.
pub const STRANGERS: usize = 64;
/// So long a stranger may take to prove the secret.
pub const PROOF_TIME: Duration = Duration::from_secs(5);
/// So long who has proved it may take to say who it is.
pub const HELLO_TIME: Duration = Duration::from_secs(10);
/// So many bytes a hello may have.
pub const HELLO_BYTES: usize = 1 << 20;
/// So long a [`Bridge`] that is dropped goes on to send what is queued.
pub const FLUSH_TIME: Duration = Duration::from_secs(1);
