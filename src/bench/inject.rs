//! Tasks that come from outside the pool.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use super::{BenchError, Case, Cost, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit};
use super::{idle, latency, pools};

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![
        submissions(setting)?.measure(setting)?,
        latency::blocking(setting)?.measure(setting)?,
        latency::computing(setting)?.measure(setting)?,
        idle::burnt(setting).measure(setting)?,
    ])
}

/// What the tasks write to, a place each: 0 until its task has run. The places are never freed,
/// for a task from outside may not borrow, and counting references would cost more than a task.
pub type Places = &'static [AtomicU32];

/// One thread outside the pool submits a task for each place.
///
/// # Errors
/// If the pools do not get their threads.
pub fn submissions(setting: &Setting) -> Result<Case<Places, ()>, BenchError> {
    let Setting { size, threads, .. } = *setting;
    let (ours, rayon) = (pools::ours(threads)?, pools::rayon(threads)?);
    let places: Vec<AtomicU32> = (0..size).map(|_| AtomicU32::new(0)).collect();
    let figures = vec![
        Figure { name: "per submission", unit: Unit::Nanoseconds },
        Figure { name: "per task until all have run", unit: Unit::Nanoseconds },
    ];
    let (name, places) = (format!("{size} tasks from outside"), &*Vec::leak(places));
    let case = Case::sampled(name, figures, places, taken);
    let case = with(case, SEQUENTIAL, |place, i| place.store(i, Ordering::Release));
    let case = with(case, OURS, move |place, i| {
        ours.spawn(move || place.store(i, Ordering::Release));
    });
    Ok(with(case, RAYON, move |place, i| {
        rayon.spawn(move || place.store(i, Ordering::Release));
    }))
}

/// Adds a contender, of which `submit` brings one task; it is to store the number, with release,
/// in its place.
#[must_use]
pub fn with(
    case: Case<Places, ()>,
    name: &str,
    mut submit: impl FnMut(&'static AtomicU32, u32) + 'static,
) -> Case<Places, ()> {
    case.with_costs(name, move |places| {
        let start = Instant::now();
        places.iter().zip(1..).for_each(|(place, i)| submit(place, i));
        let submitted = start.elapsed();
        for place in *places {
            while place.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
        }
        let cost = |time: std::time::Duration| Some(time.as_secs_f64() / places.len() as f64);
        ((), Vec::<Cost>::from([cost(submitted), cost(start.elapsed())]))
    })
}

/// Which numbers are where; clears the places.
fn taken(places: &mut Places, (): ()) -> u64 {
    // Relaxed: all tasks have been seen to have run.
    let numbers = places.iter().map(|place| place.swap(0, Ordering::Relaxed));
    (1..)
        .zip(numbers)
        .fold(0, |sum: u64, (i, number)| sum.wrapping_add(u64::wrapping_mul(i, u64::from(number))))
}
