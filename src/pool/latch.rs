//! A flag that one thread waits for and another sets, once.

use super::sync::thread::{self, Thread};
use super::sync::{AtomicBool, Ordering};

/// Tells `waiter` that what it waits for has happened.
pub(super) struct Latch {
    set: AtomicBool,
    waiter: Thread,
}

impl Latch {
    /// A latch that is not set, for the calling thread to wait for.
    pub(super) fn for_this_thread() -> Latch {
        Latch { set: AtomicBool::new(false), waiter: thread::current() }
    }

    /// Whether it is set. If so, all that was done before the setting is visible.
    pub(super) fn is_set(&self) -> bool {
        // Partner: the store in `set`.
        self.set.load(Ordering::Acquire)
    }

    /// Blocks the thread that made the latch until it is set.
    pub(super) fn wait(&self) {
        debug_assert_eq!(thread::current().id(), self.waiter.id());
        while !self.is_set() {
            thread::park();
        }
    }

    /// Sets the latch and wakes its waiter.
    ///
    /// A pointer and not a reference, because the latch may cease to exist in the middle of
    /// this call: the waiter, which owns it, can see the flag at once and go on.
    ///
    /// # Safety
    /// `this` points to a latch that its waiter keeps alive at least until it sees it set.
    pub(super) unsafe fn set(this: *const Latch) {
        // SAFETY: the latch is not set yet, so by contract it is still there. The handle is
        // cloned first because nothing of the latch may be touched after the store.
        let waiter = unsafe { &*this }.waiter.clone();
        // SAFETY: as above. Release: partner is `is_set`.
        unsafe { &*this }.set.store(true, Ordering::Release);
        // Unconditional: a waiter that looked before the store finds the token and looks again.
        waiter.unpark();
    }
}
