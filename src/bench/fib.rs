//! Fork and join with nothing between: Fibonacci numbers by their definition, each call but the
//! last ones in two halves.

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, pools};
use crate::pool::{self, Context};

/// This pool without a context that is handed down: each join looks for it in thread-local storage.
const BARE: &str = "evenkeel, bare";

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![overhead(setting)?.measure(setting)?, wall(setting)?.measure(setting)?])
}

/// `fib(size)` by all threads.
///
/// # Errors
/// If the pools do not get their threads.
pub fn wall(setting: &Setting) -> Result<Case<u32, u64>, BenchError> {
    let Setting { size, threads, .. } = *setting;
    let figure = Figure { name: "wall", unit: Unit::Milliseconds };
    case(size, threads, figure, 1.0)
}

/// What a join costs that nobody takes part in: `fib(size)` by one thread, over what it takes
/// without joins.
///
/// # Errors
/// If the pools do not get their threads.
pub fn overhead(setting: &Setting) -> Result<Case<u32, u64>, BenchError> {
    let figure = Figure { name: "overhead per join", unit: Unit::Nanoseconds };
    Ok(case(setting.size, 1, figure, joins(setting.size))?.over_sequential())
}

fn case(n: u32, threads: usize, figure: Figure, count: f64) -> Result<Case<u32, u64>, BenchError> {
    let (ours, bare) = (pools::ours(threads)?, pools::ours(threads)?);
    let rayon = pools::rayon(threads)?;
    let s = if threads == 1 { "" } else { "s" };
    let name = format!("fib({n}) on {threads} thread{s}");
    Ok(Case::timed(name, figure, count, n, |_, fib| fib)
        .with(SEQUENTIAL, |n| sequential(*n))
        .with(OURS, move |n| ours.run(|cx| by_context(cx, *n)))
        .with(BARE, move |n| bare.install(|| by_join(*n)))
        .with(RAYON, move |n| rayon.install(|| by_rayon(*n))))
}

/// How many calls of `fib(n)` join: at least one, so that it can be divided by.
fn joins(n: u32) -> f64 {
    let (mut joins, mut next) = (0.0, 0.0);
    for _ in 0..n {
        (joins, next) = (next, joins + next + 1.0);
    }
    f64::max(joins, 1.0)
}

fn sequential(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { sequential(n - 1) + sequential(n - 2) }
}

fn by_context(cx: &Context, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = cx.join(|cx| by_context(cx, n - 1), |cx| by_context(cx, n - 2));
    a + b
}

fn by_join(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = pool::join(|| by_join(n - 1), || by_join(n - 2));
    a + b
}

fn by_rayon(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = rayon::join(|| by_rayon(n - 1), || by_rayon(n - 2));
    a + b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_are_counted() {
        fn counted(n: u32) -> f64 {
            if n < 2 { 0.0 } else { 1.0 + counted(n - 1) + counted(n - 2) }
        }
        for n in 2..15 {
            assert_eq!(joins(n), counted(n));
        }
    }
}
