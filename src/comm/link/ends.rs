//! How tries and connections end.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::noise::Version;

/// Why a try to dial failed, or a link that was dialled broke.
#[derive(Debug)]
pub enum Trouble {
    /// It is not known where to dial.
    Nowhere(io::Error),
    /// Nobody can be reached at an address.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The connection ended there without an answer.
    Unanswered {
        /// The address.
        address: SocketAddr,
    },
    /// Whoever listens there knows the secret and is of another version.
    OtherVersion {
        /// The address.
        address: SocketAddr,
        /// Of both, for people.
        versions: [String; 2],
    },
    /// Whoever listens there does not let this process in.
    Refused {
        /// The address.
        address: SocketAddr,
        /// What it says.
        why: String,
    },
    /// There was a link, and it ended.
    Broken {
        /// The address of the other end.
        address: SocketAddr,
        /// How it ended, for people.
        why: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Nowhere(error) => write!(f, "it is not known where to dial: {error}"),
            Trouble::Unreachable { address, error } => write!(f, "cannot reach {address}: {error}"),
            Trouble::Unanswered { address } => write!(
                f,
                "{address} ended the connection without an answer: it has another secret, or it is \
                 no evenkeel"
            ),
            Trouble::OtherVersion { address, versions: [ours, theirs] } => write!(
                f,
                "{address} speaks version {theirs} and this program {ours}: use the same evenkeel \
                 everywhere"
            ),
            Trouble::Refused { address, why } => write!(f, "{address} refused: {why}"),
            Trouble::Broken { address, why } => write!(f, "the link to {address} broke: {why}"),
        }
    }
}

/// How a connection ended, as this end sees it.
#[derive(Debug)]
pub(super) enum End {
    /// The other end is gone, and did not say so.
    Eof,
    Failed(io::Error),
    /// The other end did not prove the secret, or not in time.
    Unproved,
    Late,
    /// What it said after that makes no sense.
    Garbled,
    OtherVersion {
        ours: Version,
        theirs: Version,
    },
    /// Its hello is longer than one may be.
    LongHello,
    /// More strangers came than there is room for.
    Crowded,
    /// Nothing came for too long.
    Silent,
    /// It sent more than may wait.
    TooMuch,
    /// It said that it closes, or that it refuses this process.
    Closed,
    Refused(String),
    /// More than may wait was sent to it.
    Overflow,
    /// It dialled anew.
    Replaced,
    /// It is not let in here, for this reason.
    Unwelcome(String),
}

impl End {
    /// Whether the process at the other end may have ended: its system closed the connection.
    pub(super) fn may_be_death(&self) -> bool {
        match self {
            End::Eof => true,
            End::Failed(error) => {
                use io::ErrorKind::{BrokenPipe, ConnectionReset};
                matches!(error.kind(), ConnectionReset | BrokenPipe)
            }
            _ => false,
        }
    }

    /// Whether the other end is to hear of it before this one closes.
    pub(super) fn is_deliberate(&self) -> bool {
        matches!(
            self,
            End::Overflow
                | End::Replaced
                | End::Unwelcome(_)
                | End::TooMuch
                | End::LongHello
                | End::OtherVersion { .. }
        )
    }

    /// What a try that ended so at `address` is told as.
    pub(super) fn into_trouble(self, address: SocketAddr) -> Trouble {
        match self {
            End::Refused(why) => Trouble::Refused { address, why },
            End::OtherVersion { ours, theirs } => {
                let versions = [ours, theirs].map(|version| version.to_string());
                Trouble::OtherVersion { address, versions }
            }
            End::Failed(error) => Trouble::Unreachable { address, error },
            End::Garbled => Trouble::Refused { address, why: self.to_string() },
            _ => Trouble::Unanswered { address },
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Eof => f.write_str("it was closed at the other end without a word"),
            End::Failed(error) => write!(f, "{error}"),
            End::Unproved => f.write_str("the secret was not proved"),
            End::Late => f.write_str("nothing was said in time"),
            End::Garbled => f.write_str("what was said makes no sense"),
            End::OtherVersion { ours, theirs } => {
                write!(f, "the other end speaks version {theirs} and this program {ours}")
            }
            End::LongHello => {
                write!(f, "a hello has at most {} bytes, and this one more", super::HELLO_BYTES)
            }
            End::Crowded => f.write_str("too many came that had not proved the secret"),
            End::Silent => f.write_str("nothing was heard for too long"),
            End::TooMuch => f.write_str("the other end sent more than may wait"),
            End::Closed => f.write_str("it was closed at the other end"),
            End::Refused(why) => write!(f, "the other end refused: {why}"),
            End::Overflow => f.write_str("more was sent than the other end took"),
            End::Replaced => f.write_str("the other end dialled anew"),
            End::Unwelcome(why) => f.write_str(why),
        }
    }
}
