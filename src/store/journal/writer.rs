//! The thread that writes a journal, and the queue before it.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::Drain;

use parking_lot::{Condvar, Mutex};

use super::begin::Begun;
use super::{Commit, Fold, Scribe};
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::format::{self, TooLong};
use crate::store::owner::BEAT;

/// A group is written when it holds so many records.
const GROUP: usize = 1000;
/// Who appends waits while so many bytes wait for the disk; more than that are not written at once.
const QUEUE_BYTES: usize = 64 << 20;
/// What is kept for the bytes of the next group: most take less.
const ROOM: usize = 1 << 20;
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Records on their way to the disk.
pub(super) struct Queue<R> {
    state: Mutex<State<R>>,
    /// There is something to do for the writer.
    work: Condvar,
    /// There is room in the queue again.
    room: Condvar,
}

struct State<R> {
    /// The next group.
    records: Vec<R>,
    /// About how many bytes they take.
    weight: usize,
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

impl<R> Default for Queue<R> {
    fn default() -> Queue<R> {
        let state = State {
            records: Vec::new(),
            weight: 0,
            appended: 0,
            fold: None,
            flush: false,
            closed: false,
            abandoned: false,
        };
        Queue { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new() }
    }
}

impl<R> Queue<R> {
    /// Appends a record of about so many bytes.
    pub(super) fn append(&self, record: R, weight: usize) -> u64 {
        let mut state = self.state.lock();
        while state.weight >= QUEUE_BYTES && !state.abandoned {
            self.room.wait(&mut state);
        }
        state.appended += 1;
        if !state.abandoned {
            state.records.push(record);
            state.weight += weight;
            let waiting = state.records.len();
            if waiting == 1 || waiting == GROUP || state.weight >= QUEUE_BYTES {
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
        state.records = Vec::new();
        self.room.notify_all();
    }
}

impl<R> State<R> {
    /// Whether the group is to be written without waiting for the window.
    fn is_due(&self) -> bool {
        self.closed || self.flush || self.records.len() >= GROUP || self.weight >= QUEUE_BYTES
    }
}

/// Says whether the journal may still be written to.
pub(super) type Confirm = Box<dyn FnMut() -> Result<(), StoreError> + Send>;

/// Makes of a volume another one, with fewer records.
pub(super) type Rewrite<D> =
    Box<dyn FnMut(&Begun<D>, Box<dyn Fold>) -> Result<Begun<D>, StoreError> + Send>;

pub(super) struct Writer<S: Scribe, D> {
    pub(super) queue: Arc<Queue<S::Record>>,
    pub(super) scribe: S,
    /// The volume, with all that is durable.
    pub(super) begun: Begun<D>,
    pub(super) window: Duration,
    pub(super) confirm: Confirm,
    pub(super) rewrite: Rewrite<D>,
    pub(super) on_commit: Box<dyn FnMut(Commit) + Send>,
    /// So many of the records that were appended are on the disk.
    pub(super) durable: u64,
    /// The bytes of a group.
    pub(super) group: Vec<u8>,
    /// Empty, but with the memory that a group's records took.
    pub(super) spare: Vec<S::Record>,
}

/// Tells the queue when its writer ends, also by a panic of the callback.
struct Abandon<R>(Arc<Queue<R>>);

impl<R> Drop for Abandon<R> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<S: Scribe, D: Disk> Writer<S, D> {
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
            if !state.records.is_empty() && (state.is_due() || now >= due) {
                return Ok(true);
            }
            if state.records.is_empty() {
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
            let until = if state.records.is_empty() { beat } else { due.min(beat) };
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

    /// Writes all that waits, however long it takes. An error if there is no point in trying again.
    fn commit(&mut self) -> Result<(), StoreError> {
        let mut records = mem::take(&mut self.spare);
        {
            let mut state = self.queue.state.lock();
            state.flush = false;
            state.weight = 0;
            mem::swap(&mut state.records, &mut records);
            self.queue.room.notify_all();
        }
        let mut rest = records.drain(..);
        loop {
            let count = self.gather(&mut rest)?;
            if count == 0 {
                break;
            }
            self.write_at_last()?;
            self.begun.records += count;
            self.durable += count;
            (self.on_commit)(Commit::Durable(self.durable));
        }
        drop(rest);
        // There are more of them only after the disk was stuck.
        records.shrink_to(2 * GROUP);
        self.spare = records;
        Ok(())
    }

    /// Makes a group of the next of `records`, which are gone then, and says how many they are. An
    /// error if one cannot be written down at all.
    fn gather(&mut self, records: &mut Drain<'_, S::Record>) -> Result<u64, StoreError> {
        self.mark();
        let mut count = 0;
        while self.group.len() < QUEUE_BYTES
            && let Some(record) = records.next()
        {
            let put = format::put_record(&mut self.group, |out| self.scribe.put(&record, out));
            if let Err(TooLong(bytes)) = put {
                let error = StoreError::TooLong { path: self.begun.path.clone(), bytes };
                self.fail(error.clone());
                return Err(error);
            }
            count += 1;
        }
        Ok(count)
    }

    /// Writes the group, however often that has to be tried.
    fn write_at_last(&mut self) -> Result<(), StoreError> {
        loop {
            // Looked at before the try: a close that comes later gets one of its own.
            let last_try = self.queue.state.lock().closed;
            let Err(error) = self.write() else { return Ok(()) };
            self.fail(error.clone());
            if last_try || matches!(error, StoreError::TakenOver(_)) {
                return Err(error);
            }
            self.pause();
        }
    }

    /// Has what is durable go through a fold, if one waits. An error if the folder has another
    /// owner; else what cannot be done now stays undone.
    fn compact(&mut self) -> Result<(), StoreError> {
        let ready = |(upto, _): &mut (u64, Box<dyn Fold>)| *upto <= self.durable;
        let fold = self.queue.state.lock().fold.take_if(ready).map(|(_, fold)| fold);
        // All that the scribe has seen is durable.
        let fold = self.scribe.fold().or(fold);
        match fold.map(|fold| (self.rewrite)(&self.begun, fold)) {
            Some(Ok(begun)) => self.begun = begun,
            Some(Err(error @ StoreError::TakenOver(_))) => {
                self.fail(error.clone());
                return Err(error);
            }
            Some(Err(_)) | None => {}
        }
        Ok(())
    }

    /// Begins the bytes of a group with the mark that ends what is durable; with nothing if there is
    /// no record.
    fn mark(&mut self) {
        self.group.clear();
        self.group.shrink_to(ROOM);
        if self.begun.records > 0 {
            format::put_mark(&mut self.group, self.begun.tail.end(), self.begun.records);
        }
    }

    /// What was written counts only if the folder had no other owner afterwards either: one that
    /// came in between may have read the file before.
    fn write(&mut self) -> Result<(), StoreError> {
        (self.confirm)()?;
        let written = self.begun.tail.write_durably(&self.group);
        written.map_err(StoreError::io("write", &self.begun.path))?;
        (self.confirm)()?;
        self.begun.tail.accept(self.group.len());
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
        self.mark();
        // All records are durable without it.
        let _ = self.write();
    }
}
