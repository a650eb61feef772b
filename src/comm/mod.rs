//! Bytes between peers.
//!
//! A [`Transport`] is one peer's end of a network. What it promises is little, so that threads,
//! MPI ranks and TCP links can all keep it; what is built on it has to live with no more:
//!
//! - Of each other peer come, in turn, [`Incoming::Up`] and [`Incoming::Down`], `Up` first;
//!   frames of a peer come only between its `Up` and the `Down` after it.
//! - Between `Up` and `Down` frames come in the order in which they were sent, each at most once,
//!   none left out before one that comes: what is missing is missing at the end.
//! - Across `Down` anything may have been lost. Whoever sent it knows that it was told `Down`
//!   too, and sends it again after the next `Up`.
//! - Silence is no `Down`: a peer that hangs may stay up for ever. Leases find that out.
//! - [`Incoming::Ended`] comes after a `Down`, at most once for it, or not at all.

pub mod channel;
#[cfg(feature = "link")]
pub mod link;
#[cfg(feature = "mpi")]
pub mod mpi;
mod renumbered;
mod waker;

use std::time::Instant;

use crate::model::PeerId;
pub use renumbered::Renumbered;
pub use waker::Waker;

/// So many bytes may wait for a peer from one other; over that the connection goes down. A
/// single frame of any size always passes.
pub const QUEUE_BYTES: usize = 256 << 20;
/// So many frames may wait for a peer from one other; over that the connection goes down.
pub const QUEUE_FRAMES: usize = 1 << 18;

/// One peer's end of a network.
pub trait Transport: Send {
    /// Sends `frame`. Never blocks: a frame to a peer that is not up, or to this one itself, is
    /// dropped, and a peer that lets more pile up than is kept for it goes down, and comes up
    /// again when it has caught up.
    fn send(&mut self, to: PeerId, frame: Vec<u8>);

    /// The next thing that comes in. Waits for it until `until`, without end if there is no such
    /// moment; nothing if none came by then. With a moment that is past it takes what is there
    /// without waiting.
    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming>;

    /// What lets other threads end a wait in [`receive`](Self::receive).
    fn waker(&self) -> Waker;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        (**self).send(to, frame);
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        (**self).receive(until)
    }

    fn waker(&self) -> Waker {
        (**self).waker()
    }
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// This peer can be reached from now on.
    Up(PeerId),
    /// This peer cannot be reached any more; frames to it may be lost.
    Down(PeerId),
    /// The process of this peer, which is down, has ended: it will not come up again as what it
    /// was. Not every transport can tell, and none can always: most deaths are only silence.
    Ended(PeerId),
    /// Bytes from a peer that is up.
    Frame {
        /// Who sent them.
        from: PeerId,
        /// What was sent.
        bytes: Vec<u8>,
    },
    /// A [`Waker`] was used since this was last received.
    Woken,
}
