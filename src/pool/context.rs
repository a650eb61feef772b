//! A worker's place in its team: what running code splits its work up by.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use super::deque::{Deque, Entry};
use super::post::Post;
use super::slab::Slab;
use super::sleep::Waker;
use super::sync::thread::Thread;
use super::sync::{AtomicPtr, Mutex, Ordering, thread_local};
use super::team::{SLOTS, Team};
use super::work::Job;

thread_local! {
    /// The innermost place of this thread; null outside any pool.
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

/// The calling worker, as the code that it runs sees it.
///
/// Handed down from [`Pool::run`](super::Pool::run) to all that is split off by
/// [`join`](Context::join), it saves each of them the way over thread-local storage.
#[repr(C)]
pub struct Context {
    pub(super) deque: Deque,
    pub(super) slab: Slab,
    seat: usize,
    /// The team that the worker is in; set with the post.
    team: Cell<*const Team>,
    /// What belongs to the worker while it is here; null while it is not.
    post: Cell<*const Post>,
    /// Who runs what this worker waits for; null if it does not wait.
    pub(super) awaits: AtomicPtr<Context>,
    /// One that waits for work that this worker has taken, and would take some of it back.
    pub(super) follower: AtomicPtr<Context>,
    /// Who was here last.
    thread: Mutex<Option<Thread>>,
    /// Whether it must not take up what is not its own while it waits.
    isolated: Cell<bool>,
    /// It stays with the thread that it was given to.
    pinned: PhantomData<*const ()>,
}

// SAFETY: to other threads the room gives only references by which it calls the deque's methods
// for everybody, `wake` and `awaits`, which are atomics. Users get references on the worker's own
// thread alone, and cannot send them.
unsafe impl Sync for Seated {}
// SAFETY: as above; the worker that comes next finds no post and an empty deque.
unsafe impl Send for Seated {}

/// A context in its team, to be reached by all of it.
pub(super) struct Seated(Context);

impl Seated {
    pub(super) fn new(seat: usize) -> Seated {
        Seated(Context {
            deque: Deque::new(),
            slab: Slab::new(),
            seat,
            team: Cell::new(ptr::null()),
            post: Cell::new(ptr::null()),
            awaits: AtomicPtr::new(ptr::null_mut()),
            follower: AtomicPtr::new(ptr::null_mut()),
            thread: Mutex::new(None),
            isolated: Cell::new(false),
            pinned: PhantomData,
        })
    }

    pub(super) fn deque(&self) -> &Deque {
        &self.0.deque
    }

    /// Makes the calling thread the one that works here until the guard goes.
    ///
    /// # Safety
    /// Only one thread is here at a time, and what one has left is visible to the next.
    pub(super) unsafe fn enter<'a>(&'a self, post: &'a Post) -> Entered<'a> {
        let cx = &self.0;
        *cx.thread.lock() = Some(post.thread().clone());
        // SAFETY: the caller is the only one here.
        unsafe { cx.deque.own(SLOTS) };
        cx.post.set(post);
        cx.team.set(Arc::as_ptr(post.team()));
        Entered { before: CURRENT.replace(cx), cx }
    }
}

/// Takes a worker out of its place when it leaves it.
pub(super) struct Entered<'a> {
    before: *const Context,
    pub(super) cx: &'a Context,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        self.cx.post.set(ptr::null());
    }
}

impl Context {
    /// Calls `body` with the context of the calling thread, if it is a worker's.
    #[inline]
    pub(super) fn with<R>(body: impl FnOnce(Option<&Context>) -> R) -> R {
        let cx = CURRENT.get();
        // SAFETY: null, or set by `enter`, whose guard lives in a frame further down this
        // thread's stack and takes it back before it goes. That frame cannot go while `body` runs
        // above it, and the reference cannot leave `body`.
        body(unsafe { cx.as_ref() })
    }

    pub(super) fn post(&self) -> &Post {
        // SAFETY: a context is at hand only between `enter` and the end of its guard, which holds
        // the post.
        unsafe { &*self.post.get() }
    }

    /// The team that this worker is in.
    #[inline]
    pub(super) fn team(&self) -> &Team {
        // SAFETY: as in `post`, which holds the team too.
        unsafe { &*self.team.get() }
    }

    /// Which member of the team this worker is.
    #[inline]
    pub(super) fn seat(&self) -> usize {
        self.seat
    }

    /// Runs `work`; whatever waits in it runs nothing meanwhile but what was split off or spawned
    /// by what it waits for, or by itself.
    ///
    /// [`join`](Context::join) never does anything else. A scope, or an
    /// [`install`](super::Pool::install) into another pool, lets its worker take up any work of
    /// the team. That is wrong where `work` holds something that other work may want: a lock, an
    /// entry of a worker's own state.
    pub fn isolate<R>(&self, work: impl FnOnce(&Context) -> R) -> R {
        /// Puts it back, also in a panic.
        struct Before<'a>(&'a Cell<bool>, bool);
        impl Drop for Before<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _before = Before(&self.isolated, self.isolated.replace(true));
        work(self)
    }

    pub(super) fn is_isolated(&self) -> bool {
        self.isolated.get()
    }

    /// Offers a job to the team; it lies on top of this worker's deque.
    #[inline]
    pub(super) fn offer(&self, entry: Entry) {
        // SAFETY: the caller is on the thread of this context.
        if unsafe { self.deque.push(entry) } {
            self.attend();
        }
    }

    /// Answers those who ask for work.
    #[cold]
    pub(super) fn attend(&self) {
        // SAFETY: the caller is on the thread of this context.
        if unsafe { self.deque.attend() } {
            // Relaxed, and an exchange so that none is lost that enters just now. Partner:
            // `park_behind`.
            let follower = self.follower.swap(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: null or a member of the same team; they live as long as it.
            if let Some(follower) = unsafe { follower.as_ref() } {
                follower.wake();
            }
            // Those that sleep on have asked too.
            if self.team().sleep().wake_one(Waker::GoesOn) {
                self.deque.ask();
            }
        }
    }

    /// In the middle of a long piece of work: if others ask for some, and there is any that they
    /// do not see yet, lets them have it.
    #[inline]
    pub(super) fn answer(&self) {
        if self.deque.is_asked() && self.deque.has_private() {
            self.attend();
        }
    }

    /// In the middle of a long piece of work: whether others ask for some and there is none for
    /// them.
    pub(super) fn is_wanted(&self) -> bool {
        self.answer();
        self.deque.is_asked() && self.deque.is_exhausted()
    }

    /// Takes what lies on top of this worker's deque, at `base` or above.
    #[inline]
    pub(super) fn pop_above(&self, base: u64) -> Option<Entry> {
        self.answer();
        // SAFETY: the caller is on the thread of this context.
        if self.deque.head() > base { unsafe { self.deque.pop() } } else { None }
    }

    /// Runs what was on top of this worker's own deque.
    #[inline]
    pub(super) fn run(&self, entry: Entry) {
        let job = entry.address().cast_const().cast::<Job>();
        // SAFETY: all entries are of jobs, which are there until they are run, which is now.
        unsafe { (*job).how()(job, self) }
    }

    /// Runs what was taken from another or from a list: whoever waits for it finds this worker.
    pub(super) fn run_taken(&self, entry: Entry) {
        let job = entry.address().cast_const().cast::<Job>();
        self.post().counters().ran(1);
        // SAFETY: as in `run`.
        unsafe { (*job).take(self)(job, self) }
    }

    /// Makes the worker of this place look up, if it is parked.
    pub(super) fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}
