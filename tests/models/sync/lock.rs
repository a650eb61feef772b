//! Locks.

use std::cell::{RefCell, UnsafeCell};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::thread::panicking;

use loom::sync::atomic::{AtomicBool, Ordering};

use crate::steps;

/// A lock that is not poisoned, as that of `parking_lot`. (That of loom writes to standard error.)
#[derive(Default)]
pub(crate) struct Mutex<T> {
    locked: AtomicBool,
    /// Those that have found it locked.
    waiters: RefCell<Vec<loom::thread::Thread>>,
    value: UnsafeCell<T>,
}

// SAFETY: who has locked it is alone with the value; and loom runs one thread at a time.
unsafe impl<T: Send> Sync for Mutex<T> {}

pub(crate) struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex { locked: AtomicBool::default(), waiters: RefCell::default(), value: value.into() }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        steps::note(Location::caller());
        let order = (Ordering::Acquire, Ordering::Relaxed);
        while self.locked.compare_exchange(false, true, order.0, order.1).is_err() {
            self.waiters.borrow_mut().push(loom::thread::current());
            loom::thread::park();
        }
        Guard(self)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        if !panicking() {
            // SAFETY: nobody else can be there; and loom sees whether anybody still is.
            unsafe { self.locked.unsync_load() };
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: as above.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        if !panicking() {
            self.0.locked.swap(false, Ordering::Release);
            self.0.waiters.take().iter().for_each(loom::thread::Thread::unpark);
        }
    }
}
