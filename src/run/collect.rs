//! Gathers what a run tells: records for the outcome and the folder, notes for who watches.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::files::RecordFile;
use crate::live::Notice;
use crate::model::Record;
use crate::store::{RunFolder, StoreError};

/// How long after a try to write, for which there was no room, comes the next.
const RETRY: Duration = Duration::from_secs(1);

/// Receives the notices of all processes of a run.
pub(super) struct Collector {
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
    pub(super) fn new(watch: impl Fn(&Notice) + Send + Sync + 'static) -> Arc<Collector> {
        let records = Mutex::new(Records { all: Vec::new(), file: None, problem: None });
        Arc::new(Collector { records, watch: Box::new(watch) })
    }

    /// From now on records are written to `file` too.
    pub(super) fn write_to(&self, file: RecordFile) {
        self.records.lock().file = Some(file);
    }

    pub(super) fn hear(&self, notice: Notice) {
        (self.watch)(&notice);
        let mut records = self.records.lock();
        let file = records.file.as_mut();
        let written = match &notice {
            Notice::Record(record) => file.map_or(Ok(()), |file| file.append(record)),
            Notice::Told => file.map_or(Ok(()), RecordFile::flush),
            Notice::Note(_) => Ok(()),
        };
        if let Notice::Record(record) = notice {
            records.all.push(*record);
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

    /// Tells whoever watches, and keeps nothing.
    pub(super) fn tell(&self, notice: &Notice) {
        (self.watch)(notice);
    }

    pub(super) fn note(&self, text: String) {
        self.hear(Notice::Note(text));
    }

    /// What was gathered; the file in `folder` is complete then, if it can be.
    pub(super) fn finish(&self, folder: Option<&RunFolder>) -> Vec<Record> {
        let mut records = self.records.lock();
        if let (Some(folder), Some(mut file)) = (folder, records.file.take())
            && let Err(error) = self.once_there_is_room(|| {
                // Others are to see that its owner lives, however long it waits.
                folder.confirm()?;
                file.flush()
            })
        {
            (self.watch)(&Notice::Note(error.to_string()));
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
                        (self.watch)(&Notice::Note(note));
                    }
                    thread::sleep(RETRY);
                }
                other => return other,
            }
        }
    }
}
