//! What a loop goes over.

use std::fmt;
use std::iter::{self, Zip};
use std::marker::PhantomData;
use std::ops::Range;
use std::slice;

/// An iteration space: so many items, each found by its number.
pub trait Space: Sync {
    /// What the body of a loop gets.
    type Item;
    /// Items that follow each other.
    type Part: Iterator<Item = Self::Item>;

    /// How many items there are.
    fn size(&self) -> usize;

    /// The items with these numbers.
    ///
    /// # Safety
    /// The numbers are below the size, and no number is ever in two parts of this space.
    unsafe fn part(&self, numbers: Range<usize>) -> Self::Part;
}

macro_rules! space_of_numbers {
    ($($type:ty),*) => {$(
        impl Space for Range<$type> {
            type Item = $type;
            type Part = Range<$type>;

            fn size(&self) -> usize {
                let size = if self.is_empty() { 0 } else { self.start.abs_diff(self.end) };
                usize::try_from(size).expect("a loop has at most as many items as usize counts")
            }

            #[inline]
            unsafe fn part(&self, numbers: Range<usize>) -> Range<$type> {
                // Modulo the type, in which both ends are.
                let at = |number: usize| self.start.wrapping_add(number as $type);
                at(numbers.start)..at(numbers.end)
            }
        }
    )*};
}

space_of_numbers!(i32, i64, u32, u64, usize);

/// The chunks of a slice, each with its number; see [`chunks`](super::chunks).
#[derive(Clone, Copy, Debug)]
pub struct SliceChunks<'a, T> {
    slice: &'a [T],
    size: usize,
}

impl<'a, T> SliceChunks<'a, T> {
    pub(super) fn new(slice: &'a [T], size: usize) -> SliceChunks<'a, T> {
        assert!(size > 0, "chunks of no elements never get to the end of a slice");
        SliceChunks { slice, size }
    }
}

impl<'a, T: Sync> Space for SliceChunks<'a, T> {
    type Item = (usize, &'a [T]);
    type Part = Zip<Range<usize>, slice::Chunks<'a, T>>;

    fn size(&self) -> usize {
        self.slice.len().div_ceil(self.size)
    }

    #[inline]
    unsafe fn part(&self, numbers: Range<usize>) -> Self::Part {
        let elements = elements(&numbers, self.size, self.slice.len());
        iter::zip(numbers, self.slice[elements].chunks(self.size))
    }
}

/// The chunks of a slice that is written, each with its number; see
/// [`chunks_mut`](super::chunks_mut).
pub struct SliceChunksMut<'a, T> {
    slice: *mut [T],
    size: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: what is shared gives each element to one thread, as `part` demands.
unsafe impl<T: Send> Sync for SliceChunksMut<'_, T> {}
// SAFETY: it stands for the borrow.
unsafe impl<T: Send> Send for SliceChunksMut<'_, T> {}

impl<'a, T> SliceChunksMut<'a, T> {
    pub(super) fn new(slice: &'a mut [T], size: usize) -> SliceChunksMut<'a, T> {
        assert!(size > 0, "chunks of no elements never get to the end of a slice");
        SliceChunksMut { slice, size, borrowed: PhantomData }
    }
}

impl<T> fmt::Debug for SliceChunksMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.slice.len();
        f.debug_struct("SliceChunksMut").field("len", &len).field("size", &self.size).finish()
    }
}

impl<'a, T: Send> Space for SliceChunksMut<'a, T> {
    type Item = (usize, &'a mut [T]);
    type Part = Zip<Range<usize>, slice::ChunksMut<'a, T>>;

    fn size(&self) -> usize {
        self.slice.len().div_ceil(self.size)
    }

    #[inline]
    unsafe fn part(&self, numbers: Range<usize>) -> Self::Part {
        let elements = elements(&numbers, self.size, self.slice.len());
        // SAFETY: they are within the slice, which is borrowed for `'a` and given out by this
        // space alone, in parts that have no element in common.
        let part = unsafe {
            let start = self.slice.cast::<T>().add(elements.start);
            slice::from_raw_parts_mut(start, elements.len())
        };
        iter::zip(numbers, part.chunks_mut(self.size))
    }
}

/// Which elements of `0..len` are in the chunks with these numbers.
fn elements(numbers: &Range<usize>, size: usize, len: usize) -> Range<usize> {
    numbers.start * size..len.min(numbers.end.saturating_mul(size))
}

/// The blocks of a matrix, row by row; see [`blocks`](super::blocks).
#[derive(Clone, Debug)]
pub struct Blocks {
    rows: Range<usize>,
    cols: Range<usize>,
    size: (usize, usize),
}

impl Blocks {
    pub(super) fn new(rows: Range<usize>, cols: Range<usize>, size: (usize, usize)) -> Blocks {
        assert!(size.0 > 0 && size.1 > 0, "blocks of no cells never get to the end of a matrix");
        Blocks { rows, cols, size }
    }

    /// How many there are side by side.
    fn across(&self) -> usize {
        self.cols.len().div_ceil(self.size.1)
    }

    fn block(&self, number: usize) -> (Range<usize>, Range<usize>) {
        let side = |of: &Range<usize>, at: usize, size: usize| {
            let start = of.start + at * size;
            start..of.end.min(start.saturating_add(size))
        };
        let across = self.across();
        let rows = side(&self.rows, number / across, self.size.0);
        (rows, side(&self.cols, number % across, self.size.1))
    }
}

impl Space for Blocks {
    type Item = (Range<usize>, Range<usize>);
    type Part = BlockPart;

    fn size(&self) -> usize {
        let down = self.rows.len().div_ceil(self.size.0);
        down.checked_mul(self.across()).expect("a loop has at most as many items as usize counts")
    }

    unsafe fn part(&self, numbers: Range<usize>) -> BlockPart {
        BlockPart { of: self.clone(), numbers }
    }
}

/// Some of the blocks of a matrix.
#[derive(Clone, Debug)]
pub struct BlockPart {
    of: Blocks,
    numbers: Range<usize>,
}

impl Iterator for BlockPart {
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.numbers.next().map(|number| self.of.block(number))
    }
}
