//! Gathers what a run tells: records for the outcome and the folder, notes for who watches.

use std::sync::Arc;

use parking_lot::Mutex;

use super::files::RecordFile;
use crate::live::Notice;
use crate::model::Record;

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
        let problem = written.err();
        let is_new = problem != records.problem;
        records.problem.clone_from(&problem);
        drop(records);
        if let Some(problem) = problem.filter(|_| is_new) {
            (self.watch)(&Notice::Note(problem));
        }
    }

    pub(super) fn note(&self, text: String) {
        self.hear(Notice::Note(text));
    }

    /// What was gathered; the file is complete then.
    pub(super) fn finish(&self) -> Vec<Record> {
        let mut records = self.records.lock();
        if let Some(Err(problem)) = records.file.take().map(|mut file| file.flush()) {
            (self.watch)(&Notice::Note(problem));
        }
        std::mem::take(&mut records.all)
    }
}
