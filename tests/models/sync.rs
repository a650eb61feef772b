//! What the models build the pool's protocols of: the same names as in `src/pool/sync.rs`, but
//! loom decides who runs when, and which of the values that it may see a load sees.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr;
use std::thread::panicking;

use loom::sync::atomic as model;

use crate::steps;
use crate::weaken::{left_out, weakened};

pub(crate) use std::sync::atomic::Ordering;

/// Has loom try all orders of what is done with one atomic.
///
/// Of the reads of an atomic loom remembers the last one only, whoever it was by. So it does not
/// see that a thread which reads and then writes could have written before another's read. Two
/// accesses that are to be tried both ways must be writes; here they are, of something that nobody
/// looks at.
struct Turn(model::AtomicUsize);

impl Turn {
    fn new() -> Turn {
        Turn(model::AtomicUsize::new(0))
    }

    #[track_caller]
    fn take(&self) {
        steps::note(Location::caller());
        self.0.fetch_add(0, Ordering::Relaxed);
    }

    /// Does what there is only one way to do.
    #[track_caller]
    fn take_alone<R>(&self, access: impl FnOnce() -> R) -> R {
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
    ($name:ident $(<$t:ident>)?, $value:ty, $first:expr, |$last:ident| $look:expr) => {
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
                    // So that loom has it come after all others that came before; it knows of no
                    // order between stores else.
                    let _ = self.value.fetch_update(order, Ordering::Relaxed, |_| None);
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

// SAFETY: nobody else can be there; and loom sees whether anybody still is.
atomic!(AtomicBool, bool, false, |last| unsafe { last.unsync_load() });
atomic!(AtomicUsize, usize, 0, |last| last.with_mut(|_| ()));
atomic!(AtomicU64, u64, 0, |last| last.with_mut(|_| ()));
atomic!(AtomicPtr<T>, *mut T, ptr::null_mut(), |last| last.with_mut(|_| ()));

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
        let locked = &self.locked.value;
        let order = (Ordering::Acquire, Ordering::Relaxed);
        while locked.compare_exchange(false, true, order.0, order.1).is_err() {
            self.waiters.borrow_mut().push(loom::thread::current());
            loom::thread::park();
        }
        Guard(self)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
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
            self.0.locked.value.swap(false, Ordering::Release);
            self.0.waiters.take().iter().for_each(loom::thread::Thread::unpark);
        }
    }
}

loom::lazy_static! {
    static ref BARRIER: Barrier = Barrier::default();
}

/// The asymmetric fence, as `membarrier` has it: at some moment of [`heavy`] each of the other
/// threads passes a full fence, wherever it is. So either what came before [`light`] is seen after
/// `heavy`, or what came before `heavy` is seen after `light`; between two that pass `light`
/// nothing is seen.
struct Barrier {
    turn: Turn,
    lights: model::AtomicUsize,
    heavies: model::AtomicUsize,
}

impl Default for Barrier {
    fn default() -> Barrier {
        let count = || model::AtomicUsize::new(0);
        Barrier { turn: Turn::new(), lights: count(), heavies: count() }
    }
}

#[track_caller]
pub(crate) fn light() {
    if !left_out(Location::caller(), "light fence") {
        BARRIER.turn.take_alone(|| {
            BARRIER.lights.fetch_add(1, Ordering::Release);
            BARRIER.heavies.fetch_add(0, Ordering::Acquire);
        });
    }
}

#[track_caller]
pub(crate) fn heavy() -> bool {
    if !left_out(Location::caller(), "heavy fence") {
        BARRIER.turn.take_alone(|| {
            BARRIER.heavies.fetch_add(1, Ordering::AcqRel);
            BARRIER.lights.fetch_add(0, Ordering::Acquire);
        });
    }
    true
}

/// Has the barrier be there from the beginning.
pub(crate) fn set_up() {
    BARRIER.turn.take();
}

/// A thread-local cell with what the standard library's has and loom's has not.
pub(crate) struct Local<T: 'static>(pub(crate) &'static loom::thread::LocalKey<Cell<T>>);

impl<T: Copy> Local<T> {
    pub(crate) fn get(&'static self) -> T {
        self.0.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.0.with(|cell| cell.set(value));
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.0.with(|cell| cell.replace(value))
    }
}

macro_rules! local {
    ($(#[$doc:meta])* static $name:ident: Cell<$t:ty> = $first:expr;) => {
        $(#[$doc])*
        static $name: crate::sync::Local<$t> = {
            loom::thread_local! { static KEY: Cell<$t> = $first }
            crate::sync::Local(&KEY)
        };
    };
}

pub(crate) use local as thread_local;

pub(crate) mod thread {
    //! Threads that park, as those of the standard library do.

    use std::panic::Location;
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::atomic::{AtomicBool, Ordering};

    use crate::steps;

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

        #[track_caller]
        pub(crate) fn unpark(&self) {
            steps::note(Location::caller());
            self.token.swap(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    #[track_caller]
    pub(crate) fn park() {
        steps::note(Location::caller());
        while !current().token.swap(false, Ordering::Acquire) {
            loom::thread::park();
        }
    }

    /// Time passes while all others wait.
    pub(crate) fn park_timeout(_: Duration) {
        loom::thread::yield_now();
    }
}
