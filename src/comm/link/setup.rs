//! What the user of links has to say about them.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use super::ends::Trouble;
use super::secret::Secret;
use crate::model::PeerId;

/// What is the same for all links of a process.
pub struct Setup {
    /// The version of what is said over them: who has another is refused, and told so.
    pub version: u32,
    /// A link over which nothing came for so long is broken. Each end says a word four times
    /// in that time, so it is to be longer than a host under load keeps a thread from running:
    /// ten seconds, say. No less than a tenth of one.
    pub silence: Duration,
    /// Called, from the thread of links, with what people should know: strangers that were turned
    /// away, links that broke. At most one note a second is of strangers.
    pub note: Box<dyn Fn(String) + Send>,
}

/// What somebody says who knows the secret.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// What its [`Dial::hello`] gave.
    pub bytes: &'a [u8],
    /// From where it dialled.
    pub from: SocketAddr,
}

/// What becomes of who says hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is let in.
    Admit {
        /// Which peer it is from now on; none of the world.
        peer: PeerId,
        /// What it is told: its [`Dial::welcomed`] gets it.
        answer: Vec<u8>,
    },
    /// It is not.
    Refuse {
        /// What it is told, for people.
        why: String,
    },
}

/// Where to dial.
#[derive(Clone, Debug)]
pub struct Destination {
    /// `host:port` each, tried in turn.
    pub addresses: Vec<String>,
    /// What the one who listens there knows.
    pub secret: Secret,
}

/// A link that is wanted. All but `whereto` is called from the thread of links, and holds up all
/// of them for as long as it takes.
pub struct Dial {
    /// Asked before each try, from a thread of its own, as it may have to read a file.
    pub whereto: Box<dyn FnMut() -> io::Result<Destination> + Send>,
    /// What to say when the secret is proved, [`HELLO_BYTES`](super::HELLO_BYTES) at most.
    pub hello: Box<dyn FnMut() -> Vec<u8> + Send>,
    /// Takes the answer and says which peer that is; `None` if it makes no sense.
    pub welcomed: Box<dyn FnMut(Vec<u8>) -> Option<PeerId> + Send>,
    /// Told of each try that failed, and of a link that broke: whether to go on.
    pub trouble: Box<dyn FnMut(Trouble) -> ControlFlow<()> + Send>,
}
