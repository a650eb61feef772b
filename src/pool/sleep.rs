//! Where the idle workers of a team wait for work: an event count.

use std::time::Duration;

use crossbeam::utils::CachePadded;

use super::sync::thread::{self, Thread};
use super::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, light};
use crate::host::current_unit;

/// Parks the calling thread. `reached`: the heavy fence before the last look was one; else a
/// wake-up may be lost, and the thread wakes by itself after a while.
pub(super) fn park(reached: bool) {
    if reached { thread::park() } else { thread::park_timeout(LOST) }
}

/// How late a wake-up may come that was lost.
const LOST: Duration = Duration::from_millis(1);

/// The sleepers of one team.
///
/// A worker announces itself, passes a heavy fence, looks once more for something to do, parks,
/// and withdraws. Who brings something to do makes it visible first and wakes afterwards, by a
/// light one. So at least one side sees the other and no wake-up is lost.
pub(super) struct Sleep {
    /// For each domain whether somebody there spins.
    spinning: Box<[CachePadded<AtomicBool>]>,
    /// The length of `sleepers`, to be read without the lock. Written under it, Relaxed: the fences
    /// see to it that it is seen, and the lock hands over the rest.
    count: AtomicUsize,
    sleepers: Mutex<Vec<Sleeper>>,
}

struct Sleeper {
    seat: usize,
    /// The processing unit on which it went to sleep.
    unit: Option<u32>,
    thread: Thread,
}

impl Sleep {
    /// For a team with workers in so many domains.
    pub(super) fn new(domains: usize) -> Sleep {
        Sleep {
            spinning: (0..domains).map(|_| CachePadded::default()).collect(),
            count: AtomicUsize::new(0),
            sleepers: Mutex::default(),
        }
    }

    /// For a worker of that domain.
    pub(super) fn spinner(&self, domain: usize) -> Spinner<'_> {
        Spinner { spinning: &self.spinning[domain], is_me: false }
    }

    /// Says that the worker on `seat` is about to park. After this it must pass a [`heavy`]
    /// fence, look for work once more, then park or not, and in either case withdraw.
    ///
    /// [`heavy`]: super::barrier::heavy
    pub(super) fn announce(&self, seat: usize, thread: &Thread) {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(Sleeper { seat, unit: current_unit(), thread: thread.clone() });
        self.count.store(sleepers.len(), Ordering::Relaxed);
    }

    /// Takes the announcement back, if nobody has taken it to wake this worker.
    pub(super) fn withdraw(&self, seat: usize) {
        let mut sleepers = self.sleepers.lock();
        if let Some(at) = sleepers.iter().position(|sleeper| sleeper.seat == seat) {
            sleepers.swap_remove(at);
            self.count.store(sleepers.len(), Ordering::Relaxed);
        }
    }

    /// Wakes one sleeper, if there is any: the latest that does not sleep on the caller's own
    /// processing unit, where it may have to wait until the caller pauses. To be called after the
    /// work is visible. Whether others sleep on.
    pub(super) fn wake_one(&self) -> bool {
        // Partner: the fence between `announce` and the last look.
        light();
        self.has_any() && self.take_one()
    }

    /// Whether anybody sleeps, or is about to.
    pub(super) fn has_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    #[cold]
    fn take_one(&self) -> bool {
        let here = current_unit();
        let mut sleepers = self.sleepers.lock();
        let elsewhere = sleepers.iter().rposition(|sleeper| sleeper.unit != here);
        let Some(at) = elsewhere.or(sleepers.len().checked_sub(1)) else { return false };
        let woken = sleepers.remove(at);
        let left = sleepers.len();
        self.count.store(left, Ordering::Relaxed);
        drop(sleepers);
        woken.thread.unpark();
        left > 0
    }

    /// Wakes every sleeper.
    pub(super) fn wake_all(&self) {
        // Partner: as in `wake_one`.
        light();
        let mut sleepers = self.sleepers.lock();
        self.count.store(0, Ordering::Relaxed);
        for sleeper in sleepers.drain(..) {
            sleeper.thread.unpark();
        }
    }
}

/// The right to look for work for a while instead of parking, which one worker of a domain has
/// at a time: more would only take the memory and the cores from those that work.
pub(super) struct Spinner<'a> {
    spinning: &'a AtomicBool,
    is_me: bool,
}

impl Spinner<'_> {
    /// Takes the right. `false`: another has it.
    pub(super) fn start(&mut self) -> bool {
        // Relaxed: nothing is handed over with it.
        self.is_me = self.is_me || !self.spinning.swap(true, Ordering::Relaxed);
        self.is_me
    }

    /// Gives it back.
    pub(super) fn stop(&mut self) {
        if self.is_me {
            self.is_me = false;
            self.spinning.store(false, Ordering::Relaxed);
        }
    }
}
