//! The journal of a run: an append-only file of records, durable by group commit.

mod begin;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::format::{self, Fault, Head, Origin, Recovered};
use super::owner::Ownership;
use super::volume::{Volume, volumes};
use super::{RunFolder, StoreError};
use crate::model::Span;
use begin::Begun;
use writer::{Queue, Writer};

/// What became of the records that were handed to a [`Journal`].
#[derive(Clone, Debug)]
pub enum Commit {
    /// So many records, counted from the first that was appended to it, are on the disk.
    Durable(u64),
    /// Those after the last durable one could not be written. They are kept, and written as
    /// soon as the disk takes them: that is tried every second. Only after
    /// [`StoreError::TakenOver`] and [`StoreError::TooLong`] it is not.
    Failed {
        /// Why.
        error: StoreError,
    },
}

/// Makes fewer records of those of a journal, in one pass over them.
pub trait Fold: Send {
    /// Whether the next record stays.
    fn keeps(&mut self, record: &[u8]) -> bool;

    /// What comes after those that stay.
    fn rest(&mut self) -> Vec<Vec<u8>>;
}

/// Makes bytes of what is handed to a journal, on the thread that writes it, when its group is
/// written.
pub trait Scribe: Send + 'static {
    /// What is handed over. It is dropped before it is durable.
    type Record: Send + 'static;

    /// Appends the bytes of `record` to `out`.
    fn put(&mut self, record: &Self::Record, out: &mut Vec<u8>);

    /// About how many bytes `record` takes while it waits. Called where it is appended.
    fn weight(record: &Self::Record) -> usize;

    /// What all that was put so far is to go through now, which is durable.
    fn fold(&mut self) -> Option<Box<dyn Fold>> {
        None
    }
}

/// Of records that are bytes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verbatim;

impl Scribe for Verbatim {
    type Record = Vec<u8>;

    fn put(&mut self, record: &Vec<u8>, out: &mut Vec<u8>) {
        out.extend_from_slice(record);
    }

    fn weight(record: &Vec<u8>) -> usize {
        record.len() + size_of::<Vec<u8>>()
    }
}

/// The journal of a run, open for writing. See the bytes in the head of `format.rs`, and the
/// files in that of `volume.rs`.
///
/// Records are gathered into groups, each written and synced at once by a thread of its own. A
/// record waits until the last group is `window` old; one that comes after a quiet time is
/// written at once. A group is also written when it holds 1000 records, or at a
/// [`flush`](Self::flush). It is reported durable if the folder had no other owner by then:
/// whatever is reported is read by whoever takes it over.
///
/// Dropping a journal commits what it holds, with one try; [`close`](Self::close) tells how that
/// went.
pub struct Journal<S: Scribe = Verbatim> {
    queue: Arc<Queue<S::Record>>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
    owner: Arc<Ownership>,
}

impl Journal {
    /// How long a record waits for others before it is written, unless said otherwise.
    pub const WINDOW: Span = Span::from_millis(100);

    /// Reads the journal in the run folder `folder` and changes nothing; the run may be going
    /// on.
    ///
    /// # Errors
    /// If there is none, it is damaged where it was durable, or of another version.
    pub fn read(folder: &Path) -> Result<Recovered, StoreError> {
        let mut seen = None;
        loop {
            let newest = newest(folder)?;
            let path = newest.path(folder);
            match fs::read(&path) {
                Ok(bytes) => return recover(bytes, &path),
                // A later one has come in between.
                Err(error) if is_gone(&error) && seen != Some(newest) => seen = Some(newest),
                Err(error) => return Err(StoreError::io("read", &path)(error)),
            }
        }
    }
}

