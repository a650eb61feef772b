//! What it takes to begin and to end a loop that has next to nothing to do.

use crossbeam::utils::CachePadded;
use rayon::prelude::*;

use super::{BenchError, Case, Figure, OURS, RAYON, SEQUENTIAL, Setting, Unit, pools};
use crate::pool;

/// How many iterations a loop has.
pub const ITERATIONS: usize = 64;

/// What an iteration adds one to, on cache lines of its own.
pub type Place = CachePadded<u64>;

/// The loops, one after the other.
#[derive(Debug)]
pub struct Launches {
    /// What they work on.
    pub places: [Place; ITERATIONS],
    /// How many there are.
    pub loops: u32,
}

/// This library's pool where a worker gets the loop, as rayon does it.
const HANDED_OVER: &str = "evenkeel, handed over";

const FIGURE: Figure = Figure { name: "per loop", unit: Unit::Microseconds };

/// Loops that are begun by a thread of the pool.
///
/// # Errors
/// If the pools do not get their threads.
pub fn inside(setting: &Setting) -> Result<Case<Launches, ()>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    Ok(case("inside", loops(setting))
        .with(OURS, move |Launches { places, loops }| {
            ours.install(|| (0..*loops).for_each(|_| in_parallel(places)));
        })
        .with(RAYON, move |Launches { places, loops }| {
            rayon.install(|| (0..*loops).for_each(|_| by_rayon(places)));
        }))
}

/// Loops that are begun by a thread that is not of the pool, and takes part in it or hands them
/// over.
///
/// # Errors
/// If the pools do not get their threads.
pub fn outside(setting: &Setting) -> Result<Case<Launches, ()>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let other = pools::ours(setting.threads)?;
    Ok(case("outside", loops(setting) / 10 + 1)
        .with(OURS, move |Launches { places, loops }| {
            (0..*loops).for_each(|_| ours.take_part(|| in_parallel(places)));
        })
        .with(HANDED_OVER, move |Launches { places, loops }| {
            (0..*loops).for_each(|_| other.install(|| in_parallel(places)));
        })
        .with(RAYON, move |Launches { places, loops }| {
            (0..*loops).for_each(|_| rayon.install(|| by_rayon(places)));
        }))
}

/// As many as take some milliseconds.
fn loops(setting: &Setting) -> u32 {
    (setting.size / 100).clamp(10, 20_000)
}

fn case(from: &str, loops: u32) -> Case<Launches, ()> {
    let name = format!("{ITERATIONS} tiny iterations from {from}");
    let input = Launches { places: [CachePadded::new(0); ITERATIONS], loops };
    Case::timed(name, FIGURE, f64::from(loops), input, added)
        .with(SEQUENTIAL, |Launches { places, loops }| (0..*loops).for_each(|_| add_one(places)))
}

/// The places as one number; clears them.
fn added(input: &mut Launches, (): ()) -> u64 {
    let places = input.places.iter_mut().zip(1..);
    places.map(|(place, i)| std::mem::take(&mut **place) * i).sum()
}

/// Not to be merged with the loop around it.
#[inline(never)]
fn add_one(places: &mut [Place]) {
    places.iter_mut().for_each(|place| **place += 1);
}

fn in_parallel(places: &mut [Place]) {
    pool::chunks_mut(places, 1).for_each(|(_, place)| *place[0] += 1);
}

fn by_rayon(places: &mut [Place]) {
    places.par_iter_mut().for_each(|place| **place += 1);
}
