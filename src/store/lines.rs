//! A text file that grows by whole lines.

use std::fs::File;
use std::path::PathBuf;

use super::StoreError;
use super::disk::Tail;

const BUFFER: usize = 64 << 10;

/// A text file of a run folder that can be made again from the journal: buffered, and never
/// waited for until it is durable.
///
/// Nothing that was appended is lost to an error: it stays in the buffer, and the next call
/// tries again, after cutting off what was half-written.
pub struct Lines {
    tail: Tail<File>,
    buffer: Vec<u8>,
    path: PathBuf,
}

impl Lines {
    /// In `file`, which is empty, and whose name is `path`.
    pub(super) fn new(file: File, path: PathBuf) -> Lines {
        Lines { tail: Tail::new(file, 0), buffer: Vec::new(), path }
    }

    /// Appends what `write` puts at the end of the buffer: whole lines, each with its line break.
    ///
    /// # Errors
    /// If the buffer was full and could not be written.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        write(&mut self.buffer);
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Hands what is in the buffer to the operating system, so that others can read it.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.tail.append(&self.buffer).map_err(StoreError::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // The file is derived: what does not get there now is made again from the journal.
        let _ = self.flush();
    }
}
