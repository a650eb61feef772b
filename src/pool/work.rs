//! Closures as jobs.

use std::any::Any;
use std::cell::UnsafeCell;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use super::context::Context;
use super::deque::Entry;
use super::job::{self, Run};
use super::sync::Mutex;

pub(super) type Job = job::Job<Context>;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

/// Runs `body` and catches its panic. What it leaves behind is dropped or handed to whoever
/// resumes the panic, hence the assertion.
#[inline]
pub(super) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
    panic::catch_unwind(AssertUnwindSafe(body))
}

/// Drops a payload that nobody will see, and does not let it panic again in doing so.
pub(super) fn discard(payload: Payload) {
    if let Err(again) = catch(|| drop(payload)) {
        mem::forget(again);
    }
}

/// The first panic of many closures.
#[derive(Default)]
pub(super) struct FirstPanic(Mutex<Option<Payload>>);

impl FirstPanic {
    /// Runs `body`; its panic is kept if it is the first.
    #[inline]
    pub(super) fn keep<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        catch(body).map_err(|payload| self.put(payload)).ok()
    }

    #[cold]
    fn put(&self, payload: Payload) {
        let mut first = self.0.lock();
        if first.is_none() {
            *first = Some(payload);
        } else {
            drop(first);
            discard(payload);
        }
    }

    /// What was kept.
    pub(super) fn take(&self) -> Option<Payload> {
        self.0.lock().take()
    }
}

/// A job on its way to whoever takes it from a list, to be run once.
///
/// A small closure travels as it is, and becomes a job in the memory of the worker that takes it.
/// So no memory is asked for by one thread and given back by another, which costs more than all the
/// rest. Dropping it without running it leaks what the closure owns; the pool runs all of it before
/// its threads end.
#[must_use]
pub(super) struct Work {
    unpack: unsafe fn(&Room, &Context) -> Entry,
    room: Room,
}

/// For a closure, or an address.
type Room = MaybeUninit<[*mut (); 6]>;

// SAFETY: the makers below demand closures that are `Send`, or what may be run by anybody.
unsafe impl Send for Work {}

impl Work {
    /// `body`, with nobody who waits for it.
    ///
    /// # Safety
    /// What `body` borrows must outlive the run, and `body` must not unwind.
    pub(super) unsafe fn new<F: FnOnce(&Context) + Send>(body: F) -> Work {
        unsafe fn small<F: FnOnce(&Context) + Send>(room: &Room, cx: &Context) -> Entry {
            // SAFETY: `carry` has put it there, and work is unpacked once. For the rest see `new`.
            unsafe { hold(cx, room.as_ptr().cast::<F>().read()) }
        }
        unsafe fn large<F: FnOnce(&Context) + Send>(room: &Room, cx: &Context) -> Entry {
            // SAFETY: as above.
            let body = unsafe { room.as_ptr().cast::<Box<F>>().read() };
            // SAFETY: as above.
            unsafe { hold(cx, move |cx: &Context| body(cx)) }
        }
        if size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>() {
            Work::carry(body, small::<F>)
        } else {
            Work::carry(Box::new(body), large::<F>)
        }
    }

    /// What a deque would hold.
    ///
    /// # Safety
    /// It may be run by any member of the teams that it is given to, and is there until then.
    pub(super) unsafe fn of(entry: Entry) -> Work {
        // SAFETY: `carry` has put it there.
        Work::carry(entry, |room, _| unsafe { room.as_ptr().cast::<Entry>().read() })
    }

    fn carry<T>(value: T, unpack: unsafe fn(&Room, &Context) -> Entry) -> Work {
        debug_assert!(size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>());
        let mut room = Room::uninit();
        // SAFETY: there is room for it, as it is aligned.
        unsafe { room.as_mut_ptr().cast::<T>().write(value) };
        Work { unpack, room }
    }

    /// What to run, for a worker that is going to do so.
    pub(super) fn unpack(self, cx: &Context) -> Entry {
        // SAFETY: it is of the very type that was put there, and unpacked once.
        unsafe { (self.unpack)(&self.room, cx) }
    }
}

/// `body` as a job in memory of `cx`, to be run once; nobody waits for it.
///
/// # Safety
/// What `body` borrows must outlive the run, and `body` must not unwind. It is run by a member of the
/// team that `cx` is in.
pub(super) unsafe fn hold<F: FnOnce(&Context) + Send>(cx: &Context, body: F) -> Entry {
    unsafe fn run<F: FnOnce(&Context)>(this: *const Job, cx: &Context) {
        // SAFETY: `this` is of this very type, and work is run once. It was put there by a
        // member of the same team, so its slab is there. The block is free before the body starts:
        // a body may end its own scope.
        let held = unsafe { cx.slab.lift(this.cast::<Held<F>>().cast_mut()) };
        (held.body)(cx);
    }
    // SAFETY: a reference to a context is had only by its own worker. Its slab lies in the
    // team, which is there until all its work has been run.
    let held = unsafe { cx.slab.put(Held { job: Job::new(run::<F>), body }) };
    Entry::new(held.cast(), true)
}

/// A closure that nobody waits for, behind its head.
#[repr(C)]
struct Held<F> {
    job: Job,
    body: F,
}

/// A closure that lies in the stack frame of whoever waits for its result.
#[repr(C)]
pub(super) struct StackWork<F, R> {
    job: Job,
    body: UnsafeCell<ManuallyDrop<F>>,
    result: UnsafeCell<MaybeUninit<thread::Result<R>>>,
}

impl<F: FnOnce(&Context) -> R, R> StackWork<F, R> {
    #[inline]
    pub(super) fn new(body: F) -> StackWork<F, R> {
        StackWork {
            job: Job::new(Self::run),
            body: UnsafeCell::new(ManuallyDrop::new(body)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// How it is run.
    pub(super) const HOW: Run<Context> = Self::run;

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    /// A handle to be run elsewhere.
    ///
    /// # Safety
    /// `self` must neither move nor go before it is done, or the handle has come back without
    /// having been run. `F` and `R` may go to another thread.
    #[inline]
    pub(super) unsafe fn entry(&self) -> Entry {
        Entry::new((&raw const *self).cast_mut().cast(), false)
    }

    unsafe fn run(this: *const Job, cx: &Context) {
        let this = this.cast::<Self>();
        // SAFETY: until the job is finished the frame is there, and only the one who has taken
        // it, who is here, touches body and result. No reference lives on past `finish`.
        let waiter = unsafe {
            let body = (*this).take_body();
            (*(*this).result.get()).write(catch(|| body(cx)));
            Job::finish(&raw const (*this).job)
        };
        if let Some(waiter) = waiter {
            // SAFETY: who waits is a member of the same team as the caller, and members live as
            // long as their team.
            unsafe { &*waiter }.wake();
        }
    }

    /// The closure.
    ///
    /// # Safety
    /// The handle has come back without having been run, and this is the first call.
    #[inline]
    pub(super) unsafe fn take_body(&self) -> F {
        // SAFETY: so nobody else has it, or has had it.
        unsafe { ManuallyDrop::take(&mut *self.body.get()) }
    }

    /// What the closure gave back, or its panic.
    ///
    /// # Safety
    /// The job is done, and this is the first call.
    pub(super) unsafe fn take_result(&self) -> thread::Result<R> {
        // SAFETY: `run` has written it, and will not touch it again.
        unsafe { (*self.result.get()).assume_init_read() }
    }
}
