//! Tasks that nobody joins one by one: from one producer, and from each other.

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, pools};
use crate::pool;

const FIGURE: Figure = Figure { name: "per task", unit: Unit::Nanoseconds };

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![producer(setting)?.measure(setting)?, recursive(setting)?.measure(setting)?])
}

/// One task spawns all others; each writes the number that it is given to a place of its own.
///
/// # Errors
/// If the pools do not get their threads.
pub fn producer(setting: &Setting) -> Result<Case<Vec<u32>, ()>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    Ok(case("one producer", setting)
        .with(SEQUENTIAL, |places| {
            places.iter_mut().zip(1..).for_each(|(place, i)| *place = i);
        })
        .with(OURS, move |places| ours.install(|| produce(places)))
        .with(RAYON, move |places| rayon.install(|| produce_for_rayon(places))))
}

/// Each task takes one place and spawns two tasks for the halves of the others.
///
/// # Errors
/// If the pools do not get their threads.
pub fn recursive(setting: &Setting) -> Result<Case<Vec<u32>, ()>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    Ok(case("recursive", setting)
        .with(SEQUENTIAL, |places| fill(places, 1))
        .with(OURS, move |places| ours.install(|| pool::scope(|s| spawn_two(s, places, 1))))
        .with(RAYON, move |places| rayon.install(|| rayon::scope(|s| rayon_two(s, places, 1)))))
}

fn case(name: &str, setting: &Setting) -> Case<Vec<u32>, ()> {
    let size = setting.size;
    let places = vec![0; size as usize];
    Case::timed(format!("{name}, {size} tasks"), FIGURE, f64::from(size), places, |places, ()| {
        taken(places)
    })
}

/// Which numbers are where; clears the places.
fn taken(places: &mut [u32]) -> u64 {
    let sum = (1..)
        .zip(places.iter())
        .fold(0, |sum: u64, (i, place)| sum.wrapping_add(u64::wrapping_mul(i, u64::from(*place))));
    places.fill(0);
    sum
}

fn produce(places: &mut [u32]) {
    pool::scope(|s| {
        for (place, i) in places.iter_mut().zip(1..) {
            s.spawn(move || *place = i);
        }
    });
}

fn produce_for_rayon(places: &mut [u32]) {
    rayon::scope(|s| {
        for (place, i) in places.iter_mut().zip(1..) {
            s.spawn(move |_| *place = i);
        }
    });
}

/// Places in a row, and the number that the first of them is given.
type Half<'a> = (&'a mut [u32], u32);

/// The first place, and the halves of the others.
fn divide(places: &mut [u32], first: u32) -> Option<(&mut u32, [Half<'_>; 2])> {
    let (place, others) = places.split_first_mut()?;
    let middle = others.len() / 2;
    let (left, right) = others.split_at_mut(middle);
    Some((place, [(left, first + 1), (right, first + 1 + middle as u32)]))
}

fn fill(places: &mut [u32], first: u32) {
    if let Some((place, halves)) = divide(places, first) {
        *place = first;
        halves.into_iter().for_each(|(half, first)| fill(half, first));
    }
}

fn spawn_two<'s>(scope: &'s pool::Scope<'s, '_>, places: &'s mut [u32], first: u32) {
    let Some((place, halves)) = divide(places, first) else { return };
    *place = first;
    for (half, first) in halves.into_iter().filter(|(half, _)| !half.is_empty()) {
        scope.spawn(move || spawn_two(scope, half, first));
    }
}

fn rayon_two<'s>(scope: &rayon::Scope<'s>, places: &'s mut [u32], first: u32) {
    let Some((place, halves)) = divide(places, first) else { return };
    *place = first;
    for (half, first) in halves.into_iter().filter(|(half, _)| !half.is_empty()) {
        scope.spawn(move |scope| rayon_two(scope, half, first));
    }
}
