//! A loop in one share per worker; whoever has nothing left takes from another.

use std::array;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use super::pace::Pace;
use crate::policy::EqualParts;
use crate::pool::post::Post;

/// So many shares need no allocation.
const FEW: usize = 16;

/// Equal blocks, which are never divided, and for each seat of the team which of them it has.
pub(super) struct Shares {
    blocks: EqualParts,
    few: [CachePadded<Share>; FEW],
    /// All of them, where there are more than few.
    many: Vec<CachePadded<Share>>,
}

impl Shares {
    /// The numbers `0..n` in `blocks` blocks, or as many as can be counted in 32 bits. Each seat
    /// gets the same ones each time.
    ///
    /// `seats` is how many there are in all; those beyond the team begin with nothing.
    pub(super) fn new(n: usize, blocks: usize, team: usize, seats: usize) -> Shares {
        let blocks = blocks.min(u32::MAX as usize);
        let first = EqualParts::new(blocks, team);
        let share = |seat| {
            let blocks = if seat < team { first.get(seat) } else { 0..0 };
            CachePadded::new(Share(AtomicU64::new(pack(&blocks))))
        };
        Shares {
            blocks: EqualParts::new(n, blocks),
            few: array::from_fn(share),
            many: if seats > FEW { (0..seats).map(share).collect() } else { Vec::new() },
        }
    }

    fn of(&self, seat: usize) -> &Share {
        if self.many.is_empty() { &self.few[seat] } else { &self.many[seat] }
    }

    /// The next chunk for the worker on this post: of its own share, or else of what it takes
    /// from the nearest that has any.
    pub(super) fn take(&self, post: &Post, pace: &mut Pace) -> Option<Range<usize>> {
        let own = self.of(post.seat());
        if own.is_empty() && post.victims().all(|seat| self.of(seat).is_empty()) {
            return None;
        }
        pace.adapt();
        let blocks = own.take_first(|left| pace.bite(left)).or_else(|| {
            let rob = |seat| self.of(seat).take_last(|left| pace.loot(left));
            own.put(&post.victims().find_map(rob)?);
            own.take_first(|left| pace.bite(left))
        })?;
        pace.begin(blocks.len());
        Some(self.blocks.start(blocks.start)..self.blocks.start(blocks.end))
    }
}

/// A range of blocks: where it begins and where it ends in one word.
///
/// Its owner takes from the front and others from the back. An exchange that finds the word as it
/// was finds the range as it was: its first block is in no range again once it is taken.
struct Share(AtomicU64);

impl Share {
    #[inline]
    fn is_empty(&self) -> bool {
        unpack(self.0.load(Ordering::Relaxed)).is_empty()
    }

    /// Takes so many as `size` says of those that there are, the first ones.
    #[inline]
    fn take_first(&self, size: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        self.split(|left| {
            let middle = left.start + size(left.len());
            (left.start..middle, middle..left.end)
        })
    }

    /// As [`take_first`](Self::take_first), the last ones.
    #[inline]
    fn take_last(&self, size: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        self.split(|left| {
            let middle = left.end - size(left.len());
            (middle..left.end, left.start..middle)
        })
    }

    /// Makes two of what is there: what is taken, and what is left.
    #[inline]
    fn split(
        &self,
        rule: impl Fn(Range<usize>) -> (Range<usize>, Range<usize>),
    ) -> Option<Range<usize>> {
        // Relaxed, here and elsewhere: the numbers are all that is handed over; who takes part has seen
        // what was before the loop.
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let there = unpack(now);
            if there.is_empty() {
                return None;
            }
            let (taken, left) = rule(there);
            let after = pack(&left);
            match self.0.compare_exchange_weak(now, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(taken),
                Err(other) => now = other,
            }
        }
    }

    /// Refills it. For the owner, who has found it empty; nobody else changes an empty one.
    fn put(&self, range: &Range<usize>) {
        self.0.store(pack(range), Ordering::Relaxed);
    }
}

fn pack(range: &Range<usize>) -> u64 {
    (range.start as u64) << 32 | range.end as u64
}

fn unpack(word: u64) -> Range<usize> {
    (word >> 32) as usize..word as u32 as usize
}
