//! Any number of closures that may borrow, and a wait for all of them.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use parking_lot::Mutex;

use super::context::Context;
use super::tally::Tally;
use super::team::Team;
use super::work::{Payload, Work, catch, discard};

/// What closures are spawned into; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    /// The worker that runs the body and waits; `None` outside any pool.
    home: Option<Home>,
    /// What the own worker has begun and ended; touched by it alone.
    begun: Cell<u64>,
    ended: Cell<u64>,
    /// What others have; null as long as there was nothing.
    tally: AtomicPtr<Tally>,
    /// The first panic of any of them.
    panic: Mutex<Option<Payload>>,
    // Both invariant: neither lifetime may be stretched or shrunk behind the waiting.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Where a scope is. Both outlive it: its worker does not leave before it ends.
#[derive(Clone, Copy)]
struct Home {
    worker: *const Context,
    team: *const Team,
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
        let home = |cx: &Context| Home { worker: cx, team: cx.team() };
        let scope = Scope {
            home: cx.map(home),
            begun: Cell::new(0),
            ended: Cell::new(0),
            tally: AtomicPtr::new(ptr::null_mut()),
            panic: Mutex::new(None),
            scope: PhantomData,
            env: PhantomData,
        };
        let base = cx.map_or(0, |cx| cx.deque.head());
        let result = scope.keep_panic(|| body(&scope));
        if let Some(cx) = cx {
            // As long as there is something to run here, it is not worth asking all the others.
            let is_over = || !cx.has_above(base) && scope.is_over();
            cx.help_until(base, is_over, || scope.tally().announce());
            scope.give_tally_back();
        }
        let payload = scope.panic.lock().take();
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
    pub fn spawn(&'scope self, body: impl FnOnce() + Send + 'scope) {
        let Some(home) = self.home else {
            self.keep_panic(body);
            return;
        };
        let scope = Pointer(self);
        // SAFETY: `body` is counted, so the scope is there up to `end_one`.
        let counted = move |cx: &Context| unsafe {
            (*scope.get()).keep_panic(body);
            Scope::end_one(scope.get(), cx);
        };
        Context::with(|cx| match cx {
            Some(cx) if ptr::eq(cx.team(), home.team) => {
                self.begin_one(home, cx);
                // SAFETY: what `body` borrows outlives `'scope`, which does not end before the
                // call of `scope()` returns, which waits until as much has ended as has begun.
                // Panics are caught.
                cx.offer(unsafe { Work::held(cx, counted) }.entry());
            }
            _ => {
                self.tally().begin_outside();
                // SAFETY: as above; and the team outlives the scope.
                unsafe { (*home.team).inject(Work::boxed(counted)) };
            }
        });
    }

    fn begin_one(&self, home: Home, cx: &Context) {
        if ptr::eq(cx, home.worker) {
            self.begun.set(self.begun.get() + 1);
        } else {
            self.tally().begin(cx.seat());
        }
    }

    /// Says that a closure has ended; the scope may be gone after that.
    ///
    /// # Safety
    /// It had begun, and `cx` is the calling worker's.
    unsafe fn end_one(this: *const Self, cx: &Context) {
        // SAFETY: it has not ended yet, so the scope is there.
        let (scope, tally) = unsafe { (&*this, (*this).tally.load(Ordering::Acquire)) };
        let worker = scope.home.expect("outside a pool nothing is counted").worker;
        if ptr::eq(cx, worker) {
            scope.ended.set(scope.ended.get() + 1);
            return;
        }
        let tally = if tally.is_null() {
            scope.tally()
        } else {
            // SAFETY: set by `tally()`; tallies are there as long as the team.
            unsafe { &*tally }
        };
        if tally.end(cx.seat()) {
            // SAFETY: a member of the team that the caller is in too.
            unsafe { &*worker }.wake();
        }
    }

    /// Whether all that has begun has ended; asked by the own worker, who has ended the body.
    fn is_over(&self) -> bool {
        // Acquire: partner is `tally`. While it is null nobody else has ended anything.
        // SAFETY: null, or a tally of the team, which is there.
        let tally = unsafe { self.tally.load(Ordering::Acquire).as_ref() };
        let ended = self.ended.get() + tally.map_or(0, Tally::ended);
        ended == self.begun.get() + tally.map_or(0, Tally::begun)
    }

    /// What others than the own worker count by.
    #[cold]
    fn tally<'a>(&self) -> &'a Tally {
        let team = self.home.expect("outside a pool nothing is counted").team;
        let mut tally = self.tally.load(Ordering::Acquire);
        if tally.is_null() {
            // SAFETY: the team outlives the scope.
            let tallies = unsafe { &*team }.tallies();
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
        if let (Some(home), Some(tally)) = (self.home, tally) {
            // SAFETY: the team is there, as its worker is here; and all that has begun has ended.
            unsafe { (*home.team).tallies().take_back(tally) };
        }
    }

    /// Runs `body`; of panics the first is kept.
    fn keep_panic<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        let payload = match catch(body) {
            Ok(result) => return Some(result),
            Err(payload) => payload,
        };
        let mut first = self.panic.lock();
        if first.is_none() {
            *first = Some(payload);
        } else {
            drop(first);
            discard(payload);
        }
        None
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
