//! The limit of waking somebody up: one thread that is parked until it has something to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

use evenkeel::bench::latency::Stamp;

/// What it is called in a table.
pub(crate) const NAME: &str = "park and unpark";

/// A task with the thread that has brought it.
type Slot = Mutex<Option<(Stamp, Thread)>>;

/// Submits and sleeps until the task has run.
pub(crate) fn blocking() -> impl FnMut(&Stamp) {
    let parked = Parked::start();
    move |stamp| {
        parked.submit(stamp);
        while !stamp.is_marked() {
            thread::park();
        }
    }
}

/// Submits and does not wait.
pub(crate) fn computing() -> impl FnMut(&Stamp) {
    let parked = Parked::start();
    move |stamp| parked.submit(stamp)
}

struct Parked {
    slot: Arc<Slot>,
    thread: Thread,
}

impl Parked {
    fn start() -> Parked {
        let slot = Arc::new(Slot::default());
        let own = Arc::clone(&slot);
        let handle = thread::spawn(move || {
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
