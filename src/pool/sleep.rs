//! Where the idle workers of a team wait for work: an event count.

use std::time::Duration;

use crossbeam::utils::CachePadded;

use super::sync::thread::{self, Thread};
use super::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, light};
use crate::host::{current_thread, current_unit, keep_off, pin_current_thread};

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
/// light one or by the lock. So at least one side sees the other and no wake-up is lost.
pub(super) struct Sleep {
    /// For each domain whether somebody there spins.
    spinning: Box<[CachePadded<AtomicBool>]>,
    /// The number of `sleepers`, to be read without the lock. Written under it, Relaxed: the fences
    /// see to it that it is seen, and the lock hands over the rest.
    count: AtomicUsize,
    bedroom: Mutex<Bedroom>,
}

#[derive(Default)]
struct Bedroom {
    sleepers: Vec<Sleeper>,
    /// Who was kept off a unit to be woken, by seat, and where they were free to run before.
    moved: Vec<(usize, Vec<u32>)>,
}

struct Sleeper {
    seat: usize,
    /// The processing unit on which it went to sleep.
    unit: Option<u32>,
    thread: Thread,
    /// The system's number of that.
    id: Option<i32>,
}

/// What the one who wakes a sleeper does next.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Waker {
    /// It keeps its processing unit.
    GoesOn,
    /// It waits, so that its unit is free.
    Waits,
}

impl Sleep {
    /// For a team with workers in so many domains.
    pub(super) fn new(domains: usize) -> Sleep {
        Sleep {
            spinning: (0..domains).map(|_| CachePadded::default()).collect(),
            count: AtomicUsize::new(0),
            bedroom: Mutex::default(),
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
        let (unit, id) = (current_unit(), current_thread());
        let mut bedroom = self.bedroom.lock();
        bedroom.sleepers.push(Sleeper { seat, unit, thread: thread.clone(), id });
        self.count.store(bedroom.sleepers.len(), Ordering::Relaxed);
    }

    /// Takes the announcement back, if nobody has taken it to wake this worker.
    pub(super) fn withdraw(&self, seat: usize) {
        let mut bedroom = self.bedroom.lock();
        if let Some(at) = bedroom.sleepers.iter().position(|sleeper| sleeper.seat == seat) {
            bedroom.sleepers.swap_remove(at);
            self.count.store(bedroom.sleepers.len(), Ordering::Relaxed);
        }
        if let Some(at) = bedroom.moved.iter().position(|(moved, _)| *moved == seat) {
            let (_, units) = bedroom.moved.swap_remove(at);
            drop(bedroom);
            // Where it is refused the thread stays where it is, which does.
            let _ = pin_current_thread(&units);
        }
    }

    /// Wakes one sleeper, if there is any. To be called after the work is visible. Whether others
    /// sleep on.
    ///
    /// Behind a caller that goes on computing a thread may have to wait for milliseconds. Left to
    /// itself the system wakes it there all the same, where it slept there before, or on virtual
    /// machines where no other processor is awake. So it is kept off the caller's unit until it
    /// runs. Of a caller that waits, the unit is the very one which is awake.
    pub(super) fn wake_one(&self, waker: Waker) -> bool {
        // Partner: the fence between `announce` and the last look.
        light();
        self.has_any() && self.take_one(waker)
    }

    /// Whether anybody sleeps, or is about to.
    pub(super) fn has_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    #[cold]
    fn take_one(&self, waker: Waker) -> bool {
        let here = current_unit();
        let mut bedroom = self.bedroom.lock();
        let Bedroom { sleepers, moved } = &mut *bedroom;
        let wished = |sleeper: &Sleeper| (sleeper.unit == here) == (waker == Waker::Waits);
        let at = sleepers.iter().rposition(wished).or(sleepers.len().checked_sub(1));
        let Some(at) = at else { return false };
        let woken = sleepers.remove(at);
        let left = sleepers.len();
        self.count.store(left, Ordering::Relaxed);
        if waker == Waker::GoesOn {
            let units = woken.id.zip(here).and_then(|(id, here)| keep_off(id, here));
            moved.extend(units.map(|units| (woken.seat, units)));
        }
        drop(bedroom);
        woken.thread.unpark();
        left > 0
    }

    /// Wakes every sleeper.
    pub(super) fn wake_all(&self) {
        // No fence: whoever is announced before this has the lock is woken, and whoever announces
        // himself after it sees what came before.
        let mut bedroom = self.bedroom.lock();
        self.count.store(0, Ordering::Relaxed);
        for sleeper in bedroom.sleepers.drain(..) {
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
