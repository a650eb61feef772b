//! How many of a scope's closures have begun and ended, counted where that happens.

use std::ptr::{self, NonNull};

use crossbeam::utils::CachePadded;

use super::context::Context;
use super::sync::{AtomicPtr, AtomicU64, Mutex, Ordering, light};

/// Counts of one scope, for the members of a team other than the scope's own worker.
///
/// Each writes counts of its own, so that ending a closure costs a store and not a line that all
/// fight for. They only grow: who reads first all that has ended and then all that has begun, and
/// finds both the same, has found the moment between at which nothing was left (Mattern 1987).
///
/// A tally outlives its scope: the team keeps it for the next. So whoever has ended the last closure
/// may still look who waits; at worst that is the worker of the next scope, who looks around and
/// enters itself anew.
pub(super) struct Tally {
    members: Box<[CachePadded<Counts>]>,
    /// What threads outside of the team have begun.
    outside: AtomicU64,
    /// The scope's worker, if it is parked or about to be; else null.
    waiter: AtomicPtr<Context>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// Adds to what only the calling thread writes.
fn bump(count: &AtomicU64, by: u64, order: Ordering) {
    count.store(count.load(Ordering::Relaxed) + by, order);
}

impl Tally {
    /// For a team of `members`, with all counts at zero.
    fn new(members: usize) -> Tally {
        Tally {
            members: (0..members).map(|_| CachePadded::default()).collect(),
            outside: AtomicU64::new(0),
            waiter: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Sets all counts back, before another scope uses them. Nothing of the last one is left.
    fn clear(&self) {
        // Relaxed: others get the tally by way of the scope, and with it what was before.
        for member in &self.members {
            member.begun.store(0, Ordering::Relaxed);
            member.ended.store(0, Ordering::Relaxed);
        }
        self.outside.store(0, Ordering::Relaxed);
        self.waiter.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// The member on `seat`, who calls this, is about to spawn a closure.
    pub(super) fn begin(&self, seat: usize) {
        // Relaxed: whoever sees that the closure has ended sees this too, since it came before.
        bump(&self.members[seat].begun, 1, Ordering::Relaxed);
    }

    /// A thread outside of the team is about to spawn a closure.
    pub(super) fn begin_outside(&self) {
        self.outside.fetch_add(1, Ordering::Relaxed);
    }

    /// The member on `seat`, who calls this, has ended so many closures. Gives back whom it is to
    /// wake: a worker of its team.
    #[must_use]
    pub(super) fn end(&self, seat: usize, closures: u64) -> Option<*const Context> {
        // Release: what the closures did is done. Partner: `ended`.
        bump(&self.members[seat].ended, closures, Ordering::Release);
        // Partner: the heavy fence after `announce`.
        light();
        if self.waiter.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let waiter = self.waiter.swap(ptr::null_mut(), Ordering::Relaxed);
        (!waiter.is_null()).then_some(waiter)
    }

    /// The scope's worker is about to park. It must pass a heavy fence and look once more.
    pub(super) fn announce(&self, worker: *const Context) {
        self.waiter.store(worker.cast_mut(), Ordering::Relaxed);
    }

    /// All that has ended, to be read before [`begun`](Self::begun).
    pub(super) fn ended(&self) -> u64 {
        self.members.iter().map(|member| member.ended.load(Ordering::Acquire)).sum()
    }

    /// All that has begun.
    pub(super) fn begun(&self) -> u64 {
        let members = self.members.iter().map(|member| member.begun.load(Ordering::Relaxed));
        members.sum::<u64>() + self.outside.load(Ordering::Relaxed)
    }
}

/// The tallies of a team. They go with it and not before.
pub(super) struct Tallies {
    members: usize,
    /// Those that no scope uses at the moment.
    kept: Mutex<Vec<NonNull<Tally>>>,
}

// SAFETY: a tally may be used by any thread.
unsafe impl Send for Tallies {}
// SAFETY: as above.
unsafe impl Sync for Tallies {}

impl Tallies {
    pub(super) fn new(members: usize) -> Tallies {
        Tallies { members, kept: Mutex::default() }
    }

    /// Counts for a scope, all at zero, until they are taken back.
    pub(super) fn lend(&self) -> NonNull<Tally> {
        let kept = self.kept.lock().pop();
        let tally =
            kept.unwrap_or_else(|| NonNull::from(Box::leak(Box::new(Tally::new(self.members)))));
        // SAFETY: those that were kept are there as long as this.
        unsafe { tally.as_ref() }.clear();
        tally
    }

    /// Keeps counts for another scope.
    ///
    /// # Safety
    /// They come from `lend`, and nothing is begun or ended by them any more.
    pub(super) unsafe fn take_back(&self, tally: NonNull<Tally>) {
        self.kept.lock().push(tally);
    }
}

impl Drop for Tallies {
    fn drop(&mut self) {
        for tally in self.kept.get_mut().drain(..) {
            // SAFETY: leaked by `lend`, taken back once, and nobody of the team is left.
            drop(unsafe { Box::from_raw(tally.as_ptr()) });
        }
    }
}
