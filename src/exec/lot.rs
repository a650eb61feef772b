//! Kernels that were launched together on the same cores, and run there one after the other.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::model::{AttemptKey, CoreId, Finish, Launch};

use super::registry::Kernel;

/// An attempt at a kernel, and what runs it.
pub(super) struct Part {
    pub(super) launch: Launch,
    pub(super) kernel: Arc<Kernel>,
    /// Tells it to stop.
    pub(super) stop: Arc<AtomicBool>,
}

/// Parts on the same cores.
pub(super) struct Lot {
    pub(super) cores: Arc<[CoreId]>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Part>,
    /// What has ended and was not told yet.
    ended: Vec<Finish>,
}

impl Lot {
    pub(super) fn new(cores: Arc<[CoreId]>, parts: VecDeque<Part>) -> Lot {
        let ended = Vec::with_capacity(parts.len());
        Lot { cores, state: Mutex::new(State { waiting: parts, ended }) }
    }

    /// Takes down what has `ended`, if something has, and says what begins now.
    pub(super) fn next(&self, ended: Option<Finish>) -> Option<Part> {
        let mut state = self.state.lock();
        state.ended.extend(ended);
        state.waiting.pop_front()
    }

    /// Takes down what has ended, and begins nothing.
    pub(super) fn end(&self, ended: Option<Finish>) {
        self.state.lock().ended.extend(ended);
    }

    /// What has ended since this was asked last.
    pub(super) fn take_ended(&self) -> Vec<Finish> {
        std::mem::take(&mut self.state.lock().ended)
    }

    /// Takes out those of its parts that have not begun and are `wanted`.
    pub(super) fn withdraw(&self, wanted: impl Fn(&AttemptKey) -> bool) -> Vec<Launch> {
        let mut state = self.state.lock();
        let parts = std::mem::take(&mut state.waiting).into_iter();
        let (taken, left) = parts.partition(|part: &Part| wanted(&part.launch.key));
        state.waiting = left;
        let taken: VecDeque<Part> = taken;
        taken.into_iter().map(|part| part.launch).collect()
    }
}

/// The kernels that run or wait, each with its lot and what tells it to stop.
#[derive(Default)]
pub(super) struct Kernels(BTreeMap<AttemptKey, (Arc<Lot>, Arc<AtomicBool>)>);

impl Kernels {
    pub(super) fn knows(&self, key: &AttemptKey) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: AttemptKey, lot: Arc<Lot>, stop: Arc<AtomicBool>) {
        self.0.insert(key, (lot, stop));
    }

    pub(super) fn remove<'a>(&mut self, keys: impl IntoIterator<Item = &'a AttemptKey>) {
        keys.into_iter().for_each(|key| _ = self.0.remove(key));
    }

    pub(super) fn stop(&self, key: &AttemptKey) -> Option<&AtomicBool> {
        self.0.get(key).map(|(_, stop)| &**stop)
    }

    pub(super) fn stops(&self) -> impl Iterator<Item = &AtomicBool> {
        self.0.values().map(|(_, stop)| &**stop)
    }

    /// The lots that these are of, each once.
    pub(super) fn lots(&self, keys: &BTreeSet<AttemptKey>) -> Vec<Arc<Lot>> {
        let mut lots: Vec<Arc<Lot>> = Vec::new();
        for (lot, _) in keys.iter().filter_map(|key| self.0.get(key)) {
            if !lots.iter().any(|known| Arc::ptr_eq(known, lot)) {
                lots.push(Arc::clone(lot));
            }
        }
        lots
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
