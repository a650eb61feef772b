//! A closure in the pool, with its type and its lifetime erased.

use std::any::Any;
use std::cell::UnsafeCell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use super::latch::Latch;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

/// Runs `body` and catches its panic. What it leaves behind is dropped or handed to whoever
/// resumes the panic, hence the assertion.
pub(super) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
    panic::catch_unwind(AssertUnwindSafe(body))
}

/// Drops a payload that nobody will see, and does not let it panic again in doing so.
pub(super) fn discard(payload: Payload) {
    if let Err(again) = catch(|| drop(payload)) {
        mem::forget(again);
    }
}

/// A closure that waits to be run, once, by whoever holds this.
///
/// Dropping it without running it leaks what is on the heap; the pool runs all of it before
/// its threads end.
#[must_use]
pub(super) struct Work {
    this: *const (),
    run: unsafe fn(*const ()),
}

// SAFETY: both makers below demand closures that are `Send`.
unsafe impl Send for Work {}

impl Work {
    /// Boxes `body`.
    ///
    /// # Safety
    /// What `body` borrows must outlive the run, and `body` must not unwind.
    pub(super) unsafe fn boxed<F: FnOnce() + Send>(body: F) -> Work {
        unsafe fn run<F: FnOnce()>(this: *const ()) {
            // SAFETY: `this` came out of `Box::into_raw` as this very type, and work is run
            // once. The box is gone before the body starts: a body may end its own scope.
            let body = *unsafe { Box::from_raw(this.cast::<F>().cast_mut()) };
            body();
        }
        Work { this: Box::into_raw(Box::new(body)).cast_const().cast(), run: run::<F> }
    }

    /// Runs it. Never unwinds.
    pub(super) fn run(self) {
        // SAFETY: the makers pair `this` with the function for its type, and taking `self` by
        // value makes this the only run.
        unsafe { (self.run)(self.this) }
    }
}

/// A closure that lies in the stack frame of whoever waits for its result.
pub(super) struct StackWork<F, R> {
    body: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<thread::Result<R>>>,
    latch: Latch,
}

impl<F: FnOnce() -> R + Send, R: Send> StackWork<F, R> {
    /// `body`, to be waited for by the calling thread.
    pub(super) fn new(body: F) -> StackWork<F, R> {
        StackWork {
            body: UnsafeCell::new(Some(body)),
            result: UnsafeCell::new(None),
            latch: Latch::for_this_thread(),
        }
    }

    /// What is set once the work has been run.
    pub(super) fn latch(&self) -> &Latch {
        &self.latch
    }

    /// A handle to be run elsewhere.
    ///
    /// # Safety
    /// Called at most once. `self` must neither move nor go until the latch is set or the
    /// handle has come back (see [`is_mine`](Self::is_mine)) and been dropped without running.
    pub(super) unsafe fn as_work(&self) -> Work {
        Work { this: (&raw const *self).cast(), run: Self::run }
    }

    /// Whether `work` is the handle of this. Boxed work never has the address of a frame.
    pub(super) fn is_mine(&self, work: &Work) -> bool {
        std::ptr::eq(work.this, (&raw const *self).cast())
    }

    /// Runs the work that `this` points to, leaves its result there and sets the latch.
    ///
    /// # Safety
    /// `this` comes from `as_work` and the contract there holds.
    unsafe fn run(this: *const ()) {
        let this = this.cast::<Self>();
        // SAFETY: until the latch is set the frame is there, and only the one holder of the
        // handle, who is here, touches body and result. No reference lives on past `set`.
        unsafe {
            let body = (&mut *(*this).body.get()).take();
            let body = body.expect("the one handle is run once");
            *(*this).result.get() = Some(catch(body));
            Latch::set(&raw const (*this).latch);
        }
    }

    /// The closure, not run, where the handle has come back.
    pub(super) fn into_body(self) -> F {
        self.body.into_inner().expect("the handle came back without having been run")
    }

    /// What the closure gave back, or its panic, after the latch was set.
    pub(super) fn into_result(self) -> thread::Result<R> {
        self.result.into_inner().expect("the latch is set after the result")
    }
}
