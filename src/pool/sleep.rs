//! Where the idle workers of a team wait for work: an event count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;

use super::barrier::light;

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
#[derive(Default)]
pub(super) struct Sleep {
    /// The length of `sleepers`, to be read without the lock.
    count: AtomicUsize,
    sleepers: Mutex<Vec<(usize, Thread)>>,
}

impl Sleep {
    /// Says that the worker on `seat` is about to park. After this it must pass a [`heavy`]
    /// fence, look for work once more, then park or not, and in either case withdraw.
    ///
    /// [`heavy`]: super::barrier::heavy
    pub(super) fn announce(&self, seat: usize, thread: &Thread) {
        let mut sleepers = self.sleepers.lock();
        sleepers.push((seat, thread.clone()));
        self.count.store(sleepers.len(), Ordering::Relaxed);
    }

    /// Takes the announcement back, if nobody has taken it to wake this worker.
    pub(super) fn withdraw(&self, seat: usize) {
        let mut sleepers = self.sleepers.lock();
        if let Some(at) = sleepers.iter().position(|(other, _)| *other == seat) {
            sleepers.swap_remove(at);
            self.count.store(sleepers.len(), Ordering::Relaxed);
        }
    }

    /// Wakes one sleeper, the latest, if there is any. To be called after the work is visible.
    pub(super) fn wake_one(&self) {
        // Partner: the fence between `announce` and the last look.
        light();
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut sleepers = self.sleepers.lock();
        let woken = sleepers.pop();
        self.count.store(sleepers.len(), Ordering::Relaxed);
        drop(sleepers);
        if let Some((_, thread)) = woken {
            thread.unpark();
        }
    }

    /// Wakes every sleeper.
    pub(super) fn wake_all(&self) {
        // Partner: as in `wake_one`.
        light();
        let mut sleepers = self.sleepers.lock();
        self.count.store(0, Ordering::Relaxed);
        for (_, thread) in sleepers.drain(..) {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::barrier::heavy;

    /// Two threads hand a counter to and fro; a lost wake-up would hang.
    #[test]
    fn no_wake_up_is_lost() {
        let (sleep, turn) = ([Sleep::default(), Sleep::default()], AtomicUsize::new(0));
        let play = |me: usize| {
            for round in 0..2_000 {
                let mine = || turn.load(Ordering::Relaxed) == 2 * round + me;
                while !mine() {
                    sleep[me].announce(0, &thread::current());
                    let reached = heavy();
                    if !mine() {
                        park(reached);
                    }
                    sleep[me].withdraw(0);
                }
                turn.fetch_add(1, Ordering::Relaxed);
                sleep[1 - me].wake_one();
            }
        };
        thread::scope(|s| {
            s.spawn(|| play(0));
            s.spawn(|| play(1));
        });
        assert_eq!(turn.into_inner(), 4_000);
    }
}
