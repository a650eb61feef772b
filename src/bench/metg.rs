//! How small tasks may be: the minimum effective task granularity of Task Bench (Slaughter et
//! al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance",
//! SC 2020) for its one-dimensional stencil.
//!
//! The stencil has a width and a number of steps; each task waits for itself and its two
//! neighbours in the step before. Efficiency is the sequential time over the time of all cores,
//! granularity the time of all cores over the number of tasks. The smallest granularity is
//! sought at which the efficiency is 50, 75 and 90 %.

use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use rayon::prelude::*;

use super::{
    BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, churn, pools,
};
use crate::pool;

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    WIDTHS.into_iter().map(|width| case(width, setting)?.measure(setting)).collect()
}

/// The widths at which it is measured.
pub const WIDTHS: [usize; 2] = [2, 8];

const TARGETS: [(&str, f64); 3] = [("50 %", 0.50), ("75 %", 0.75), ("90 %", 0.90)];

/// The lengths of tasks, in rounds of [`churn`]: from some nanoseconds to some hundred
/// microseconds, each twice the one before.
const LENGTHS: [u32; 16] =
    [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];

/// As many rounds, in all tasks together, take some milliseconds: longer tasks run for fewer
/// steps.
const ROUNDS: u32 = 4_000_000;

/// How often each length is tried; the middle one counts.
const TRIES: usize = 3;

/// A value of the stencil, on cache lines of its own.
pub type Cell = CachePadded<u64>;

/// A stencil to be stepped.
#[derive(Clone, Debug)]
pub struct Stencil {
    /// The values of the step before.
    pub now: Vec<Cell>,
    /// Those of the step that is being made.
    pub next: Vec<Cell>,
    /// How many steps are to be made.
    pub steps: u32,
    /// How long each task is, in rounds of [`churn`].
    pub length: u32,
    /// How many cores it has work for.
    cores: usize,
    /// The most steps that it makes.
    most: u32,
}

impl Stencil {
    fn new(width: usize, setting: &Setting) -> Stencil {
        let cells: Vec<Cell> = (1..=width as u64).map(CachePadded::new).collect();
        Stencil {
            next: cells.clone(),
            now: cells,
            steps: 0,
            length: 0,
            cores: setting.threads.min(width),
            most: setting.size,
        }
    }

    /// Makes all steps, each by a call with the values of the step before, those that it is to
    /// make, and the length of its tasks.
    pub fn run(&mut self, step: impl Fn(&[Cell], &mut [Cell], u32)) {
        let Stencil { now, next, steps, length, .. } = self;
        for _ in 0..*steps {
            step(now, next, *length);
            std::mem::swap(now, next);
        }
    }

    /// All that it came to, as one number.
    fn sum(&self) -> u64 {
        self.now.iter().fold(0, |sum, cell| churn(sum ^ **cell, 1))
    }

    fn tasks(&self) -> f64 {
        self.now.len() as f64 * f64::from(self.steps)
    }
}

/// The granularities for a stencil of this `width`. On more threads than that only as many
/// cores are counted as there is work for.
///
/// # Errors
/// If the pools do not get their threads.
pub fn case(width: usize, setting: &Setting) -> Result<Case<Stencil, u64>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let figures = TARGETS.map(|(name, _)| Figure { name, unit: Unit::Microseconds });
    let name = format!("smallest tasks of a stencil {width} wide");
    let stencil = Stencil::new(width, setting);
    let case = Case::sampled(name, figures.to_vec(), stencil, |_, sum| sum)
        // Says what is right; no efficiency of several cores comes of one.
        .with_costs(SEQUENTIAL, |stencil| {
            let (sum, _) = sweep(stencil, &mut |stencil| stencil.run(sequential));
            (sum, vec![None; TARGETS.len()])
        });
    let case = with(case, OURS, move |stencil| ours.install(|| stencil.run(in_parallel)));
    Ok(with(case, RAYON, move |stencil| rayon.install(|| stencil.run(by_rayon))))
}

/// Adds a contender, of which `run` makes all steps of a stencil.
#[must_use]
pub fn with(
    case: Case<Stencil, u64>,
    name: &str,
    mut run: impl FnMut(&mut Stencil) + 'static,
) -> Case<Stencil, u64> {
    case.with_costs(name, move |stencil| {
        let round = time_of_round(stencil);
        let cores = stencil.cores as f64;
        let (sum, points) = sweep(stencil, &mut run);
        let points: Vec<Point> = points
            .into_iter()
            .map(|(length, granularity)| {
                let granularity = granularity * cores;
                Point { granularity, efficiency: f64::from(length) * round / granularity }
            })
            .collect();
        (sum, TARGETS.iter().map(|(_, target)| Some(smallest(&points, *target))).collect())
    })
}

