//! Bytes that wait for a socket to take them.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::model::wire::Wire;

use super::wire::put_frame;

/// What is to be sent, so that neither side ever waits for the other to read.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Appends `message` as one frame.
    pub(super) fn push(&mut self, message: &impl Wire) {
        put_frame(message, &mut self.bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Sends what the socket takes without waiting.
    ///
    /// # Errors
    /// If the other side is gone.
    pub(super) fn flush(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        while !self.is_empty() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&socket, &self.bytes[self.sent..], flags) {
                Ok(n) => self.sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }
}
