//! How fast a worker gets on with a loop, and so how much it takes at a time.

use super::ticks::ticks;

/// What takes no longer is not worth to be shared: a thief needs about as long to get at it.
/// About a microsecond.
const SLICE: u64 = 2048;

/// The most slices that a chunk is to take: nobody can help with a chunk that has been begun.
const MOST_SLICES: usize = 16;

/// By how much a chunk may be longer than the one before. The pace of the next items is known
/// only as that of the last, which may have been much easier.
const GROWTH: usize = 8;

/// The pace of one worker in one loop. What it takes at a time, which is all that is counted
/// here, are numbers, or blocks of them.
#[derive(Default)]
pub(super) struct Pace {
    /// When the chunk at hand was begun.
    since: u64,
    /// How much it is.
    chunk: usize,
    /// How much can be done in a slice; 0 if it is not known.
    slice: usize,
}

impl Pace {
    /// Says that a chunk of so much is begun now.
    #[inline]
    pub(super) fn begin(&mut self, chunk: usize) {
        self.chunk = chunk;
    }

    /// Ends the chunk at hand. Gives back how much it was, 0 before the first, and how many ticks
    /// it took, 1 at least.
    #[inline]
    pub(super) fn lap(&mut self) -> (usize, u64) {
        let now = ticks();
        // Where a thread moves to another core its clock may go back.
        let took = now.saturating_sub(self.since).max(1);
        self.since = now;
        (self.chunk, took)
    }

    /// Ends the chunk at hand, and learns from it.
    #[inline]
    pub(super) fn adapt(&mut self) {
        let (chunk, took) = self.lap();
        self.slice = ((chunk as u64).saturating_mul(SLICE) / took) as usize;
    }

    /// How much the worker is to take of its own, of which so much is left: less and less towards
    /// the end, so that all end at the same time.
    #[inline]
    pub(super) fn bite(&self, left: usize) -> usize {
        if self.chunk == 0 {
            // Whatever they take, most of the share can still be taken by others.
            return left.div_ceil(8);
        }
        let longest = self.slice.saturating_mul(MOST_SLICES).min(self.chunk.saturating_mul(GROWTH));
        (left / 4).max(self.slice).min(longest).clamp(1, left)
    }

    /// How much it is to take of what another has left: half, or all if that is done in no time.
    #[inline]
    pub(super) fn loot(&self, left: usize) -> usize {
        if left <= self.slice { left } else { left.div_ceil(2) }
    }
}
