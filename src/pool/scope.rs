//! Any number of closures that may borrow, and a wait for all of them.

use std::marker::PhantomData;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::context::Context;
use super::latch::Latch;
use super::post::submit;
use super::team::Team;
use super::work::{Payload, Work, catch, discard};

/// What closures are spawned into; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    /// Who runs what is spawned; nobody outside a pool.
    team: Option<Arc<Team>>,
    /// The body of the scope and the spawned closures that have not ended.
    pending: AtomicUsize,
    /// The first panic of any of them.
    panic: Mutex<Option<Payload>>,
    /// Set by the last closure, if it ends after the body.
    ended: Latch,
    // Both invariant: neither lifetime may be stretched or shrunk behind the waiting.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

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
        let base = cx.map_or(0, |cx| cx.deque.head());
        let scope = Scope {
            team: cx.map(|cx| Arc::clone(cx.post().team())),
            pending: AtomicUsize::new(1),
            panic: Mutex::new(None),
            ended: Latch::for_this_thread(),
            scope: PhantomData,
            env: PhantomData,
        };
        let result = scope.keep_panic(|| body(&scope));
        // SAFETY: the body is counted, and the scope lives on until this function returns.
        let last = unsafe { Scope::end_one(&scope) };
        // Outside a pool all was run where it was spawned, and the body is the last.
        if let (false, Some(cx)) = (last, cx) {
            cx.help_until(base, || scope.ended.is_set());
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
        let Some(team) = &self.team else {
            self.keep_panic(body);
            return;
        };
        // Relaxed: the caller is counted itself, so the count is not at zero.
        self.pending.fetch_add(1, Ordering::Relaxed);
        let scope = Pointer(self);
        let counted = move |_: &Context| {
            let scope = scope.get();
            // SAFETY: `body` is counted, so the scope is there up to `end_one`; and after it, for
            // the last, since `scope()` then waits for the latch.
            unsafe {
                (*scope).keep_panic(body);
                if Scope::end_one(scope) {
                    Latch::set(&raw const (*scope).ended);
                }
            }
        };
        // SAFETY: what `body` borrows outlives `'scope`, which does not end before the call of
        // `scope()` returns, which waits for the count to get to zero. Panics are caught.
        submit(team, unsafe { Work::boxed(counted) });
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

    /// Uncounts the body or a spawned closure. `true` for the last, which, if it is a closure,
    /// must set the latch; for any other the scope may be gone.
    ///
    /// # Safety
    /// The caller is counted.
    unsafe fn end_one(this: *const Self) -> bool {
        // Release: what this closure did is done. Acquire: so is what the others did.
        // SAFETY: the caller is counted, so the scope is there.
        unsafe { (*this).pending.fetch_sub(1, Ordering::AcqRel) == 1 }
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
