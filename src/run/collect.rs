//! Gathers what a run tells: records for the outcome and the folder, notes for who watches.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{self, Sender};
use parking_lot::Mutex;

use super::RunError;
use super::files::RecordFile;
use crate::live::Notice;
use crate::model::Record;
use crate::store::{RunFolder, StoreError};

/// How long after a try to write, for which there was no room, comes the next.
const RETRY: Duration = Duration::from_secs(1);

/// Receives the notices of all processes of a run, and sees to them on a thread of its own: no
/// process waits for that.
pub(super) struct Collector {
    watch: Watch,
    tray: Mutex<Tray>,
}

type Watch = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What is on its way to the desk.
#[derive(Default)]
struct Tray {
    /// Records that became final together are handed over together.
    records: Vec<Arc<Record>>,
    out: Option<Sender<Parcel>>,
    clerk: Option<JoinHandle<Desk>>,
}

enum Parcel {
    /// Records, and what was told after them.
    News(Vec<Arc<Record>>, Option<Notice>),
    /// Where records are written to from now on.
    File(RecordFile),
}

/// What the thread has before it that sees to them.
struct Desk {
    watch: Watch,
    /// As they came: to take one out of what it shares would be to free what another thread has
    /// taken from the heap, which makes both wait.
    records: Vec<Arc<Record>>,
    file: Option<RecordFile>,
    /// What keeps the file from being written, as it was told last.
    problem: Option<String>,
}

impl Collector {
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn new(
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Arc<Collector>, RunError> {
        let watch: Watch = Arc::new(watch);
        let watches = Arc::clone(&watch);
        let mut desk = Desk { watch: watches, records: Vec::new(), file: None, problem: None };
        let (out, parcels) = channel::unbounded();
        let clerk = thread::Builder::new().name("records".to_owned());
        let clerk = clerk.spawn(move || {
            parcels.into_iter().for_each(|parcel| desk.take(parcel));
            desk
        });
        let failed = |error| RunError::Io { what: "start the thread that writes records", error };
        let clerk = Some(clerk.map_err(failed)?);
        let tray = Mutex::new(Tray { records: Vec::new(), out: Some(out), clerk });
        Ok(Arc::new(Collector { watch, tray }))
    }

    /// From now on records are written to `file` too.
    pub(super) fn write_to(&self, file: RecordFile) {
        self.tray.lock().send(Parcel::File(file));
    }

    pub(super) fn hear(&self, notice: Notice) {
        let mut tray = self.tray.lock();
        match notice {
            Notice::Record(record) => tray.records.push(record),
            other => tray.send_news(Some(other)),
        }
    }

    pub(super) fn note(&self, text: String) {
        self.hear(Notice::Note(text));
    }

    /// Waits until all is seen to that was heard; gives what came of it to who asks first. A panic
    /// of who watches goes on here.
    fn close(&self) -> Option<Desk> {
        let clerk = {
            let mut tray = self.tray.lock();
            tray.send_news(None);
            tray.out = None;
            tray.clerk.take()
        };
        clerk.map(|clerk| clerk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    /// What was gathered; the file in `folder` is complete then, if it can be.
    pub(super) fn finish(&self, folder: Option<&RunFolder>) -> Vec<Arc<Record>> {
        let Some(Desk { records, file, .. }) = self.close() else { return Vec::new() };
        if let (Some(folder), Some(mut file)) = (folder, file)
            && let Err(error) = self.once_there_is_room(|| {
                // Others are to see that its owner lives, however long it waits.
                folder.confirm()?;
                file.flush()
            })
        {
            (self.watch)(&Notice::Note(error.to_string()));
        }
        records
    }

    /// Does what needs room on a disk. Where there is none it says so, and tries until there is.
    pub(super) fn once_there_is_room<T>(
        &self,
        mut act: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut told = false;
        loop {
            match act() {
                Err(error) if error.is_for_want_of_room() => {
                    if !std::mem::replace(&mut told, true) {
                        let note = format!("the run is over and waits for room: {error}");
                        (self.watch)(&Notice::Note(note));
                    }
                    thread::sleep(RETRY);
                }
                other => return other,
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if !thread::panicking() {
            drop(self.close());
        }
    }
}

impl Tray {
    fn send_news(&mut self, then: Option<Notice>) {
        let records = std::mem::take(&mut self.records);
        self.send(Parcel::News(records, then));
    }

    fn send(&self, parcel: Parcel) {
        // None hears of what comes after the end.
        let _ = self.out.as_ref().map(|out| out.send(parcel));
    }
}

impl Desk {
    fn take(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::News(records, then) => {
                let records = records.into_iter().map(Notice::Record);
                records.chain(then).for_each(|notice| self.see_to(notice));
            }
            Parcel::File(file) => self.file = Some(file),
        }
    }

    fn see_to(&mut self, notice: Notice) {
        (self.watch)(&notice);
        let file = self.file.as_mut();
        let written = match &notice {
            Notice::Record(record) => file.map_or(Ok(()), |file| file.append(record)),
            Notice::Told => file.map_or(Ok(()), RecordFile::flush),
            Notice::Note(_) | Notice::Forecast(_) => Ok(()),
        };
        if let Notice::Record(record) = notice {
            self.records.push(record);
        }
        // Whatever it is, the line is kept, and the journal has it.
        let problem = written.err().map(|error| error.to_string());
        let is_new = problem != self.problem;
        self.problem.clone_from(&problem);
        if let Some(problem) = problem.filter(|_| is_new) {
            (self.watch)(&Notice::Note(problem));
        }
    }
}
