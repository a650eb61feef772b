//! Atomics that may be weakened where they are called.

use std::panic::Location;
use std::ptr;
use std::sync::atomic::Ordering;
use std::thread::panicking;

use loom::sync::atomic as model;

use crate::steps;
use crate::weaken::{left_out, weakened};

/// Has loom try all orders of what is done with one atomic.
///
/// Of the reads of an atomic loom remembers the last one only, whoever it was by. So it does not
/// see that a thread which reads and then writes could have written before another's read. Two
/// accesses that are to be tried both ways must be writes; here they are, of something that nobody
/// looks at.
pub(super) struct Turn(model::AtomicUsize);

impl Turn {
    pub(super) fn new() -> Turn {
        Turn(model::AtomicUsize::new(0))
    }

    #[track_caller]
    pub(super) fn take(&self) {
        steps::note(Location::caller());
        self.0.fetch_add(0, Ordering::Relaxed);
    }

    /// Does what there is only one way to do.
    #[track_caller]
    pub(super) fn take_alone<R>(&self, access: impl FnOnce() -> R) -> R {
        self.take();
        loom::stop_exploring();
        let result = access();
        loom::explore();
        result
    }
}

/// An atomic that may be weakened where it is called, and that takes care of its own end: who
/// drops it must have seen all that was done with it.
macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty, $first:expr, $never:expr, |$last:ident| $look:expr) => {
        pub(crate) struct $name $(<$t>)? {
            value: model::$name $(<$t>)?,
            turn: Turn,
        }

        impl $(<$t>)? $name $(<$t>)? {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self { value: model::$name::new(value), turn: Turn::new() }
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                if panicking() {
                    // Loom has ended already; what is dropped now need not be freed.
                    return $first;
                }
                self.turn.take();
                self.value.load(weakened(Location::caller(), order))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                let order = weakened(Location::caller(), order);
                self.turn.take_alone(|| {
                    // So that loom has it come after all others that came before, of which an
                    // exchange sees the last; it knows of no order between stores else.
                    let (never, relaxed) = ($never, Ordering::Relaxed);
                    let _ = self.value.compare_exchange(never, never, relaxed, relaxed);
                    self.value.store(value, order);
                });
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                let place = Location::caller();
                let order = weakened(place, order);
                if left_out(place, "atomicity") {
                    let before = self.load(Ordering::Acquire);
                    self.store(value, Ordering::Release);
                    return before;
                }
                self.turn.take_alone(|| self.value.swap(value, order))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                before: $value,
                after: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let place = Location::caller();
                let success = weakened(place, success);
                let keep = failure != Ordering::Acquire || !left_out(place, "acquire on failure");
                let failure = if keep { failure } else { Ordering::Relaxed };
                let compares = !left_out(place, "comparison");
                self.turn.take_alone(|| {
                    if compares {
                        self.value.compare_exchange(before, after, success, failure)
                    } else {
                        Ok(self.value.swap(after, success))
                    }
                })
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                before: $value,
                after: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(before, after, success, failure)
            }
        }

        impl $(<$t>)? Default for $name $(<$t>)? {
            fn default() -> Self {
                Self::new($first)
            }
        }

        impl $(<$t>)? Drop for $name $(<$t>)? {
            fn drop(&mut self) {
                let $last = &mut self.value;
                if !panicking() {
                    $look;
                }
            }
        }
    };
}

atomic!(AtomicBool, bool, false, true, |last| {
    // SAFETY: nobody else can be there; and loom sees whether anybody still is.
    unsafe { last.unsync_load() };
});
atomic!(AtomicUsize, usize, 0, usize::MAX, |last| last.with_mut(|_| ()));
atomic!(AtomicU64, u64, 0, u64::MAX, |last| last.with_mut(|_| ()));
atomic!(AtomicPtr<T>, *mut T, ptr::null_mut(), ptr::without_provenance_mut(usize::MAX), |last| {
    last.with_mut(|_| ());
});

impl AtomicU64 {
    #[track_caller]
    pub(crate) fn fetch_add(&self, n: u64, order: Ordering) -> u64 {
        let order = weakened(Location::caller(), order);
        self.turn.take_alone(|| self.value.fetch_add(n, order))
    }

    #[track_caller]
    pub(crate) fn fetch_max(&self, n: u64, order: Ordering) -> u64 {
        let place = Location::caller();
        let order = weakened(place, order);
        let compares = !left_out(place, "comparison");
        self.turn.take_alone(|| {
            if compares { self.value.fetch_max(n, order) } else { self.value.swap(n, order) }
        })
    }
}
