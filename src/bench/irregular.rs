//! Loops whose iterations differ in length: by a slope, and by a distribution with a long tail.

use rayon::prelude::*;

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit};
use super::{churn, pools};
use crate::pool;
use crate::sim::Rng;

/// How long an iteration is in the mean, in rounds of [`churn`]: some microseconds.
const MEAN: f64 = 5000.0;

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![triangular(setting)?.measure(setting)?, pareto(setting)?.measure(setting)?])
}

/// The iterations get longer from the first to the last, by the same amount each.
///
/// # Errors
/// If the pools do not get their threads.
pub fn triangular(setting: &Setting) -> Result<Case<Vec<u32>, u64>, BenchError> {
    let n = f64::from(setting.size);
    let lengths = (0..setting.size).map(|i| (2.0 * MEAN * f64::from(i + 1) / n) as u32);
    case("triangular", lengths.collect(), setting)
}

/// The lengths follow a Pareto distribution of shape 1.5, cut off at a thousand times the least.
///
/// # Errors
/// If the pools do not get their threads.
pub fn pareto(setting: &Setting) -> Result<Case<Vec<u32>, u64>, BenchError> {
    const SHAPE: f64 = 1.5;
    let least = MEAN * (SHAPE - 1.0) / SHAPE;
    let mut rng = Rng::new(1);
    let mut length = || least * (1.0 - rng.unit()).powf(-1.0 / SHAPE).min(1000.0);
    let lengths = (0..setting.size).map(|_| length() as u32);
    case("Pareto", lengths.collect(), setting)
}

fn case(
    name: &str,
    lengths: Vec<u32>,
    setting: &Setting,
) -> Result<Case<Vec<u32>, u64>, BenchError> {
    let Setting { size, threads, .. } = *setting;
    let (ours, rayon) = (pools::ours(threads)?, pools::rayon(threads)?);
    let (name, figure) =
        (format!("{name}, {size} iterations"), Figure { name: "wall", unit: Unit::Milliseconds });
    Ok(Case::timed(name, figure, 1.0, lengths, |_, sum| sum)
        .with(SEQUENTIAL, |lengths| {
            (0..lengths.len()).fold(0, |sum, i| sum.wrapping_add(iteration(i, lengths)))
        })
        .with(OURS, move |lengths| ours.install(|| in_parallel(lengths)))
        .with(RAYON, move |lengths| rayon.install(|| by_rayon(lengths))))
}

fn iteration(i: usize, lengths: &[u32]) -> u64 {
    churn(i as u64 + 1, lengths[i])
}

fn in_parallel(lengths: &[u32]) -> u64 {
    pool::range(0..lengths.len()).map_reduce(|i| iteration(i, lengths), 0, u64::wrapping_add)
}

fn by_rayon(lengths: &[u32]) -> u64 {
    let iterations = (0..lengths.len()).into_par_iter().map(|i| iteration(i, lengths));
    iterations.reduce(|| 0, u64::wrapping_add)
}
