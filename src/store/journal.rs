//! The journal of a run: an append-only file of records, durable by group commit.

mod writer;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::disk::{Disk, Tail};
use super::folder::JOURNAL;
use super::format::{self, Fault, Recovered};
use super::{RunFolder, StoreError};
use crate::model::Span;
use writer::{Queue, Writer};

/// What became of the records that were handed to a [`Journal`].
#[derive(Clone, Debug)]
pub enum Commit {
    /// So many records, counted from the start of the journal, are on the disk.
    Durable(u64),
    /// Those after the last durable one could not be written. They are kept, and written as
    /// soon as the disk takes them: that is tried every second. Only after
    /// [`StoreError::TakenOver`] it is not.
    Failed {
        /// Why.
        error: StoreError,
    },
}

/// The journal of a run, open for writing. See the bytes in the head of `format.rs`.
///
/// Records are gathered into groups, each written and synced at once by a thread of its own. A
/// record waits until the last group is `window` old; one that comes after a quiet time is
/// written at once. A group is also written when it holds 1000 records, or at a
/// [`flush`](Self::flush).
///
/// Dropping a journal commits what it holds, with one try; [`close`](Self::close) tells how that
/// went.
pub struct Journal {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Journal {
    /// How long a record waits for others before it is written, unless said otherwise.
    pub const WINDOW: Span = Span::from_millis(100);

    /// Starts the journal of `run` in its new folder. `on_commit` is called on the writer's
    /// thread and should only pass on what it is told.
    ///
    /// # Errors
    /// If there is one already, or it cannot be written.
    pub fn create(
        folder: &RunFolder,
        run: u64,
        window: Span,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Journal, StoreError> {
        let path = folder.path().join(JOURNAL);
        if path.exists() {
            return Err(StoreError::HoldsRun(folder.path().to_owned()));
        }
        // Published, so that a journal without its header is never seen.
        let header = format::header(run);
        folder.publish(JOURNAL, &header)?;
        let tail = Tail::new(open(&path)?, header.len() as u64);
        Journal::start(folder, tail, 0, window, on_commit)
    }

    /// Opens the journal of a run to go on with it, and gives what it holds. A torn tail is cut
    /// off. All that is given is durable.
    ///
    /// # Errors
    /// If it is damaged where it was durable, of another version, or cannot be read or cut.
    pub fn open(
        folder: &RunFolder,
        window: Span,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<(Journal, Recovered), StoreError> {
        let path = folder.path().join(JOURNAL);
        let recovered = Journal::read(folder.path())?;
        let mut tail = Tail::new(open(&path)?, recovered.end());
        // The last group may have been written but not synced when its writer was killed.
        tail.cut(recovered.end())
            .and_then(|()| tail.sync())
            .map_err(StoreError::io("recover", &path))?;
        let journal = Journal::start(folder, tail, recovered.len(), window, on_commit)?;
        Ok((journal, recovered))
    }

    /// Reads the journal in the run folder `folder` and changes nothing; the run may be going
    /// on.
    ///
    /// # Errors
    /// If there is none, it is damaged where it was durable, or of another version.
    pub fn read(folder: &Path) -> Result<Recovered, StoreError> {
        let path = folder.join(JOURNAL);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoRun(folder.to_owned()),
            _ => StoreError::io("read", &path)(error),
        })?;
        format::scan(bytes).map_err(|fault| match fault {
            Fault::NoHeader => StoreError::NotAJournal(path),
            Fault::Version(found) => StoreError::Version { path, found, known: format::VERSION },
            Fault::Damaged(offset) => StoreError::Damaged { path, offset },
        })
    }

    fn start(
        folder: &RunFolder,
        tail: Tail<impl Disk>,
        records: u64,
        window: Span,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Journal, StoreError> {
        let queue = Arc::new(Queue::new(records));
        let ownership = folder.ownership().clone();
        let writer = Writer {
            queue: queue.clone(),
            tail,
            window: window.as_duration(),
            path: folder.path().join(JOURNAL),
            confirm: Box::new(move || ownership.confirm()),
            on_commit: Box::new(on_commit),
            durable: records,
        };
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::io("start the thread that writes", folder.path().join(JOURNAL)))?;
        Ok(Journal { queue, writer: Some(writer) })
    }

    /// Appends a record and gives its place, counted from 1: it is durable when
    /// [`Commit::Durable`] says so of this number or a higher one.
    ///
    /// Does not wait for the disk, unless 64 MiB wait for it already.
    ///
    /// # Panics
    /// If the record is longer than 1 GiB.
    pub fn append(&self, record: &[u8]) -> u64 {
        self.queue.append(record)
    }

    /// Has all that was appended written now, without waiting for the window or for others. Does
    /// not wait until that is done.
    pub fn flush(&self) {
        self.queue.flush();
    }

    /// Commits what was appended and ends.
    ///
    /// # Errors
    /// If some of it could not be written at the last try, which is made now; the file then
    /// holds what was reported durable.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.queue.close();
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panicked)) => panic::resume_unwind(panicked),
            None => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // Whatever went wrong was told to the callback.
            let _ = writer.join();
        }
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    File::options().write(true).open(path).map_err(StoreError::io("open", path))
}
