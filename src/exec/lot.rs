//! Kernels that were launched together on the same cores, and run there one after the other.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::model::{AttemptKey, Body, CoreId, Finish, Launch};
use crate::pool::prefetch;

use super::registry::Kernel;

/// Kernels that are to become a lot.
#[derive(Default)]
pub(super) struct Draft {
    waiting: Vec<Waiting>,
    kernels: Vec<Arc<Kernel>>,
}

/// A kernel that has not begun.
struct Waiting {
    launch: Launch,
    /// What runs it, by its place in the lot: mostly the same as for its neighbours, and counting
    /// that for each would have all cores write to one place.
    kernel: usize,
}

impl Draft {
    /// The one that was added last.
    pub(super) fn last(&self) -> Option<&Launch> {
        self.waiting.last().map(|last| &last.launch)
    }

    /// Whether the last one is run by the kernel of this name.
    pub(super) fn ends_in(&self, kernel: &str) -> bool {
        let body = self.last().map(|last| &*last.work.body);
        matches!(body, Some(Body::Kernel { name, .. }) if name == kernel)
    }

    /// Those that are added next are run by this.
    pub(super) fn choose(&mut self, kernel: Arc<Kernel>) {
        self.kernels.push(kernel);
    }

    /// Adds one, on the same cores as all.
    pub(super) fn add(&mut self, launch: Launch) {
        self.waiting.push(Waiting { launch, kernel: self.kernels.len() - 1 });
    }
}

/// Kernels on the same cores.
pub(super) struct Lot {
    pub(super) cores: Arc<[CoreId]>,
    /// What runs its parts.
    kernels: Vec<Arc<Kernel>>,
    /// For each part whether it was told to stop.
    stops: Box<[AtomicBool]>,
    state: Mutex<State>,
}

/// A kernel that begins.
pub(super) struct Part<'a> {
    pub(super) launch: Launch,
    pub(super) kernel: &'a Kernel,
    /// Tells it to stop.
    pub(super) stop: &'a AtomicBool,
}

#[derive(Default)]
struct State {
    /// The parts that have not begun, each in its place.
    waiting: Vec<Option<Waiting>>,
    /// Nobody before this place waits.
    next: usize,
    /// What has ended and was not told yet.
    ended: Vec<Finish>,
}

impl Lot {
    /// With room for so many.
    fn new(cores: Arc<[CoreId]>, kernels: Vec<Arc<Kernel>>, room: usize) -> Lot {
        let stops = (0..room).map(|_| AtomicBool::new(false)).collect();
        Lot { cores, kernels, stops, state: Mutex::default() }
    }

    fn fill(&self, waiting: Vec<Waiting>) {
        let mut state = self.state.lock();
        state.ended.reserve(waiting.len());
        state.waiting = waiting.into_iter().map(Some).collect();
    }

    /// Takes down what has `ended`, if something has, and says what begins now.
    pub(super) fn next(&self, ended: Option<Finish>) -> Option<Part<'_>> {
        let mut state = self.state.lock();
        let State { waiting, next, ended: all } = &mut *state;
        all.extend(ended);
        while let Some(place) = waiting.get_mut(*next) {
            let stop = &self.stops[*next];
            *next += 1;
            // What was withdrawn has left it empty.
            if let Some(Waiting { launch, kernel }) = place.take() {
                if let Some(Some(after)) = waiting.get(*next) {
                    // It comes from the cache of another core while this one runs.
                    prefetch(Arc::as_ptr(&after.launch.work).cast());
                    prefetch((&raw const after.launch.work.body).cast());
                }
                return Some(Part { launch, kernel: &*self.kernels[kernel], stop });
            }
        }
        None
    }

    /// Takes down what has ended, and begins nothing.
    pub(super) fn end(&self, ended: Option<Finish>) {
        self.state.lock().ended.extend(ended);
    }

    /// What has ended since this was asked last.
    pub(super) fn take_ended(&self) -> Vec<Finish> {
        std::mem::take(&mut self.state.lock().ended)
    }

    /// Takes out those that have not begun and are `wanted`.
    pub(super) fn withdraw(&self, wanted: impl Fn(&AttemptKey) -> bool) -> Vec<Launch> {
        let mut state = self.state.lock();
        let State { waiting, next, .. } = &mut *state;
        let places = waiting[*next..].iter_mut();
        let taken = places.filter_map(|place| place.take_if(|one| wanted(&one.launch.key)));
        taken.map(|one| one.launch).collect()
    }
}

/// The kernels that run or wait, each with its lot and its place in that.
#[derive(Default)]
pub(super) struct Kernels(FxHashMap<AttemptKey, (Arc<Lot>, usize)>);

impl Kernels {
    /// Makes a lot of those that neither run nor wait already, if there are any.
    pub(super) fn open(&mut self, draft: Draft) -> Option<Arc<Lot>> {
        let Draft { mut waiting, kernels } = draft;
        let cores = Arc::clone(&waiting.first()?.launch.cores);
        let lot = Arc::new(Lot::new(cores, kernels, waiting.len()));
        let mut place = 0;
        waiting.retain(|one| match self.0.entry(one.launch.key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert((Arc::clone(&lot), place));
                place += 1;
                true
            }
        });
        let is_any_left = !waiting.is_empty();
        lot.fill(waiting);
        is_any_left.then_some(lot)
    }

    pub(super) fn remove<'a>(&mut self, keys: impl IntoIterator<Item = &'a AttemptKey>) {
        keys.into_iter().for_each(|key| _ = self.0.remove(key));
    }

    pub(super) fn stop(&self, key: &AttemptKey) -> Option<&AtomicBool> {
        self.0.get(key).map(|(lot, place)| &lot.stops[*place])
    }

    pub(super) fn stops(&self) -> impl Iterator<Item = &AtomicBool> {
        self.0.values().map(|(lot, place)| &lot.stops[*place])
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
