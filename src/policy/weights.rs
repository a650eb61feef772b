//! Adaptive weighted factoring: the chunk of a worker by how fast it was.

use super::chunks::half_share;

/// How much each worker gets in comparison with the others: 1 for as much as the mean, the sum
/// is the number of workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(Vec<f64>);

impl Weights {
    /// In proportion to measured rates, one per worker: how much each has done per unit of time,
    /// whatever the units. One that has not been measured, which is anything but a positive
    /// number, counts as the slowest of those that have. (Banicescu, Velusamy, Devaprasad, "On
    /// the scalability of dynamic scheduling scientific applications with adaptive weighted
    /// factoring", 2003.)
    #[must_use]
    pub fn of_rates(rates: &[f64]) -> Weights {
        let known = |rate: &f64| rate.is_finite() && *rate > 0.0;
        let fastest = rates.iter().copied().filter(known).fold(0.0, f64::max);
        let slowest = rates.iter().copied().filter(known).fold(fastest, f64::min);
        // Relative to the fastest, so that no sum of them is too large.
        let relative = |rate: &f64| match (fastest > 0.0, known(rate)) {
            (true, true) => rate / fastest,
            (true, false) => slowest / fastest,
            (false, _) => 1.0,
        };
        let mean = rates.iter().map(relative).sum::<f64>() / rates.len() as f64;
        Weights(rates.iter().map(|rate| relative(rate) / mean).collect())
    }

    /// The weight of a worker.
    ///
    /// # Panics
    /// If there is no such worker.
    #[must_use]
    pub fn of(&self, worker: usize) -> f64 {
        self.0[worker]
    }

    /// How much of what is left this worker gets now: its share, by weight, of half of it, to
    /// the nearest, but at least `min` and never nothing while anything is left. (The form of
    /// the rule that weighs at each chunk, AWF-C: Cariño, Banicescu, "Dynamic load balancing
    /// with adaptive factoring methods in scientific applications", 2008.)
    ///
    /// # Panics
    /// If there is no such worker.
    #[must_use]
    pub fn chunk(&self, worker: usize, left: usize, min: usize) -> usize {
        let share = self.of(worker) * half_share(left, self.0.len()) as f64;
        (share.round() as usize).max(min).max(1).min(left)
    }
}
