//! One connection that is up, as both the thread of links and the user of the transport see it.
//!
//! What waits for a peer is counted where it is sent, from then until the user at the other end has
//! taken it, and that end says so from time to time. So the bound is the same as between threads,
//! and whatever comes in can be read at once: a user that takes nothing holds up nobody's pings.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::{QUEUE_BYTES, QUEUE_FRAMES};
use super::hub::{Command, Hub};
use crate::model::PeerId;

/// What was taken is said when it has become so many frames or bytes.
const SAID: Load = Load { frames: QUEUE_FRAMES / 8, bytes: QUEUE_BYTES / 8 };

/// Frames and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl Load {
    fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes;
    }

    /// Whether a frame of so many bytes may wait beside this. Of this, as much may have been taken
    /// as is not said at once: a single frame of any size passes.
    fn has_room_for(self, bytes: usize) -> bool {
        let fits = self.bytes < SAID.bytes || self.bytes.saturating_add(bytes) <= QUEUE_BYTES;
        self.frames < QUEUE_FRAMES && fits
    }
}

/// A connection, from its `Up` to its `Down`.
pub(super) struct Line {
    pub(super) peer: PeerId,
    /// What the thread knows it by.
    pub(super) key: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// What the thread has not begun to send.
    queue: VecDeque<Vec<u8>>,
    /// What was sent, and not taken by the other's user as far as is known.
    sent: Load,
    /// What came, and was not taken here.
    came: Load,
    /// What was taken here, and the other has not been told.
    taken: Load,
    /// Whether the thread knows that there is something to do.
    is_told: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// More was sent than is kept.
    Overflown,
    Closed,
}

/// What the thread is to do.
pub(super) enum Todo {
    /// To end the connection.
    Overflow,
    /// To tell the other end that so much was taken, if it was any, and to send what waits.
    Send(Option<Load>),
}

impl Line {
    pub(super) fn new(peer: PeerId, key: u64) -> Line {
        Line { peer, key, state: Mutex::new(State::default()) }
    }

    /// Queues a frame of the user's.
    pub(super) fn send(&self, frame: Vec<u8>, hub: &Hub) {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return;
        }
        if state.sent.has_room_for(frame.len()) {
            state.sent.add(frame.len());
            state.queue.push_back(frame);
        } else {
            state.phase = Phase::Overflown;
            state.queue = VecDeque::new();
        }
        self.tell(&mut state, hub);
    }

    /// The user has taken a frame of so many bytes.
    pub(super) fn taken(&self, bytes: usize, hub: &Hub) {
        let mut state = self.state.lock();
        state.came.frames -= 1;
        state.came.bytes -= bytes;
        state.taken.add(bytes);
        if state.taken.frames >= SAID.frames || state.taken.bytes >= SAID.bytes {
            self.tell(&mut state, hub);
        }
    }

    fn tell(&self, state: &mut State, hub: &Hub) {
        if !std::mem::replace(&mut state.is_told, true) {
            hub.command(Command::Stir(self.key));
        }
    }

    /// What there is to do, after the thread was told.
    pub(super) fn todo(&self) -> Todo {
        let mut state = self.state.lock();
        state.is_told = false;
        if state.phase == Phase::Overflown {
            return Todo::Overflow;
        }
        let due = state.taken.frames >= SAID.frames || state.taken.bytes >= SAID.bytes;
        Todo::Send(due.then(|| std::mem::take(&mut state.taken)))
    }

    /// The next frame to send.
    pub(super) fn next(&self) -> Option<Vec<u8>> {
        self.state.lock().queue.pop_front()
    }

    /// The other's user has taken so much.
    pub(super) fn credit(&self, load: Load) {
        let mut state = self.state.lock();
        state.sent.frames = state.sent.frames.saturating_sub(load.frames);
        state.sent.bytes = state.sent.bytes.saturating_sub(load.bytes);
    }

    /// A frame of so many bytes came; whether the other end had a right to send it.
    pub(super) fn came(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        let fits = state.came.has_room_for(bytes);
        state.came.add(bytes);
        fits
    }

    /// The connection is over: nothing is queued any more. Gives what was.
    pub(super) fn close(&self) -> VecDeque<Vec<u8>> {
        let mut state = self.state.lock();
        state.phase = Phase::Closed;
        std::mem::take(&mut state.queue)
    }
}

/// What comes in, for the user of the transport.
pub(super) enum Arrived {
    Up(Arc<Line>),
    Frame(Arc<Line>, Vec<u8>),
    Down(Arc<Line>),
    Ended(PeerId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_wait() {
        let load = |frames, bytes| Load { frames, bytes };
        assert!(load(0, 0).has_room_for(QUEUE_BYTES + 1), "a single frame of any size");
        assert!(load(3, SAID.bytes - 1).has_room_for(usize::MAX), "they may have been taken");
        assert!(load(3, SAID.bytes).has_room_for(QUEUE_BYTES - SAID.bytes));
        assert!(!load(3, SAID.bytes).has_room_for(QUEUE_BYTES - SAID.bytes + 1));
        assert!(load(QUEUE_FRAMES - 1, 0).has_room_for(0));
        assert!(!load(QUEUE_FRAMES, 0).has_room_for(0));
    }
}
