//! Two closures, perhaps at the same time.

use std::panic;

use super::context::Context;
use super::work::{Payload, StackWork, catch, discard};

/// Runs both closures, in parallel if a worker of the caller's team has nothing better to do,
/// and gives back both results.
///
/// [`Context::join`] without a context at hand: it costs a look into thread-local storage more.
/// Outside a pool it is `a` and then `b`.
///
/// # Panics
/// As [`Context::join`].
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    Context::with(|cx| match cx {
        Some(cx) => cx.join(|_| a(), |_| b()),
        None => (a(), b()),
    })
}

impl Context {
    /// Runs both closures, in parallel if a worker of the caller's team has nothing better to
    /// do, and gives back both results.
    ///
    /// `a` runs on the calling thread. `b` is offered to the team meanwhile and runs on the
    /// calling thread too if nobody has taken it. Each gets the context of the worker that runs
    /// it. While it waits for `b` the caller runs only what `b` splits off.
    ///
    /// ```
    /// use evenkeel::pool::{Context, Pool};
    ///
    /// fn fib(cx: &Context, n: u64) -> u64 {
    ///     if n < 2 {
    ///         return n;
    ///     }
    ///     let (a, b) = cx.join(|cx| fib(cx, n - 1), |cx| fib(cx, n - 2));
    ///     a + b
    /// }
    ///
    /// let pool = Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.run(|cx| fib(cx, 20)), 6765);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// If a closure panics, its panic goes on here once neither is running any more; of two,
    /// that of `a`. If `a` panics before anybody has taken `b`, then `b` is never run.
    #[inline]
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&Context) -> RA,
        B: FnOnce(&Context) -> RB + Send,
        RB: Send,
    {
        let offer = StackWork::new(b);
        let place = self.deque.head();
        // SAFETY: this function neither unwinds (`a` is caught, work does not) nor returns before
        // the offer has come back or is done.
        self.offer(unsafe { offer.entry() });
        let a = match catch(|| a(self)) {
            Ok(a) => a,
            Err(payload) => self.abandon(place, &offer, payload),
        };
        // SAFETY: the caller is on the thread of this context.
        if unsafe { self.deque.retract(place) } || self.settle(place, &offer) {
            // SAFETY: the offer has come back.
            let b = unsafe { offer.take_body() };
            return (a, b(self));
        }
        // SAFETY: it is done.
        match unsafe { offer.take_result() } {
            Ok(b) => (a, b),
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    /// Takes back what was offered at `place`, after all that `a` has left above it is run; or
    /// else waits until it is done. `true` if it came back.
    #[cold]
    fn settle<F, R>(&self, place: u64, offer: &StackWork<F, R>) -> bool
    where
        F: FnOnce(&Context) -> R,
    {
        while let Some(entry) = self.pop_above(place) {
            // SAFETY: only the address is looked at.
            if entry == unsafe { offer.entry() } {
                return true;
            }
            self.run(entry);
            self.post().counters().ran(1);
        }
        self.follow(place, offer.job(), StackWork::<F, R>::HOW);
        false
    }

    /// What `join` does when `a` has panicked.
    #[cold]
    fn abandon<F, R>(&self, place: u64, offer: &StackWork<F, R>, payload: Payload) -> !
    where
        F: FnOnce(&Context) -> R,
    {
        if self.settle(place, offer) {
            // SAFETY: the offer has come back.
            drop(unsafe { offer.take_body() });
        // SAFETY: it is done.
        } else if let Err(second) = unsafe { offer.take_result() } {
            discard(second);
        }
        panic::resume_unwind(payload)
    }
}
