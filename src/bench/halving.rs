//! Loops out of `join`: halves of halves, down to a grain.

use std::ops::Range;

use crate::pool::Context;

/// Calls `body` with each part of `items` and the index of its first item, in parallel.
pub(super) fn for_each_part<T: Send>(
    cx: &Context,
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
    cx.join(
        |cx| for_each_part(cx, left, first, grain, body),
        |cx| for_each_part(cx, right, first + middle, grain, body),
    );
}

/// The wrapping sum of `value` over `range`.
pub(super) fn sum(
    cx: &Context,
    range: Range<usize>,
    grain: usize,
    value: &(impl Fn(usize) -> u64 + Sync),
) -> u64 {
    if range.len() <= grain {
        return range.fold(0, |sum, i| sum.wrapping_add(value(i)));
    }
    let middle = range.start + range.len() / 2;
    let (left, right) = cx.join(
        |cx| sum(cx, range.start..middle, grain, value),
        |cx| sum(cx, middle..range.end, grain, value),
    );
    left.wrapping_add(right)
}