impl<S: Scribe> Journal<S> {
    /// Starts the journal of `run` in its new folder. `scribe` is given how many bytes there are
    /// already. `on_commit` is called on the writer's thread and should only pass on what it is
    /// told.
    ///
    /// # Errors
    /// If there is one already, or it cannot be written.
    pub fn create(
        folder: &RunFolder,
        run: u64,
        window: Span,
        scribe: impl FnOnce(u64) -> S,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Journal<S>, StoreError> {
        let read = StoreError::io("read", folder.path());
        if !volumes(folder.path()).map_err(read)?.is_empty() {
            return Err(StoreError::HoldsRun(folder.path().to_owned()));
        }
        let volume = Volume { epoch: folder.epoch().0, part: 0 };
        let begun = begin::begin(folder.ownership(), run, volume, None, std::iter::empty())?;
        Journal::start(folder, begun, window, scribe, on_commit)
    }

    /// Goes on with a journal after what was read of it by this owner of the folder: a volume of
    /// its own, which begins with what is `kept` of the records that there were. Once that is
    /// durable, what was read is not needed any more.
    ///
    /// # Errors
    /// If the folder was taken over, or it cannot be written.
    pub fn go_on(
        folder: &RunFolder,
        read: &Recovered,
        kept: impl Iterator<Item = Vec<u8>>,
        window: Span,
        scribe: impl FnOnce(u64) -> S,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Journal<S>, StoreError> {
        let volume = Volume { epoch: folder.epoch().0, part: 0 };
        let origin = Origin { volume: read.volume, bytes: read.end(), records: read.len() };
        let begun = begin::begin(folder.ownership(), read.run, volume, Some(origin), kept)?;
        Journal::start(folder, begun, window, scribe, on_commit)
    }

    fn start(
        folder: &RunFolder,
        begun: Begun<File>,
        window: Span,
        scribe: impl FnOnce(u64) -> S,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Journal<S>, StoreError> {
        let queue = Arc::new(Queue::default());
        let scribe = scribe(begun.tail.end());
        let path = begun.path.clone();
        let [fence, hand] = [(); 2].map(|()| folder.ownership().clone());
        let writer = Writer {
            queue: queue.clone(),
            scribe,
            begun,
            window: window.as_duration(),
            confirm: Box::new(move || fence.confirm()),
            rewrite: Box::new(move |begun, fold| begin::rewrite(&hand, begun, fold)),
            on_commit: Box::new(on_commit),
            durable: 0,
            group: Vec::new(),
            spare: Vec::new(),
        };
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::io("start the thread that writes", path))?;
        Ok(Journal { queue, writer: Some(writer), owner: folder.ownership().clone() })
    }

    /// Sees that this process still owns the folder, and shows others that it lives.
    ///
    /// # Errors
    /// If it was taken over, or that cannot be seen.
    pub fn confirm(&self) -> Result<(), StoreError> {
        self.owner.confirm()
    }

    /// Appends a record and gives its place, counted from 1: it is durable when
    /// [`Commit::Durable`] says so of this number or a higher one.
    ///
    /// Does not wait for the disk, unless 64 MiB wait for it already. A record of more than 1 GiB
    /// ends the journal, with [`StoreError::TooLong`].
    pub fn append(&self, record: impl Into<S::Record>) -> u64 {
        let record = record.into();
        let weight = S::weight(&record);
        self.queue.append(record, weight)
    }

    /// Has all that was appended written now, without waiting for the window or for others. Does
    /// not wait until that is done.
    pub fn flush(&self) {
        self.queue.flush();
    }

    /// Has all records up to here, or some more, go through `fold`: what stays becomes a new part
    /// of the journal. Does not wait until that is done. If it cannot be done, the journal stays
    /// as it is.
    pub fn compact(&self, fold: Box<dyn Fold>) {
        self.queue.compact(fold);
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

impl<S: Scribe> Drop for Journal<S> {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // Whatever went wrong was told to the callback.
            let _ = writer.join();
        }
    }
}

fn newest(folder: &Path) -> Result<Volume, StoreError> {
    let none = || StoreError::NoRun(folder.to_owned());
    match volumes(folder) {
        Ok(volumes) => volumes.last().copied().ok_or_else(none),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(none()),
        Err(error) => Err(StoreError::io("read", folder)(error)),
    }
}

/// Whether a file was removed, by this host or another.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

fn recover(bytes: Vec<u8>, path: &Path) -> Result<Recovered, StoreError> {
    format::scan(bytes).map_err(|fault| {
        let path = path.to_owned();
        match fault {
            Fault::NoHead => StoreError::NotAJournal(path),
            Fault::Version(found) => StoreError::Version { path, found, known: format::VERSION },
            Fault::Damaged(offset) => StoreError::Damaged { path, offset },
        }
    })
}
