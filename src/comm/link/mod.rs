//! Links: encrypted TCP connections between processes that were started apart.
//!
//! A [`Bridge`] is the [`Transport`](super::Transport) of a process that has links beside its own
//! world. It starts one thread, which does the input and output of all links; [`Links`] is how the
//! rest of the process tells that thread to listen and to dial. Whoever knows the [`Secret`] may
//! come in, and nobody else learns more than that somebody listens: see the `README.md` beside
//! this file for what is said on the wire, and `SECURITY.md` for what that protects.
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
