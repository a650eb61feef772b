//! The schedule that is being tried, for when it fails.

use std::cell::RefCell;
use std::panic::{self, Location};
use std::sync::Once;

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

/// Has the schedule printed when it fails; at once, since what is dropped after that may end the
/// process.
pub(crate) fn show_on_failure() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |failure| {
            for (thread, place) in STEPS.take() {
                println!("{thread:?} at {place}");
            }
            before(failure);
        }));
    });
}
