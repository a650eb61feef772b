//! What the models build the pool's protocols of: the same names as in `src/pool/sync.rs`, but
//! loom decides who runs when and which of the values that it may see a load sees.

use std::panic::Location;
use std::thread::panicking;

use loom::sync::atomic as model;

use crate::weaken::{left_out, weakened};

pub(crate) use std::sync::atomic::Ordering;

/// Has loom try all orders of what is done with one atomic.
///
/// Of the reads of an atomic loom remembers only the last, whoever it was by. So it does not see
/// that a thread which reads and then writes could have written before another read. To count as
/// two that must be tried both ways, all are writes here, of something that nobody looks at.
struct Turn(model::AtomicUsize);

impl Turn {
    #[track_caller]
    fn new() -> Turn {
        Turn(model::AtomicUsize::new(0))
    }

    #[track_caller]
    fn take(&self) {
        self.0.fetch_add(0, Ordering::Relaxed);
    }
}

/// An atomic that may be weakened where it is called, and that takes care of its own end: who
/// drops it must have seen all that was done with it.
macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty, |$last:ident| $look:expr) => {
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
                self.turn.take();
                self.value.load(weakened(Location::caller(), order))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.turn.take();
                self.value.store(value, weakened(Location::caller(), order));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                let place = Location::caller();
                let order = weakened(place, order);
                self.turn.take();
                if left_out(place, "atomicity") {
                    let before = self.value.load(Ordering::Acquire);
                    self.turn.take();
                    self.value.store(value, Ordering::Release);
                    return before;
                }
                self.value.swap(value, order)
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
                let failure = match failure {
                    Ordering::Acquire if left_out(place, "acquire on failure") => {
                        Ordering::Relaxed
                    }
                    failure => failure,
                };
                self.turn.take();
                if left_out(place, "comparison") {
                    return Ok(self.value.swap(after, success));
                }
                self.value.compare_exchange(before, after, success, failure)
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

// SAFETY: nobody else can be there; and loom sees whether anybody still is.
atomic!(AtomicBool, bool, |last| unsafe { last.unsync_load() });
atomic!(AtomicUsize, usize, |last| last.with_mut(|_| ()));
atomic!(AtomicU64, u64, |last| last.with_mut(|_| ()));
atomic!(AtomicPtr<T>, *mut T, |last| last.with_mut(|_| ()));

impl AtomicU64 {
    #[track_caller]
    pub(crate) fn fetch_add(&self, n: u64, order: Ordering) -> u64 {
        let order = weakened(Location::caller(), order);
        self.turn.take();
        self.value.fetch_add(n, order)
    }

    #[track_caller]
    pub(crate) fn fetch_max(&self, n: u64, order: Ordering) -> u64 {
        let place = Location::caller();
        let order = weakened(place, order);
        self.turn.take();
        if left_out(place, "comparison") {
            return self.value.swap(n, order);
        }
        self.value.fetch_max(n, order)
    }
}

loom::lazy_static! {
    static ref BARRIER: Barrier = Barrier::default();
}

/// The asymmetric fence, as `membarrier` has it: at some moment within [`heavy`] each of the other
/// threads passes a full fence, wherever it is. So either what came before [`light`] is seen after
/// `heavy`, or what came before `heavy` is seen after `light`; between two that pass `light`
/// nothing is seen.
#[derive(Default)]
struct Barrier {
    lights: model::AtomicUsize,
    heavies: model::AtomicUsize,
}

#[track_caller]
pub(crate) fn light() {
    if !left_out(Location::caller(), "light fence") {
        BARRIER.lights.fetch_add(1, Ordering::Release);
        BARRIER.heavies.fetch_add(0, Ordering::Acquire);
    }
}

#[track_caller]
pub(crate) fn heavy() -> bool {
    if !left_out(Location::caller(), "heavy fence") {
        model::fence(Ordering::SeqCst);
        BARRIER.heavies.fetch_add(1, Ordering::Release);
        BARRIER.lights.fetch_add(0, Ordering::Acquire);
    }
    true
}

/// Has the barrier be there from the beginning.
pub(crate) fn set_up() {
    BARRIER.lights.fetch_add(0, Ordering::Relaxed);
}

pub(crate) mod thread {
    //! Threads that park, as those of the standard library do.

    use std::time::Duration;

    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};

    loom::thread_local! {
        static CURRENT: Thread = Thread {
            thread: loom::thread::current(),
            token: Arc::new(AtomicBool::new(false)),
        };
    }

    /// Loom forgets the token of a thread that yields, hence one of our own.
    #[derive(Clone)]
    pub(crate) struct Thread {
        thread: loom::thread::Thread,
        token: Arc<AtomicBool>,
    }

    impl Thread {
        pub(crate) fn id(&self) -> loom::thread::ThreadId {
            self.thread.id()
        }

        pub(crate) fn unpark(&self) {
            self.token.swap(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        while !current().token.swap(false, Ordering::Acquire) {
            loom::thread::park();
        }
    }

    /// Time passes while all others wait.
    pub(crate) fn park_timeout(_: Duration) {
        loom::thread::yield_now();
    }
}
