//! Any number of closures that may borrow, and a wait for all of them.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic;
use std::ptr::{self, NonNull};

use crossbeam::utils::CachePadded;

use super::cancel::Cancellation;
use super::context::Context;
use super::deque::Entry;
use super::list::Priority;
use super::sync::{AtomicPtr, Ordering};
use super::tally::Tally;
use super::team::Team;
use super::wait::Goal;
use super::work::{FirstPanic, Job, Work};

/// What closures are spawned into; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    /// The worker that runs the body and waits, and its team; both null outside any pool. They
    /// outlive the scope: its worker does not leave before it ends.
    worker: *const Context,
    team: *const Team,
    own: CachePadded<Own>,
    /// What others have; null as long as there was nothing.
    tally: AtomicPtr<Tally>,
    /// The first panic of any of them.
    panic: FirstPanic,
    // Both invariant: neither lifetime may be stretched or shrunk behind the waiting.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// What the own worker has begun and ended; touched by it alone. On cache lines of its own, since
/// others look at the rest of the scope with each closure that they run.
#[derive(Default)]
struct Own {
    begun: Cell<u64>,
    ended: Cell<u64>,
}

// SAFETY: the cells are touched by the own worker alone, and the addresses only compared, or
// used for what any member of a team may do.
unsafe impl Sync for Scope<'_, '_> {}
// SAFETY: as above. Nobody can move a scope, as all have it by reference.
unsafe impl Send for Scope<'_, '_> {}

