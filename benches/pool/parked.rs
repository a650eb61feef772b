//! The limit of waking somebody up: a thread that is parked until it has something to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

use core_affinity::CoreId;
use evenkeel::bench::latency::Stamp;

/// What it is called in a table.
pub(crate) const NAME: &str = "park and unpark";

/// What it is called where the thread never takes the submitter's own core.
pub(crate) const ELSEWHERE: &str = "the same, other core";

/// A task with the thread that has brought it.
type Slot = Mutex<Option<(Stamp, Thread)>>;

/// Submits and sleeps until the task has run.
pub(crate) fn blocking() -> impl FnMut(&Stamp) {
    let parked = Parked::start(None);
    move |stamp| {
        parked.submit(stamp);
        while !stamp.is_marked() {
            thread::park();
        }
    }
}

/// Submits and does not wait. The system may well interrupt the submitter for the thread.
pub(crate) fn computing() -> impl FnMut(&Stamp) {
    let parked = Parked::start(None);
    move |stamp| parked.submit(stamp)
}

/// As [`computing`], by a thread on another core than the submitter, which so goes on. `None`: there
/// is one core alone, or the system does not say which is which.
pub(crate) fn elsewhere() -> Option<impl FnMut(&Stamp)> {
    current_core()?;
    let cores = core_affinity::get_core_ids()?;
    let on_each: Vec<(CoreId, Parked)> =
        cores.into_iter().map(|core| (core, Parked::start(Some(core)))).collect();
    (on_each.len() > 1).then_some(move |stamp: &Stamp| {
        let here = current_core();
        let other = on_each.iter().find(|(core, _)| Some(core.id) != here);
        if let Some((_, parked)) = other {
            parked.submit(stamp);
        }
    })
}

#[cfg(target_os = "linux")]
fn current_core() -> Option<usize> {
    Some(rustix::thread::sched_getcpu())
}

#[cfg(not(target_os = "linux"))]
fn current_core() -> Option<usize> {
    None
}

struct Parked {
    slot: Arc<Slot>,
    thread: Thread,
}

impl Parked {
    /// On that core alone, where one is named.
    fn start(core: Option<CoreId>) -> Parked {
        let slot = Arc::new(Slot::default());
        let own = Arc::clone(&slot);
        let handle = thread::spawn(move || {
            core.map(core_affinity::set_for_current);
            // Until nobody is left who could bring anything.
            while Arc::strong_count(&own) > 1 {
                let task = own.lock().unwrap_or_else(PoisonError::into_inner).take();
                match task {
                    Some((stamp, submitter)) => {
                        stamp.mark();
                        submitter.unpark();
                    }
                    None => thread::park(),
                }
            }
        });
        Parked { slot, thread: handle.thread().clone() }
    }

    fn submit(&self, stamp: &Stamp) {
        let task = Some((stamp.clone(), thread::current()));
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = task;
        self.thread.unpark();
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.slot = Arc::default();
        self.thread.unpark();
    }
}
