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
    pub(super) fn open(path: PathBuf) -> Result<Lines, StoreError> {
        let open = || {
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            let end = file.metadata()?.len();
            Ok(Tail::new(file, end))
        };
        let tail = open().map_err(StoreError::io("open", &path))?;
        Ok(Lines { tail, buffer: Vec::new(), path })
    }

    /// How long the file is in bytes, with what is still in the buffer.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tail.end() + self.buffer.len() as u64
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `text`: whole lines, each with its line break.
    ///
    /// # Errors
    /// If the buffer was full and could not be written.
    pub fn append(&mut self, text: &str) -> Result<(), StoreError> {
        self.buffer.extend(text.as_bytes());
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

    /// Cuts the file off after `len` bytes; nothing happens if it is not longer. What is in
    /// the buffer goes first.
    ///
    /// # Errors
    /// If it cannot be written or cut.
    pub fn truncate(&mut self, len: u64) -> Result<(), StoreError> {
        if len < self.tail.end() {
            self.buffer.clear();
            self.tail.cut(len).map_err(StoreError::io("truncate", &self.path))?;
        } else {
            self.buffer.truncate((len - self.tail.end()) as usize);
        }
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // The file is derived: what does not get there now is made again from the journal.
        let _ = self.flush();
    }
}