/// Runs `body`, which may spawn closures that borrow what outlives this call, and returns when
/// `body` and all of them have ended.
///
/// `body` runs on the calling thread; what it spawns is run by the caller's team, the caller
/// included while it waits. Outside a pool each closure is run by [`Scope::spawn`] itself.
///
/// ```
/// use evenkeel::pool;
///
/// let pool = pool::Pool::builder().threads(2).build()?;
/// let (mut left, mut right) = (0, 0);
/// pool.install(|| {
///     pool::scope(|s| {
///         s.spawn(|| left = 3);
///         s.spawn(|| right = 4);
///     });
/// });
/// assert_eq!((left, right), (3, 4));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If `body` or a spawned closure panics, the first such panic goes on here after all have
/// ended. The others are not cut short by it.
pub fn scope<'env, R>(body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R) -> R {
    Context::with(|cx| {
        let scope = Scope {
            worker: cx.map_or(ptr::null(), ptr::from_ref),
            team: cx.map_or(ptr::null(), |cx| ptr::from_ref(cx.team())),
            own: CachePadded::default(),
            tally: AtomicPtr::new(ptr::null_mut()),
            panic: FirstPanic::default(),
            scope: PhantomData,
            env: PhantomData,
        };
        let base = cx.map_or(0, |cx| cx.deque.head());
        let result = scope.panic.keep(|| body(&scope));
        if let Some(cx) = cx {
            cx.help_until(base, &scope);
            scope.give_tally_back();
        }
        let payload = scope.panic.take();
        match (result, payload) {
            (Some(result), None) => result,
            (_, Some(payload)) => panic::resume_unwind(payload),
            (None, None) => unreachable!("a body without a result has left its panic"),
        }
    })
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns `body`, to be run before the scope ends. It may spawn in its turn.
    ///
    /// It may borrow what outlives the scope, and not what goes with the scope's own body:
    ///
    /// ```compile_fail,E0373
    /// evenkeel::pool::scope(|s| {
    ///     let gone_before = 1;
    ///     s.spawn(|| assert_eq!(gone_before, 1));
    /// });
    /// ```
    #[inline]
    pub fn spawn<F: FnOnce() + Send + 'scope>(&'scope self, body: F) {
        Context::with(|cx| match cx {
            Some(cx) if ptr::eq(cx, self.worker) => {
                self.own.begun.set(self.own.begun.get() + 1);
                self.offer(cx, body);
            }
            cx => self.spawn_from_elsewhere(cx, body),
        });
    }

    /// [`spawn`](Self::spawn) of a closure that is dropped, and not run, where `cancellation` was
    /// cancelled before it would have begun.
    pub fn spawn_unless<'a: 'scope>(
        &'scope self,
        cancellation: &'a Cancellation,
        body: impl FnOnce() + Send + 'scope,
    ) {
        self.spawn(move || {
            if !cancellation.is_cancelled() {
                body();
            }
        });
    }

    #[cold]
    fn spawn_from_elsewhere<F: FnOnce() + Send + 'scope>(
        &'scope self,
        cx: Option<&Context>,
        body: F,
    ) {
        // SAFETY: null outside any pool, else there as long as the scope.
        let Some(team) = (unsafe { self.team.as_ref() }) else {
            self.panic.keep(body);
            return;
        };
        if let Some(cx) = cx.filter(|cx| ptr::eq(cx.team(), team)) {
            self.tally().begin(cx.seat());
            self.offer(cx, body);
        } else {
            self.tally().begin_outside();
            let scope = Pointer(self);
            // SAFETY: see `offer`.
            let work = unsafe { Work::new(move |cx| Scope::run(scope.get(), cx, body)) };
            team.inject(work, None, Priority::default());
        }
    }

    /// Puts `body`, which has been counted, on the deque of the calling worker.
    #[inline]
    fn offer<F: FnOnce() + Send + 'scope>(&'scope self, cx: &Context, body: F) {
        /// A spawned closure.
        #[repr(C)]
        struct Spawned<'scope, 'env, F> {
            job: Job,
            scope: *const Scope<'scope, 'env>,
            body: F,
        }
        unsafe fn run<F: FnOnce()>(this: *const Job, cx: &Context) {
            // SAFETY: `this` is of this very type, and run once; it was put there by a member of
            // the same team, whose slab is there. Its closure is counted.
            unsafe {
                let spawned = cx.slab.lift(this.cast::<Spawned<'_, '_, F>>().cast_mut());
                Scope::run(spawned.scope, cx, spawned.body);
            }
        }
        let spawned = Spawned { job: Job::new(run::<F>), scope: self, body };
        // SAFETY: what `body` borrows outlives `'scope`, which does not end before the call of
        // `scope()` returns, which waits until as much has ended as has begun. Panics are caught.
        // The memory is that of the calling worker; it lies in the team, as do those who run it.
        let spawned = unsafe { cx.slab.put(spawned) };
        cx.offer(Entry::new(spawned.cast(), true));
    }

    /// Runs a closure that was counted. The scope may be gone after that.
    ///
    /// # Safety
    /// The closure has not been run before, and `cx` is the calling worker's.
    #[inline]
    unsafe fn run(this: *const Self, cx: &Context, body: impl FnOnce()) {
        // SAFETY: the closure has not ended, so the scope is there.
        let scope = unsafe { &*this };
        scope.panic.keep(body);
        if ptr::eq(cx, scope.worker) {
            scope.own.ended.set(scope.own.ended.get() + 1);
        } else {
            // SAFETY: handed on.
            unsafe { Scope::end_elsewhere(this, cx) };
        }
    }

    /// Counts a closure that has ended on another worker than the scope's own.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn end_elsewhere(this: *const Self, cx: &Context) {
        // SAFETY: the closure has not ended yet, so the scope is there.
        let tally = unsafe { (*this).tally() };
        if let Some(worker) = tally.end(cx.seat(), 1) {
            // SAFETY: a member of the team that the caller is in too.
            unsafe { &*worker }.wake();
        }
    }

    /// What others than the own worker count by; not outside a pool.
    fn tally<'a>(&self) -> &'a Tally {
        let mut tally = self.tally.load(Ordering::Acquire);
        if tally.is_null() {
            // SAFETY: the team outlives the scope.
            let tallies = unsafe { &*self.team }.tallies();
            let new = tallies.lend();
            let (null, order) = (ptr::null_mut(), (Ordering::AcqRel, Ordering::Acquire));
            match self.tally.compare_exchange(null, new.as_ptr(), order.0, order.1) {
                Ok(_) => tally = new.as_ptr(),
                Err(other) => {
                    tally = other;
                    // SAFETY: nobody else has seen it.
                    unsafe { tallies.take_back(new) };
                }
            }
        }
        // SAFETY: tallies are there as long as their team, which whoever calls this is in, or
        // which the scope keeps there.
        unsafe { &*tally }
    }

    fn give_tally_back(&self) {
        let tally = NonNull::new(self.tally.load(Ordering::Acquire));
        if let Some(tally) = tally {
            // SAFETY: the team is there, as its worker is here; and all that has begun has ended.
            unsafe { (*self.team).tallies().take_back(tally) };
        }
    }
}

impl Goal for Scope<'_, '_> {
    /// Whether all that has begun has ended; asked by the own worker, who has ended the body.
    fn is_reached(&self) -> bool {
        // SAFETY: null, or a tally of the team, which is there.
        // Acquire: partner is `tally`. While it is null nobody else has ended anything.
        let tally = unsafe { self.tally.load(Ordering::Acquire).as_ref() };
        let ended = self.own.ended.get() + tally.map_or(0, Tally::ended);
        ended == self.own.begun.get() + tally.map_or(0, Tally::begun)
    }

    /// What is left on the own deque may be of this scope, and asking all others takes longer.
    fn comes_first(&self) -> bool {
        false
    }

    fn announce(&self) {
        self.tally().announce(self.worker);
    }
}

/// A pointer to a scope that goes to another worker. Not a reference, because the scope may go
/// while the closure that holds it is still returning.
struct Pointer<'scope, 'env>(*const Scope<'scope, 'env>);

// SAFETY: it points to a `Sync` value.
unsafe impl Send for Pointer<'_, '_> {}

impl<'scope, 'env> Pointer<'scope, 'env> {
    fn get(&self) -> *const Scope<'scope, 'env> {
        self.0
    }
}
