//! A loop over an array that fits into a cache, and one over an array that does not.

use rayon::prelude::*;

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit};
use super::{launch, pools};
use crate::pool;

/// How many numbers all loops of a run go over at least, so that short ones can be timed.
const NUMBERS: usize = 20_000_000;

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![
        increments(setting.size, setting)?.measure(setting)?,
        increments(shorter(setting), setting)?.measure(setting)?,
        launch::inside(setting)?.measure(setting)?,
        launch::outside(setting)?.measure(setting)?,
    ])
}

/// The length of the shorter array.
#[must_use]
pub fn shorter(setting: &Setting) -> u32 {
    (setting.size / 100).max(1)
}

/// An array, and how many loops over it are timed together.
#[derive(Debug)]
pub struct Increments {
    /// Each loop adds one to each of these.
    pub numbers: Vec<u32>,
    /// How many loops there are.
    pub loops: usize,
}

/// Loops that add one to each number of an array of this `length`, one after the other.
///
/// # Errors
/// If the pools do not get their threads.
pub fn increments(length: u32, setting: &Setting) -> Result<Case<Increments, ()>, BenchError> {
    let threads = setting.threads;
    let (ours, rayon) = (pools::ours(threads)?, pools::rayon(threads)?);
    let numbers: Vec<u32> = (0..length).collect();
    let loops = (NUMBERS.min(100 * length as usize) / length as usize).max(1);
    let figure = Figure { name: "per loop", unit: Unit::Microseconds };
    let (name, input) = (format!("+= 1 on {length} u32"), Increments { numbers, loops });
    Ok(Case::timed(name, figure, loops as f64, input, added)
        .with(SEQUENTIAL, |Increments { numbers, loops }| {
            (0..*loops).for_each(|_| add_one(numbers));
        })
        .with(OURS, move |Increments { numbers, loops }| {
            ours.install(|| (0..*loops).for_each(|_| in_parallel(numbers)));
        })
        .with(RAYON, move |Increments { numbers, loops }| {
            rayon.install(|| (0..*loops).for_each(|_| by_rayon(numbers)));
        }))
}

/// The numbers as one; makes them what they were.
fn added(input: &mut Increments, (): ()) -> u64 {
    let numbers = input.numbers.iter_mut().zip(0..);
    numbers.fold(0, |sum: u64, (number, i)| {
        // Each factor another, so that one number cannot make up for another.
        let sum = sum.wrapping_add(u64::from(*number).wrapping_mul(2 * u64::from(i) + 1));
        *number = i;
        sum
    })
}

fn add_one(numbers: &mut [u32]) {
    numbers.iter_mut().for_each(|number| *number = number.wrapping_add(1));
}

fn in_parallel(numbers: &mut [u32]) {
    /// Numbers of a page of memory: enough for a tight loop.
    const CHUNK: usize = 1024;
    pool::chunks_mut(numbers, CHUNK).for_each(|(_, chunk)| add_one(chunk));
}

fn by_rayon(numbers: &mut [u32]) {
    numbers.par_iter_mut().for_each(|number| *number = number.wrapping_add(1));
}
