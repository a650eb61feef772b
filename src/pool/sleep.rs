//! Where the idle workers of a team wait for work: an event count.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread::Thread;

use parking_lot::Mutex;

/// The sleepers of one team.
///
/// A worker announces itself, looks once more for something to do, parks, and withdraws. Who
/// brings something to do makes it visible first and wakes afterwards. The two fences order
/// "I sleep; is there work?" against "here is work; does anyone sleep?", so at least one side
/// sees the other and no wake-up is lost.
#[derive(Default)]
pub(super) struct Sleep {
    /// The length of `sleepers`, to be read without the lock.
    count: AtomicUsize,
    sleepers: Mutex<Vec<(usize, Thread)>>,
}

impl Sleep {
    /// Says that the worker on `seat` is about to park. After this it must look for work once
    /// more, then park or not, and in either case withdraw.
    pub(super) fn announce(&self, seat: usize, thread: &Thread) {
        let mut sleepers = self.sleepers.lock();
        sleepers.push((seat, thread.clone()));
        self.count.store(sleepers.len(), Ordering::Relaxed);
        drop(sleepers);
        // Partner: the fences in `wake_one` and `wake_all`.
        fence(Ordering::SeqCst);
    }

    /// Takes the announcement back. `false`: somebody has taken it to wake this worker, which
    /// now owes the team a look for work, or a call of [`wake_one`](Self::wake_one) in its
    /// place.
    #[must_use]
    pub(super) fn withdraw(&self, seat: usize) -> bool {
        let mut sleepers = self.sleepers.lock();
        let at = sleepers.iter().position(|(other, _)| *other == seat);
        if let Some(at) = at {
            sleepers.swap_remove(at);
            self.count.store(sleepers.len(), Ordering::Relaxed);
        }
        at.is_some()
    }

    /// Wakes one sleeper, the latest, if there is any. To be called after the work is visible.
    pub(super) fn wake_one(&self) {
        // Partner: the fence in `announce`.
        fence(Ordering::SeqCst);
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
        // Partner: the fence in `announce`.
        fence(Ordering::SeqCst);
        let mut sleepers = self.sleepers.lock();
        self.count.store(0, Ordering::Relaxed);
        for (_, thread) in sleepers.drain(..) {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_woken_sleeper_learns_that_it_owes_a_look() {
        let sleep = Sleep::default();
        sleep.announce(0, &thread::current());
        assert!(sleep.withdraw(0), "nobody woke it");
        sleep.announce(0, &thread::current());
        sleep.wake_one();
        thread::park(); // Returns at once: the token is there.
        assert!(!sleep.withdraw(0));
        sleep.wake_one(); // Nobody is left to be woken.
    }

    /// Two threads hand a counter to and fro; a lost wake-up would hang.
    #[test]
    fn no_wake_up_is_lost() {
        let (sleep, turn) = ([Sleep::default(), Sleep::default()], AtomicUsize::new(0));
        let play = |me: usize| {
            for round in 0..2_000 {
                let mine = || turn.load(Ordering::Relaxed) == 2 * round + me;
                while !mine() {
                    sleep[me].announce(0, &thread::current());
                    if !mine() {
                        thread::park();
                    }
                    let _ = sleep[me].withdraw(0);
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
