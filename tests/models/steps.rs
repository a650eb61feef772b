//! The schedule that is being tried, for when it fails.

use std::cell::RefCell;
use std::panic::Location;
use std::thread::panicking;

use loom::thread::{ThreadId, current};

thread_local! {
    static STEPS: RefCell<Vec<(ThreadId, &'static Location<'static>)>> =
        const { RefCell::new(Vec::new()) };
}

/// The calling thread of the model is about to do what stands there.
pub(crate) fn note(place: &'static Location<'static>) {
    STEPS.with_borrow_mut(|steps| steps.push((current().id(), place)));
}

/// Another schedule begins.
pub(crate) fn clear() {
    STEPS.with_borrow_mut(Vec::clear);
}

/// Prints the last schedule if it has failed.
pub(crate) struct Shown;

impl Drop for Shown {
    fn drop(&mut self) {
        if panicking() {
            STEPS.with_borrow(|steps| {
                steps.iter().for_each(|(thread, place)| println!("{thread:?} at {place}"));
            });
        }
    }
}
