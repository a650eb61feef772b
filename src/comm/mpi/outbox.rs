//! What is sent to one peer and has not left yet.
//!
//! MPI looks at every send that is under way each time it is called, so that a thousand for a peer
//! that hangs would make it slow for all the others: it is given a few at a time.

use std::collections::VecDeque;

use super::super::{QUEUE_BYTES, QUEUE_FRAMES};
use super::call::{Communicator, MpiError, Transfer};

/// So many sends to one peer are under way at a time.
const WINDOW: usize = 64;

/// Messages to one peer, in order.
#[derive(Default)]
pub(super) struct Outbox {
    /// What MPI has not been given yet: tag and content.
    waiting: VecDeque<(i32, Vec<u8>)>,
    under_way: VecDeque<Transfer>,
    /// How much there is of both.
    bytes: usize,
}

impl Outbox {
    /// Whether nothing is left to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.waiting.is_empty()
    }

    /// Whether so many bytes more are more than is kept.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        let many = self.under_way.len() + self.waiting.len() >= QUEUE_FRAMES;
        many || (self.bytes + bytes > QUEUE_BYTES && !self.is_empty())
    }

    pub(super) fn push(&mut self, tag: i32, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.waiting.push_back((tag, bytes));
    }

    /// Lets go of what MPI has not been given yet.
    pub(super) fn forget_waiting(&mut self) {
        let forgotten: usize = self.waiting.drain(..).map(|(_, bytes)| bytes.len()).sum();
        self.bytes -= forgotten;
    }

    /// Lets go of what has left, and gives MPI what there is room for; whether it gave any.
    pub(super) fn advance(&mut self, comm: &Communicator, to: usize) -> Result<bool, MpiError> {
        while let Some(first) = self.under_way.front_mut() {
            // What failed will not be sent later either.
            if matches!(comm.is_complete(first), Ok(false)) {
                break;
            }
            self.bytes -= first.len();
            self.under_way.pop_front();
        }
        self.begin(comm, to)
    }

    /// Gives MPI what there is room for; whether it gave any.
    pub(super) fn begin(&mut self, comm: &Communicator, to: usize) -> Result<bool, MpiError> {
        let mut gave = false;
        while self.under_way.len() < WINDOW
            && let Some((tag, bytes)) = self.waiting.pop_front()
        {
            self.under_way.push_back(comm.send(to, tag, bytes)?);
            gave = true;
        }
        Ok(gave)
    }
}
