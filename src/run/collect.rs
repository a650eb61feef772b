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
}

impl Collector {
    pub(super) fn new(
        file: Option<RecordFile>,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Arc<Collector> {
        let records = Mutex::new(Records { all: Vec::new(), file });
        Arc::new(Collector { records, watch: Box::new(watch) })
    }

    pub(super) fn hear(&self, notice: Notice) {
        (self.watch)(&notice);
        if let Notice::Record(record) = notice {
            let mut records = self.records.lock();
            let written = records.file.as_mut().map_or(Ok(()), |file| file.append(&record));
            records.all.push(*record);
            drop(records);
            if let Err(problem) = written {
                (self.watch)(&Notice::Note(problem));
            }
        }
    }

    pub(super) fn note(&self, text: String) {
        self.hear(Notice::Note(text));
    }

    /// What was gathered; the file is complete then.
    pub(super) fn finish(&self) -> Vec<Record> {
        let mut records = self.records.lock();
        if let Some(Err(problem)) = records.file.take().map(RecordFile::close) {
            (self.watch)(&Notice::Note(problem));
        }
        std::mem::take(&mut records.all)
    }
}
