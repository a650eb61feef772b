//! What chili can do: fork and join.

use std::num::NonZero;
use std::ops::Range;

use chili::{Config, Scope, ThreadPool};

use evenkeel::bench::churn;
use evenkeel::bench::tree::{Node, Tree};
use evenkeel::bench::uts::{self, Counts};

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

pub(crate) fn uts_by_chili(threads: usize) -> impl FnMut(&mut &'static uts::Tree) -> Counts {
    let pool = pool(threads);
    move |tree| count(&mut pool.scope(), tree, vec![tree.root()])
}

/// Counts the nodes on `stack` and all below them, and halves what is left of it now and then.
fn count(scope: &mut Scope<'_>, tree: &uts::Tree, mut stack: Vec<uts::Node>) -> Counts {
    const GRAIN: u32 = 128;
    let mut own = Counts::default();
    loop {
        for _ in 0..GRAIN {
            let Some(node) = stack.pop() else { return own };
            let children = tree.children(&node);
            own.nodes += 1;
            own.depth = own.depth.max(node.depth());
            own.leaves += u64::from(children == 0);
            stack.extend((0..children).map(|place| node.child(place)));
        }
        if stack.len() > 1 {
            let upper = stack.split_off(stack.len() / 2);
            let (upper, lower) =
                scope.join(|scope| count(scope, tree, upper), |scope| count(scope, tree, stack));
            return Counts {
                nodes: own.nodes + upper.nodes + lower.nodes,
                depth: own.depth.max(upper.depth).max(lower.depth),
                leaves: own.leaves + upper.leaves + lower.leaves,
            };
        }
    }
}
