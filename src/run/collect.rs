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
    desk: Arc<Desk>,
    tray: Mutex<Tray>,
}

/// What is on its way to the desk.
#[derive(Default)]
struct Tray {
    /// Records that became final together are handed over together.
    notices: Vec<Notice>,
    out: Option<Sender<Vec<Notice>>>,
    clerk: Option<JoinHandle<()>>,
}

struct Desk {
    records: Mutex<Records>,
    watch: Box<dyn Fn(&Notice) + Send + Sync>,
}

struct Records {
    all: Vec<Record>,
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
        let records = Mutex::new(Records { all: Vec::new(), file: None, problem: None });
        let desk = Arc::new(Desk { records, watch: Box::new(watch) });
        let (out, notices) = channel::unbounded::<Vec<Notice>>();
        let at = Arc::clone(&desk);
        let clerk = thread::Builder::new().name("records".to_owned());
        let clerk = clerk.spawn(move || notices.into_iter().flatten().for_each(|n| at.take(n)));
        let failed = |error| RunError::Io { what: "start the thread that writes records", error };
        let clerk = Some(clerk.map_err(failed)?);
        let tray = Mutex::new(Tray { notices: Vec::new(), out: Some(out), clerk });
        Ok(Arc::new(Collector { desk, tray }))
    }

    /// From now on records are written to `file` too.
    pub(super) fn write_to(&self, file: RecordFile) {
        self.desk.records.lock().file = Some(file);
    }

    pub(super) fn hear(&self, notice: Notice) {
        let mut tray = self.tray.lock();
        let more_comes = matches!(notice, Notice::Record(_));
        tray.notices.push(notice);
        if !more_comes {
            let notices = std::mem::take(&mut tray.notices);
            // None hears of what comes after the end.
            let _ = tray.out.as_ref().map(|out| out.send(notices));
        }
    }

    pub(super) fn note(&self, text: String) {
        self.hear(Notice::Note(text));
    }

    /// Waits until all is seen to that was heard. A panic of who watches goes on here.
    fn close(&self) {
        let (notices, out, clerk) = {
            let Tray { notices, out, clerk } = &mut *self.tray.lock();
            (std::mem::take(notices), out.take(), clerk.take())
        };
        let _ = out.map(|out| out.send(notices));
        if let Some(Err(panic)) = clerk.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }

    /// What was gathered; the file in `folder` is complete then, if it can be.
    pub(super) fn finish(&self, folder: Option<&RunFolder>) -> Vec<Record> {
        self.close();
        let mut records = self.desk.records.lock();
        if let (Some(folder), Some(mut file)) = (folder, records.file.take())
            && let Err(error) = self.once_there_is_room(|| {
                // Others are to see that its owner lives, however long it waits.
                folder.confirm()?;
                file.flush()
            })
        {
            (self.desk.watch)(&Notice::Note(error.to_string()));
        }
        std::mem::take(&mut records.all)
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
                        (self.desk.watch)(&Notice::Note(note));
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
            self.close();
        }
    }
}

impl Desk {
    fn take(&self, notice: Notice) {
        (self.watch)(&notice);
        let mut records = self.records.lock();
        let file = records.file.as_mut();
        let written = match &notice {
            Notice::Record(record) => file.map_or(Ok(()), |file| file.append(record)),
            Notice::Told => file.map_or(Ok(()), RecordFile::flush),
            Notice::Note(_) | Notice::Forecast(_) => Ok(()),
        };
        if let Notice::Record(record) = notice {
            records.all.push(Arc::unwrap_or_clone(record));
        }
        // Whatever it is, the line is kept, and the journal has it.
        let problem = written.err().map(|error| error.to_string());
        let is_new = problem != records.problem;
        records.problem.clone_from(&problem);
        drop(records);
        if let Some(problem) = problem.filter(|_| is_new) {
            (self.watch)(&Notice::Note(problem));
        }
    }
}
