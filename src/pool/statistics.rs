//! What the workers of a pool have done.

use std::iter::Sum;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Pool;
use crate::policy::Nearness;

/// What the workers of a pool have done since it was built; from [`Pool::statistics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Of each worker, in the order of [`Pool::cores`].
    pub workers: Vec<Counts>,
    /// Of all threads together that took part without being workers: guests
    /// ([`Pool::take_part`]) and those who stood in ([`blocking`](super::blocking)).
    pub guests: Counts,
}

impl Statistics {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.workers.iter().chain([&self.guests]).copied().sum()
    }
}

/// What one worker has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The pieces of work that it has run: all that it took from others or from a list, and of its
    /// own deque closures of scopes and detached work.
    ///
    /// Not counted is what costs less than counting would: the half of a join that comes back to
    /// its own worker, a node of a graph that is run right after another, a chunk of a loop.
    pub tasks: u64,
    /// The pieces of work that it took from others or from a list.
    pub steals: Steals,
    /// How often it lay down to sleep.
    pub parks: u64,
}

/// Pieces of work by where they were taken.
///
/// A thief that finds many closures of a scope takes several at once, and each counts. One that is
/// taken again, before it was run, counts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steals {
    /// From workers under the same last-level cache.
    pub cache: u64,
    /// From other workers of the same NUMA domain.
    pub domain: u64,
    /// From the list of the own domain.
    pub list: u64,
    /// From workers and lists of other domains, and from and by threads that are not workers.
    pub remote: u64,
}

impl Steals {
    /// From wherever.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cache + self.domain + self.list + self.remote
    }
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            tasks: self.tasks + other.tasks,
            steals: Steals {
                cache: self.steals.cache + other.steals.cache,
                domain: self.steals.domain + other.steals.domain,
                list: self.steals.list + other.steals.list,
                remote: self.steals.remote + other.steals.remote,
            },
            parks: self.parks + other.parks,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::default(), Add::add)
    }
}

impl Pool {
    /// What the workers have done so far, in teams and outside.
    ///
    /// What is under way may be counted a moment later. That it can be asked for costs the workers
    /// nothing to speak of: each adds to counts of its own when it has stolen or parked, or has no
    /// more of its own to do.
    ///
    /// ```
    /// use evenkeel::pool::Pool;
    ///
    /// let pool = Pool::builder().threads(2).build()?;
    /// pool.install(|| ());
    /// let total = pool.statistics().total();
    /// assert_eq!((total.tasks, total.steals.list), (1, 1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut workers: Vec<Counts> = self.shared.counters().map(Counters::read).collect();
        let guests = workers.pop().unwrap_or_default();
        Statistics { workers, guests }
    }
}

/// Counts of one worker, or of all guests.
#[derive(Default)]
pub(super) struct Counters {
    /// Whether several threads add to them.
    many: bool,
    tasks: AtomicU64,
    cache: AtomicU64,
    domain: AtomicU64,
    list: AtomicU64,
    remote: AtomicU64,
    parks: AtomicU64,
}

impl Counters {
    pub(super) fn of_guests() -> Counters {
        Counters { many: true, ..Counters::default() }
    }

    /// It has run so many pieces of work.
    pub(super) fn ran(&self, pieces: u64) {
        self.add(&self.tasks, pieces);
    }

    /// It has taken so many from a deque.
    pub(super) fn stole(&self, from: Nearness, pieces: u64) {
        let count = match from {
            Nearness::Cache => &self.cache,
            Nearness::Domain => &self.domain,
            Nearness::Remote => &self.remote,
        };
        self.add(count, pieces);
    }

    /// It has taken one from a list.
    pub(super) fn took_listed(&self, own: bool) {
        self.add(if own { &self.list } else { &self.remote }, 1);
    }

    /// It is about to park.
    pub(super) fn parks(&self) {
        self.add(&self.parks, 1);
    }

    /// Relaxed: nothing else is told by a count.
    fn add(&self, count: &AtomicU64, by: u64) {
        if self.many {
            count.fetch_add(by, Ordering::Relaxed);
        } else {
            count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Counts {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            tasks: count(&self.tasks),
            steals: Steals {
                cache: count(&self.cache),
                domain: count(&self.domain),
                list: count(&self.list),
                remote: count(&self.remote),
            },
            parks: count(&self.parks),
        }
    }
}
