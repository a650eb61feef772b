//! A list of work from outside.

use crate::sync::{AtomicUsize, Mutex, Ordering};
use crate::work::Work;

#[derive(Clone, Copy, Default)]
pub(crate) enum Priority {
    #[default]
    Normal,
}

#[derive(Default)]
pub(crate) struct List {
    len: AtomicUsize,
    works: Mutex<Vec<Work>>,
}

impl List {
    pub(crate) fn push(&self, work: Work) {
        let mut works = self.works.lock();
        works.push(work);
        self.len.store(works.len(), Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> Option<Work> {
        if self.is_empty() {
            return None;
        }
        let mut works = self.works.lock();
        let work = works.pop();
        self.len.store(works.len(), Ordering::Relaxed);
        work
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }
}
