//! How long a worker looks for work in vain before it parks.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

/// What the workers of a pool do when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// They look for work all the time. Nothing starts sooner, and each idle worker takes a whole
    /// core from whoever else could use it.
    Spin,
    /// They look for about as long as it takes to wake a thread, one at a time in each domain, and
    /// then park.
    #[default]
    Balanced,
    /// They park at once, for machines that are shared or whose power is paid for.
    Park,
}

/// How long a worker spins before it parks: about what it takes to wake it up.
const SPIN: Duration = Duration::from_micros(50);

/// For how many rounds an owner may leave a request unanswered before work is claimed from it.
const ANSWER: u32 = 16;

/// How long somebody has been looking in vain.
pub(super) struct Patience {
    waiting: Waiting,
    rounds: u32,
    since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(waiting: Waiting) -> Patience {
        Patience { waiting, rounds: 0, since: None }
    }

    /// That of one who has parked, and has not found yet what he was woken for.
    pub(super) fn woken(waiting: Waiting) -> Patience {
        Patience { waiting, rounds: 1, since: None }
    }

    /// Waits a moment, longer each time. `false` when it is time to park.
    ///
    /// `may_spin` is asked when the moments get long.
    pub(super) fn pause(&mut self, may_spin: impl FnOnce() -> bool) -> bool {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= ANSWER {
            (0..1u32 << self.rounds.min(6)).for_each(|_| hint::spin_loop());
            return true;
        }
        match self.waiting {
            Waiting::Spin => {
                thread::yield_now();
                true
            }
            Waiting::Balanced => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if since.elapsed() >= SPIN || !may_spin() {
                    return false;
                }
                thread::yield_now();
                true
            }
            // Owners get the time to answer all the same: else work would be claimed that they
            // are about to offer.
            Waiting::Park => false,
        }
    }

    /// Whether owners have had the time to answer.
    pub(super) fn is_out(&self) -> bool {
        self.rounds >= ANSWER
    }

    /// Whether nothing has been looked for in vain.
    pub(super) fn is_new(&self) -> bool {
        self.rounds == 0
    }
}
