//! Loops out of `join`: halves of halves, down to a grain.

use std::ops::Range;

use crate::pool;

/// Calls `body` with each part of `items` and the index of its first item, in parallel.
pub(super) fn for_each_part<T: Send>(
    items: &mut [T],
    first: usize,
    grain: usize,
    body: &(impl Fn(usize, &mut [T]) + Sync),
) {
    if items.len() <= grain {
        return body(first, items);
    }
    let middle = items.len() / 2;
    let (left, right) = items.split_at_mut(middle);
    pool::join(
        || for_each_part(left, first, grain, body),
        || for_each_part(right, first + middle, grain, body),
    );
}

/// The wrapping sum of `value` over `range`.
pub(super) fn sum(
    range: Range<usize>,
    grain: usize,
    value: &(impl Fn(usize) -> u64 + Sync),
) -> u64 {
    if range.len() <= grain {
        return range.fold(0, |sum, i| sum.wrapping_add(value(i)));
    }
    let middle = range.start + range.len() / 2;
    let (left, right) = pool::join(
        || sum(range.start..middle, grain, value),
        || sum(middle..range.end, grain, value),
    );
    left.wrapping_add(right)
}
