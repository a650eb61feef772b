//! What chili can do: fork and join.

use std::num::NonZero;
use std::ops::Range;

use chili::{Config, Scope, ThreadPool};

use evenkeel::bench::churn;
use evenkeel::bench::tree::{Node, Tree};

/// The crate `chili`, heartbeat scheduling.
pub(crate) const CHILI: &str = "chili";

/// The calling thread is one of them.
fn pool(threads: usize) -> ThreadPool {
    ThreadPool::with_config(Config { thread_count: NonZero::new(threads), ..Config::default() })
}

pub(crate) fn fib_by_chili(threads: usize) -> impl FnMut(&mut u32) -> u64 {
    let pool = pool(threads);
    move |n| fib(&mut pool.scope(), *n)
}

fn fib(scope: &mut Scope<'_>, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = scope.join(|scope| fib(scope, n - 1), |scope| fib(scope, n - 2));
    a + b
}

pub(crate) fn tree_by_chili(threads: usize) -> impl FnMut(&mut Tree) -> u64 {
    let pool = pool(threads);
    move |tree| sum(&mut pool.scope(), tree.as_deref())
}

fn sum(scope: &mut Scope<'_>, node: Option<&Node>) -> u64 {
    let Some(Node { value, left, right }) = node else { return 0 };
    let (left, right) =
        scope.join(|scope| sum(scope, left.as_deref()), |scope| sum(scope, right.as_deref()));
    value + left + right
}

pub(crate) fn irregular_by_chili(threads: usize) -> impl FnMut(&mut Vec<u32>) -> u64 {
    let pool = pool(threads);
    move |lengths| sum_of(&mut pool.scope(), 0..lengths.len(), lengths)
}

fn sum_of(scope: &mut Scope<'_>, range: Range<usize>, lengths: &[u32]) -> u64 {
    if range.len() <= 1 {
        return range.fold(0, |_, i| churn(i as u64 + 1, lengths[i]));
    }
    let middle = range.start + range.len() / 2;
    let (left, right) = (range.start..middle, middle..range.end);
    let (a, b) =
        scope.join(|scope| sum_of(scope, left, lengths), |scope| sum_of(scope, right, lengths));
    a.wrapping_add(b)
}
