//! Something to be run once, with its type and its lifetime erased, and who waits for it.

use std::ptr;

use super::sync::{AtomicPtr, Ordering};

/// How a job is run: by its address and by the one who runs it.
///
/// # Safety
/// The job is there, is of the type that the function is for, and is run once.
pub(super) type Run<C> = unsafe fn(*const Job<C>, &C);

/// The head of every job, whatever follows it in memory. `C` runs it.
///
/// One word says how far it is. A job that is offered and taken back by the same thread costs one
/// store to it:
///
/// ```text
/// to be run (how) ──► taken (by whom) ─┬──────────────────────► done
///                                      └──► awaited (by whom) ──► done, and the waiter is told
/// ```
#[repr(C)]
pub(super) struct Job<C> {
    state: AtomicPtr<()>,
    run: std::marker::PhantomData<Run<C>>,
}

/// How far a job is, for the one who waits for it.
#[derive(Debug)]
pub(super) enum Progress<'a, C> {
    /// It lies somewhere, or whoever has it has not said so yet.
    Offered,
    /// This one runs it.
    Taken(&'a C),
    /// The waiter is entered, and is told when it is done.
    Awaited,
    /// It has been run, and what it did is visible.
    Done,
}

const DONE: *mut () = ptr::without_provenance_mut(1);

fn is_awaited(state: *mut ()) -> bool {
    state.addr() & 1 == 1
}

impl<C> Job<C> {
    /// A job that is run by `run`.
    #[inline]
    pub(super) fn new(run: Run<C>) -> Job<C> {
        Job { state: AtomicPtr::new(run as *mut ()), run: std::marker::PhantomData }
    }

    /// How to run it. The caller is the only one who may.
    pub(super) fn how(&self) -> Run<C> {
        let run = self.state.load(Ordering::Relaxed);
        // SAFETY: until it is run the state is what `new` made of such a function.
        unsafe { std::mem::transmute::<*mut (), Run<C>>(run) }
    }

    /// Makes a job that was taken one that can be offered again, in the same way or another. Nobody
    /// waits for it. To be called by the one who runs it.
    pub(super) fn renew(&self, run: Run<C>) {
        // Relaxed: who takes it next finds this by way of where it lies then.
        self.state.store(run as *mut (), Ordering::Relaxed);
    }

    /// Says that `by` runs it now, and how to; for a job whose maker is to find who has it.
    pub(super) fn take(&self, by: &C) -> Run<C> {
        let run = self.how();
        // Release: the waiter may look into `by`. Partner: `progress`.
        self.state.store(ptr::from_ref(by).cast_mut().cast(), Ordering::Release);
        run
    }

    /// How far it is, for the maker, who knows how it is run and does not run it itself.
    ///
    /// # Safety
    /// Whoever can take the job outlives `'a`.
    pub(super) unsafe fn progress<'a>(&self, run: Run<C>) -> Progress<'a, C> {
        // Partner: `take` and `finish`.
        let state = self.state.load(Ordering::Acquire);
        if state == DONE {
            Progress::Done
        } else if state == run as *mut () {
            Progress::Offered
        } else if is_awaited(state) {
            Progress::Awaited
        } else {
            // SAFETY: put there by `take`, from a reference to one that outlives `'a`.
            Progress::Taken(unsafe { &*state.cast::<C>() })
        }
    }

    /// Enters `waiter`, to be given back by `finish`. `false`: the job is done.
    ///
    /// The job was seen as taken by `by`.
    pub(super) fn enter(&self, by: &C, waiter: &C) -> bool {
        let by = ptr::from_ref(by).cast_mut().cast();
        let waiter = ptr::from_ref(waiter).cast_mut().cast::<()>().map_addr(|a| a | 1);
        // Release: `finish` hands out the waiter. Acquire: if it is done, it is visible.
        let entered = self.state.compare_exchange(by, waiter, Ordering::Release, Ordering::Acquire);
        entered.is_ok()
    }

    /// Says that a job that was taken is done, and gives back who waits for it, if anybody has
    /// entered.
    ///
    /// # Safety
    /// `this` is there until now. It may be gone before this returns: it is the last touch. What
    /// comes back is valid only if waiters are there longer than the jobs that they wait for.
    pub(super) unsafe fn finish(this: *const Job<C>) -> Option<*const C> {
        // SAFETY: the job is there until the waiter sees it done. Release: what it did is visible
        // then. Acquire: so is the waiter to us.
        let before = unsafe { &(*this).state }.swap(DONE, Ordering::AcqRel);
        is_awaited(before).then(|| before.map_addr(|a| a & !1).cast::<C>().cast_const())
    }
}
