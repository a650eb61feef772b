//! The thread that writes a journal, and the queue before it.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::begin::Begun;
use super::{Commit, Fold};
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::format;
use crate::store::owner::BEAT;

/// A group is written when it holds so many records.
const GROUP: u64 = 1000;
/// Who appends waits while so many bytes wait for the disk.
const QUEUE_BYTES: usize = 64 << 20;
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Records on their way to the disk.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the writer.
    work: Condvar,
    /// There is room in the queue again.
    room: Condvar,
}

#[derive(Default)]
struct State {
    /// The entries of the next group.
    bytes: Vec<u8>,
    /// How many records that is.
    records: u64,
    /// How many there were altogether.
    appended: u64,
    /// What the records are to go through, and how many have to be durable first.
    fold: Option<(u64, Box<dyn Fold>)>,
    /// Write now.
    flush: bool,
    /// Write now, then end.
    closed: bool,
    /// There is no writer any more: nothing will become durable.
    abandoned: bool,
}

impl Queue {
    pub(super) fn append(&self, record: &[u8]) -> u64 {
        let mut state = self.state.lock();
        while state.bytes.len() >= QUEUE_BYTES && !state.abandoned {
            self.room.wait(&mut state);
        }
        state.appended += 1;
        if !state.abandoned {
            format::put_record(&mut state.bytes, record);
            state.records += 1;
            if state.records == 1 || state.records == GROUP || state.bytes.len() >= QUEUE_BYTES {
                self.work.notify_one();
            }
        }
        state.appended
    }

    pub(super) fn flush(&self) {
        self.state.lock().flush = true;
        self.work.notify_one();
    }

    pub(super) fn compact(&self, fold: Box<dyn Fold>) {
        let mut state = self.state.lock();
        state.fold = Some((state.appended, fold));
        self.work.notify_one();
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
    }

    fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.bytes = Vec::new();
        self.room.notify_all();
    }
}

impl State {
    /// Whether the group is to be written without waiting for the window.
    fn is_due(&self) -> bool {
        self.closed || self.flush || self.records >= GROUP || self.bytes.len() >= QUEUE_BYTES
    }
}

/// Says whether the journal may still be written to.
pub(super) type Confirm = Box<dyn FnMut() -> Result<(), StoreError> + Send>;

/// Makes of a volume another one, with fewer records.
pub(super) type Rewrite<D> =
    Box<dyn FnMut(&Begun<D>, Box<dyn Fold>) -> Result<Begun<D>, StoreError> + Send>;

pub(super) struct Writer<D> {
    pub(super) queue: Arc<Queue>,
    /// The volume, with all that is durable.
    pub(super) begun: Begun<D>,
    pub(super) window: Duration,
    pub(super) confirm: Confirm,
    pub(super) rewrite: Rewrite<D>,
    pub(super) on_commit: Box<dyn FnMut(Commit) + Send>,
    /// So many of the records that were appended are on the disk.
    pub(super) durable: u64,
}

/// Tells the queue when its writer ends, also by a panic of the callback.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<D: Disk> Writer<D> {
    /// Writes until the queue is closed and empty, or the journal is taken over.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        let _abandon = Abandon(self.queue.clone());
        let mut last = None;
        while self.wait(last)? {
            last = Some(Instant::now());
            self.commit()?;
            self.compact()?;
        }
        self.seal();
        Ok(())
    }

    /// Waits until a group is to be written; false when there will be none any more. `last` is
    /// when the one before it was.
    fn wait(&mut self, last: Option<Instant>) -> Result<bool, StoreError> {
        let queue = self.queue.clone();
        let mut state = queue.state.lock();
        loop {
            let now = Instant::now();
            let due = last.map_or(now, |last| last + self.window);
            if state.records > 0 && (state.is_due() || now >= due) {
                return Ok(true);
            }
            if state.records == 0 {
                if state.closed {
                    return Ok(false);
                }
                state.flush = false;
                if state.fold.is_some() {
                    drop(state);
                    self.compact()?;
                    state = queue.state.lock();
                    continue;
                }
            }
            let beat = now + BEAT;
            let until = if state.records > 0 { due.min(beat) } else { beat };
            if queue.work.wait_until(&mut state, until).timed_out() && until == beat {
                drop(state);
                self.beat()?;
                state = queue.state.lock();
            }
        }
    }

    /// Shows that the owner lives. Only that it is not the owner any more ends it: other trouble
    /// matters when there is something to write.
    fn beat(&mut self) -> Result<(), StoreError> {
        match (self.confirm)() {
            Err(error @ StoreError::TakenOver(_)) => {
                self.fail(error.clone());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Writes the group that waits, however long it takes. An error if there is no point in
    /// trying again.
    fn commit(&mut self) -> Result<(), StoreError> {
        let (count, bytes, upto) = {
            let mut state = self.queue.state.lock();
            state.flush = false;
            let group = (mem::take(&mut state.records), mem::take(&mut state.bytes));
            self.queue.room.notify_all();
            (group.0, group.1, state.appended)
        };
        let mut group = self.mark();
        group.extend(bytes);
        loop {
            // Looked at before the try: a close that comes later gets one of its own.
            let last_try = self.queue.state.lock().closed;
            let Err(error) = self.write(&group) else { break };
            self.fail(error.clone());
            if last_try || matches!(error, StoreError::TakenOver(_)) {
                return Err(error);
            }
            self.pause();
        }
        self.begun.records += count;
        self.durable = upto;
        (self.on_commit)(Commit::Durable(upto));
        Ok(())
    }

    /// Has what is durable go through a fold, if one waits. An error if the folder has another
    /// owner; else what cannot be done now stays undone.
    fn compact(&mut self) -> Result<(), StoreError> {
        let ready = |(upto, _): &mut (u64, Box<dyn Fold>)| *upto <= self.durable;
        let fold = self.queue.state.lock().fold.take_if(ready);
        match fold.map(|(_, fold)| (self.rewrite)(&self.begun, fold)) {
            Some(Ok(begun)) => self.begun = begun,
            Some(Err(error @ StoreError::TakenOver(_))) => {
                self.fail(error.clone());
                return Err(error);
            }
            Some(Err(_)) | None => {}
        }
        Ok(())
    }

    /// The mark that ends what is durable; nothing if there is no record.
    fn mark(&self) -> Vec<u8> {
        match self.begun.records {
            0 => Vec::new(),
            records => format::mark(self.begun.tail.end(), records),
        }
    }

    /// What was written counts only if the folder had no other owner afterwards either: one that
    /// came in between may have read the file before.
    fn write(&mut self, group: &[u8]) -> Result<(), StoreError> {
        (self.confirm)()?;
        let written = self.begun.tail.write_durably(group);
        written.map_err(StoreError::io("write", &self.begun.path))?;
        (self.confirm)()?;
        self.begun.tail.accept(group.len());
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        (self.on_commit)(Commit::Failed { error });
    }

    /// Waits before the next try; a flush or the end of the journal cuts it short.
    fn pause(&self) {
        let deadline = Instant::now() + RETRY;
        let mut state = self.queue.state.lock();
        while !state.closed && !state.flush {
            if self.queue.work.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.flush = false;
    }

    /// Ends the journal with a mark, so that any later damage is seen as such.
    fn seal(&mut self) {
        let mark = self.mark();
        // All records are durable without it.
        let _ = self.write(&mark);
    }
}
