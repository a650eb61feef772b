//! Threads that park, as those of the standard library do.

use std::cell::Cell;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};

use crate::steps;
use crate::weaken::left_out;

loom::thread_local! {
    static CURRENT: Thread = Thread(Arc::new(Inner {
        thread: loom::thread::current(),
        token: AtomicBool::new(false),
        parked: Cell::new(false),
    }));
}

/// Loom forgets the token of a thread that yields, and wakes it wherever it is blocked; hence a token
/// of our own.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Inner>);

struct Inner {
    thread: loom::thread::Thread,
    token: AtomicBool,
    parked: Cell<bool>,
}

// SAFETY: loom runs one thread at a time.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Thread {
    pub(crate) fn id(&self) -> loom::thread::ThreadId {
        self.0.thread.id()
    }

    #[track_caller]
    pub(crate) fn unpark(&self) {
        let place = Location::caller();
        steps::note(place);
        if !left_out(place, "wake-up") {
            self.give_token();
        }
    }

    fn give_token(&self) {
        self.0.token.swap(true, Ordering::Release);
        if self.0.parked.get() {
            self.0.thread.unpark();
        }
    }
}

pub(crate) fn current() -> Thread {
    CURRENT.with(Thread::clone)
}

#[track_caller]
pub(crate) fn park() {
    steps::note(Location::caller());
    let me = current().0;
    while !me.token.swap(false, Ordering::Acquire) {
        me.parked.set(true);
        loom::thread::park();
        me.parked.set(false);
    }
}

/// Time passes while all others wait.
pub(crate) fn park_timeout(_: Duration) {
    loom::thread::yield_now();
}

/// A thread of the model, for the one who has made it.
pub(crate) struct JoinHandle<T>(Arc<End<T>>);

struct End<T> {
    is_there: AtomicBool,
    result: Mutex<Option<T>>,
}

/// Starts a thread with room for the frames of a debug build.
pub(crate) fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    let end = Arc::new(End { is_there: AtomicBool::new(false), result: Mutex::new(None) });
    let maker = current();
    let run = Handed({
        let end = Arc::clone(&end);
        move || {
            *end.result.lock().unwrap() = Some(body());
            end.is_there.store(true, Ordering::Release);
            maker.give_token();
        }
    });
    let builder = loom::thread::Builder::new().stack_size(1 << 16);
    let started = builder.spawn(move || run.take()());
    started.expect("loom starts threads or panics");
    JoinHandle(end)
}

/// What goes to another thread.
struct Handed<T>(T);

// SAFETY: loom runs one thread at a time. That they do not get in each other's way is what is tried.
unsafe impl<T> Send for Handed<T> {}

impl<T> Handed<T> {
    fn take(self) -> T {
        self.0
    }
}

impl<T> JoinHandle<T> {
    /// Waits for the end. (That of loom writes to standard error.)
    pub(crate) fn join(self) -> T {
        while !self.0.is_there.load(Ordering::Acquire) {
            park();
        }
        self.0.result.lock().unwrap().take().expect("it has ended")
    }
}
