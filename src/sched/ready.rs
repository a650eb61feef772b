//! A queue of work that may start, most urgent first, by what it needs.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::wire::{Garbled, Reader, Wire};
use crate::model::{JobId, Request, TaskId};

/// The order in which work starts: by the user's priority, then by the list heuristic, then by
/// id. The smaller is the more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency {
    priority: Reverse<i32>,
    rank: Reverse<u64>,
    job: JobId,
    task: TaskId,
}

impl Urgency {
    /// Higher `priority` first, among equals higher `rank`, then the smaller id.
    #[must_use]
    pub fn new(priority: i32, rank: u64, job: JobId, task: TaskId) -> Urgency {
        Urgency { priority: Reverse(priority), rank: Reverse(rank), job, task }
    }

    /// The task it belongs to.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }
}

impl Wire for Urgency {
    fn put(&self, out: &mut Vec<u8>) {
        self.priority.0.put(out);
        self.rank.0.put(out);
        self.job.put(out);
        self.task.put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Urgency, Garbled> {
        let (priority, rank) = Wire::get(bytes)?;
        let (job, task) = Wire::get(bytes)?;
        Ok(Urgency::new(priority, rank, job, task))
    }
}

/// Work that may start. Grouped by request, so that what cannot be placed now does not have to
/// be walked over to reach what can.
#[derive(Debug)]
pub(super) struct Ready<T> {
    classes: BTreeMap<Arc<Request>, BTreeMap<Urgency, T>>,
    len: usize,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Ready { classes: BTreeMap::new(), len: 0 }
    }
}

impl<T> Ready<T> {
    /// How much there is.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one.
    pub(super) fn push(&mut self, request: &Arc<Request>, urgency: Urgency, item: T) {
        let class = match self.classes.get_mut(request) {
            Some(class) => class,
            None => self.classes.entry(Arc::clone(request)).or_default(),
        };
        if class.insert(urgency, item).is_none() {
            self.len += 1;
        }
    }

    /// Takes one out wherever it stands.
    pub(super) fn remove(&mut self, request: &Arc<Request>, urgency: &Urgency) -> Option<T> {
        let class = self.classes.get_mut(request)?;
        let item = class.remove(urgency)?;
        if class.is_empty() {
            self.classes.remove(request);
        }
        self.len -= 1;
        Some(item)
    }

    /// The most urgent of each request, most urgent first.
    #[must_use]
    pub(super) fn heads(&self) -> Vec<(Arc<Request>, Urgency)> {
        let head = |(request, class): (&Arc<Request>, &BTreeMap<Urgency, T>)| {
            Some((Arc::clone(request), *class.first_key_value()?.0))
        };
        let mut heads: Vec<_> = self.classes.iter().filter_map(head).collect();
        heads.sort_by_key(|(_, urgency)| *urgency);
        heads
    }

    /// Takes out up to `count` of the least urgent whose request satisfies `wanted`.
    pub(super) fn take_least(&mut self, count: usize, wanted: impl Fn(&Request) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let wanted = self.classes.iter().filter(|(request, _)| wanted(request));
            let last = wanted.filter_map(|(r, class)| Some((*class.last_key_value()?.0, r))).max();
            let Some((urgency, request)) = last else { break };
            let request = Arc::clone(request);
            taken.extend(self.remove(&request, &urgency));
        }
        taken
    }

    /// Takes out everything whose request does not satisfy `keep`.
    pub(super) fn reject(&mut self, keep: impl Fn(&Request) -> bool) -> Vec<T> {
        let rejected = self.classes.extract_if(.., |request, _| !keep(request));
        let rejected: Vec<T> = rejected.flat_map(|(_, class)| class.into_values()).collect();
        self.len -= rejected.len();
        rejected
    }

    /// Takes out every item that is `wanted`.
    pub(super) fn take(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        self.classes.retain(|_, class| {
            taken.extend(class.extract_if(.., |_, item| wanted(item)).map(|(_, item)| item));
            !class.is_empty()
        });
        self.len -= taken.len();
        taken
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.len = 0;
        std::mem::take(&mut self.classes).into_values().flat_map(BTreeMap::into_values)
    }
}
