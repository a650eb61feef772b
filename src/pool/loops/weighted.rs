//! A loop of which each worker gets as much as it is fast: adaptive weighted factoring.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::pace::Pace;
use crate::policy::Weights;

/// What is left of a loop, and what is known of the workers.
pub(super) struct Weighted {
    n: usize,
    grain: usize,
    /// How much is taken.
    taken: AtomicUsize,
    /// For each seat how fast its worker was with its last chunk: the bits of a number, 0 for
    /// one that has not done any.
    rates: Box<[AtomicU64]>,
    /// How many of the seats are those of workers.
    team: usize,
}

impl Weighted {
    pub(super) fn new(n: usize, grain: usize, team: usize, seats: usize) -> Weighted {
        let rates = (0..seats).map(|_| AtomicU64::new(0)).collect();
        Weighted { n, grain, taken: AtomicUsize::new(0), rates, team }
    }

    /// The next chunk for the worker on this seat.
    pub(super) fn take(&self, seat: usize, pace: &mut Pace) -> Option<Range<usize>> {
        let (done, took) = pace.lap();
        let rate = done as f64 / took as f64;
        self.rates[seat].store(rate.to_bits(), Ordering::Relaxed);
        // A guest is one more.
        let guest = (seat >= self.team).then_some(seat);
        let weights = Weights::of_rates(&self.rates(guest));
        let place = seat.min(self.team);
        let end = |start| start + weights.chunk(place, self.n - start, self.grain);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |start| {
            (start < self.n).then(|| end(start))
        });
        let start = taken.ok()?;
        let chunk = start..end(start);
        pace.begin(chunk.len());
        Some(chunk)
    }

    /// Those of the workers, and of this guest.
    fn rates(&self, guest: Option<usize>) -> Vec<f64> {
        let rate = |seat: usize| f64::from_bits(self.rates[seat].load(Ordering::Relaxed));
        (0..self.team).chain(guest).map(rate).collect()
    }
}
