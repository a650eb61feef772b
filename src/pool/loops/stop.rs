//! Why a loop does not go on to its end.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::pool::cancel::Cancellation;

/// Whether no more of a loop is to be begun.
pub(super) struct Stop<'a> {
    panicked: AtomicBool,
    cancellation: Option<&'a Cancellation>,
}

impl<'a> Stop<'a> {
    pub(super) fn new(cancellation: Option<&'a Cancellation>) -> Stop<'a> {
        Stop { panicked: AtomicBool::new(false), cancellation }
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        // Relaxed: seen late, a little more is begun.
        self.panicked.load(Ordering::Relaxed)
            || self.cancellation.is_some_and(Cancellation::is_cancelled)
    }

    /// Whether others than those who take part may set it.
    pub(super) fn is_open(&self) -> bool {
        self.cancellation.is_some()
    }

    /// Runs part of the loop; sets it if that panics.
    pub(super) fn watch<R>(&self, part: impl FnOnce() -> R) -> R {
        struct Guard<'a>(&'a AtomicBool);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let guard = Guard(&self.panicked);
        let result = part();
        mem::forget(guard);
        result
    }
}
