//! Reductions whose result does not depend on who takes part.

use std::ops::Range;

use super::region::merged;
use super::space::Space;
use super::stop::Stop;
use crate::policy::EqualParts;
use crate::pool::cancel::Cancellation;
use crate::pool::context::Context;

/// The most leaves of a tree: enough for any team to share, few enough for a leaf of a long loop
/// to be long.
const LEAVES: usize = 4096;

/// A reduction by a tree that is always the same: the result is the same to the last bit on
/// any number of workers and outside a pool.
///
/// The tree depends on nothing but how many items there are; grain and schedule of the loop do
/// not matter. Items keep their order in it, so that what they are reduced by need not commute.
///
/// ```
/// use evenkeel::pool;
///
/// let sum = || pool::range(1..100_001u32).reproducible().map_reduce(
///     |i| 1.0 / f64::from(i), 0.0, |a, b| a + b);
/// let pool = pool::Pool::builder().threads(2).build()?;
/// assert_eq!(pool.install(sum).to_bits(), sum().to_bits());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a reduction does nothing until it is told what to do with the items"]
pub struct Reproducible<S> {
    space: S,
    unless: Option<Cancellation>,
}

impl<S: Space> Reproducible<S> {
    pub(super) fn new(space: S, unless: Option<Cancellation>) -> Reproducible<S> {
        Reproducible { space, unless }
    }

    /// As [`Loop::map_reduce`](super::Loop::map_reduce); each leaf of the tree begins with
    /// `identity`.
    ///
    /// # Panics
    /// If a closure does.
    pub fn map_reduce<T: Clone + Send + Sync>(
        self,
        map: impl Fn(S::Item) -> T + Sync,
        identity: T,
        reduce: impl Fn(T, T) -> T + Sync,
    ) -> T {
        let leaf = |part: S::Part| part.map(&map).fold(identity.clone(), &reduce);
        self.reduce(leaf, &identity, &reduce)
    }

    /// As [`Loop::map_reduce_chunk`](super::Loop::map_reduce_chunk); the chunks are the leaves of
    /// the tree, and `identity` is the result where there are none.
    ///
    /// # Panics
    /// If a closure does.
    pub fn map_reduce_chunk<T: Clone + Send + Sync>(
        self,
        map: impl Fn(S::Part) -> T + Sync,
        identity: T,
        reduce: impl Fn(T, T) -> T + Sync,
    ) -> T {
        self.reduce(map, &identity, &reduce)
    }

    fn reduce<T: Clone + Send + Sync>(
        self,
        leaf: impl Fn(S::Part) -> T + Sync,
        identity: &T,
        reduce: impl Fn(T, T) -> T + Sync,
    ) -> T {
        let size = self.space.size();
        let leaves = size.min(LEAVES);
        let parts = EqualParts::new(size, leaves);
        // SAFETY: these parts are within the size and have no number in common.
        let leaf = |number| leaf(unsafe { self.space.part(parts.get(number)) });
        let stop = Stop::new(self.unless.as_ref());
        let tree = Tree { leaf, reduce, stop: &stop };
        Context::with(|cx| tree.reduce(cx, 0..leaves)).unwrap_or_else(|| identity.clone())
    }
}

struct Tree<'a, L, R> {
    leaf: L,
    reduce: R,
    stop: &'a Stop<'a>,
}

impl<L, R> Tree<'_, L, R> {
    /// The result of those of these leaves that are begun; `None` if there are none.
    fn reduce<T: Send>(&self, cx: Option<&Context>, leaves: Range<usize>) -> Option<T>
    where
        L: Fn(usize) -> T + Sync,
        R: Fn(T, T) -> T + Sync,
    {
        if leaves.is_empty() || self.stop.is_set() {
            return None;
        }
        if leaves.len() == 1 {
            return Some(self.stop.watch(|| (self.leaf)(leaves.start)));
        }
        let middle = leaves.start + leaves.len() / 2;
        let (left, right) = (leaves.start..middle, middle..leaves.end);
        let results = match cx {
            Some(cx) => {
                cx.join(|cx| self.reduce(Some(cx), left), |cx| self.reduce(Some(cx), right))
            }
            None => (self.reduce(None, left), self.reduce(None, right)),
        };
        merged(results, &self.reduce)
    }
}