struct Point {
    /// Seconds.
    granularity: f64,
    efficiency: f64,
}

/// How long one round of a task takes, sequentially: with tasks so long that nothing else counts.
fn time_of_round(stencil: &Stencil) -> f64 {
    let mut stencil = Stencil { steps: 10, length: 4096, ..stencil.clone() };
    let seconds = middle_time(&mut stencil, &mut |stencil| stencil.run(sequential));
    seconds / (stencil.tasks() * f64::from(stencil.length))
}

/// Runs the stencil for all lengths of tasks. Gives what it came to, and for each length how
/// long a task takes when the time is divided by their number.
fn sweep(stencil: &Stencil, run: &mut impl FnMut(&mut Stencil)) -> (u64, Vec<(u32, f64)>) {
    let mut stencil = stencil.clone();
    let width = stencil.now.len() as u32;
    let mut points = Vec::new();
    let mut sum = 0;
    for length in LENGTHS {
        stencil.length = length;
        stencil.steps = (ROUNDS / (length * width)).clamp(1, stencil.most);
        let seconds = middle_time(&mut stencil, run);
        points.push((length, seconds / stencil.tasks()));
        sum = churn(sum ^ stencil.sum(), 1);
    }
    (sum, points)
}

/// The middle time of some tries.
fn middle_time(stencil: &mut Stencil, run: &mut impl FnMut(&mut Stencil)) -> f64 {
    let mut time = || {
        let start = Instant::now();
        run(stencil);
        start.elapsed()
    };
    let mut times: [Duration; TRIES] = std::array::from_fn(|_| time());
    times.sort_unstable();
    times[TRIES / 2].as_secs_f64()
}

/// The granularity at which the efficiency first gets to `target`, by a straight line between
/// the two nearest points in a logarithmic picture. Infinite if it never does.
fn smallest(points: &[Point], target: f64) -> f64 {
    let Some(at) = points.iter().position(|point| point.efficiency >= target) else {
        return f64::INFINITY;
    };
    let above = &points[at];
    let Some(below) = at.checked_sub(1).map(|below| &points[below]) else {
        return above.granularity;
    };
    let share = (target - below.efficiency) / (above.efficiency - below.efficiency);
    below.granularity * (above.granularity / below.granularity).powf(share)
}

/// What the task at place `at` makes of the step before.
fn task(now: &[Cell], at: usize, length: u32) -> u64 {
    let of = |at: usize| now.get(at).map_or(0, |cell| **cell);
    let (left, own, right) = (of(at.wrapping_sub(1)), of(at), of(at + 1));
    churn(own ^ left.rotate_left(1) ^ right.rotate_left(2), length)
}

fn sequential(now: &[Cell], next: &mut [Cell], length: u32) {
    next.iter_mut().enumerate().for_each(|(at, cell)| **cell = task(now, at, length));
}

fn in_parallel(now: &[Cell], next: &mut [Cell], length: u32) {
    pool::chunks_mut(next, 1).for_each(|(at, cell)| *cell[0] = task(now, at, length));
}

fn by_rayon(now: &[Cell], next: &mut [Cell], length: u32) {
    next.par_iter_mut().enumerate().for_each(|(at, cell)| **cell = task(now, at, length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_granularity_is_where_the_efficiency_crosses() {
        // Tasks of 1, 2, 4, 8, 16 µs with 4 µs each on top.
        let point = |own: f64| Point { granularity: own + 4.0, efficiency: own / (own + 4.0) };
        let points: Vec<Point> = [1.0, 2.0, 4.0, 8.0, 16.0].into_iter().map(point).collect();
        assert_eq!(smallest(&points, 0.5), 8.0);
        let found = smallest(&points, 0.75);
        assert!((15.0..17.0).contains(&found), "{found} for 16");
        assert_eq!(smallest(&points, 0.1), 5.0);
        assert_eq!(smallest(&points, 0.9), f64::INFINITY);
    }

    #[test]
    fn no_neighbour_may_be_left_out() {
        let setting = Setting { size: 1, tree: None, threads: 1, rounds: 1 };
        let mut stencil = Stencil { steps: 3, length: 1, ..Stencil::new(3, &setting) };
        let mut other = stencil.clone();
        *other.now[2] += 1;
        stencil.run(sequential);
        other.run(sequential);
        assert!((0..3).all(|at| stencil.now[at] != other.now[at]));
    }
}
