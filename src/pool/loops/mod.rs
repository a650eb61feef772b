//! Loops over ranges, slices and blocks, and reductions.

mod pace;
#[cfg(feature = "paralight")]
mod paralight;
mod region;
mod reproducible;
mod shares;
mod space;
mod stop;
mod supply;
mod ticks;
mod weighted;

use std::ops::Range;

#[cfg(feature = "paralight")]
pub use paralight::CallersTeam;
pub use reproducible::Reproducible;
pub use space::{BlockPart, Blocks, SliceChunks, SliceChunksMut, Space};

use super::cancel::Cancellation;
use crate::policy::Schedule;
use region::{Portion, run};
use stop::Stop;
use supply::Sharing;

/// A loop that is to be run by the caller's team: over what, and how it is shared out.
///
/// The caller works too, and those of its team come in that have nothing better to do. Outside
/// a pool the caller runs all of it by itself.
///
/// The iterations run in any order and must not wait for each other. If one panics, no chunk is
/// begun any more, and the panic goes on to the caller when nobody is at work any more; of
/// several, one of them.
#[derive(Clone, Debug)]
#[must_use = "a loop does nothing until it is told what to do with the items"]
pub struct Loop<S> {
    space: S,
    sharing: Sharing,
    unless: Option<Cancellation>,
}

/// A loop over whole numbers: `usize`, `u32`, `u64`, `i32` or `i64`.
///
/// ```
/// use evenkeel::pool;
///
/// let pool = pool::Pool::builder().threads(2).build()?;
/// let sum = pool.install(|| pool::range(1..101).map_reduce(|i| i * i, 0, |a, b| a + b));
/// assert_eq!(sum, 338_350);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn range<I>(range: Range<I>) -> Loop<Range<I>>
where
    Range<I>: Space,
{
    Loop::over(range)
}

/// A loop over the chunks of a slice: each comes with its number, and has `size` elements, the
/// last one perhaps less.
///
/// # Panics
/// If `size` is 0.
pub fn chunks<T: Sync>(slice: &[T], size: usize) -> Loop<SliceChunks<'_, T>> {
    Loop::over(SliceChunks::new(slice, size))
}

/// As [`chunks`], for elements that are written.
///
/// ```
/// use evenkeel::pool;
///
/// let pool = pool::Pool::builder().threads(2).build()?;
/// let mut rows = vec![0; 12];
/// pool.install(|| pool::chunks_mut(&mut rows, 4).for_each(|(i, row)| row.fill(i)));
/// assert_eq!(rows, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If `size` is 0.
pub fn chunks_mut<T: Send>(slice: &mut [T], size: usize) -> Loop<SliceChunksMut<'_, T>> {
    Loop::over(SliceChunksMut::new(slice, size))
}

/// A loop over the blocks of a matrix, row by row: each is a range of rows and one of columns,
/// so many as `size` says, at the lower and right edges perhaps less.
///
/// ```
/// use evenkeel::pool;
///
/// let blocks = pool::blocks(1..100, 1..50, (32, 32));
/// let cells = blocks.map_reduce(|(rows, cols)| rows.len() * cols.len(), 0, |a, b| a + b);
/// assert_eq!(cells, 99 * 49);
/// ```
///
/// # Panics
/// If either size is 0.
pub fn blocks(rows: Range<usize>, cols: Range<usize>, size: (usize, usize)) -> Loop<Blocks> {
    Loop::over(Blocks::new(rows, cols, size))
}

impl<S: Space> Loop<S> {
    /// A loop over any space.
    pub fn over(space: S) -> Loop<S> {
        Loop { space, sharing: Sharing::default(), unless: None }
    }

    /// At least so many items at a time, except at the end; 0 counts as 1, which is what it is
    /// without this.
    ///
    /// What `steal` takes at a time follows from how long the items take, and a loop of one grain
    /// is not shared at all; so a grain is of use where an item takes some nanoseconds and there
    /// are few of them.
    pub fn grain(mut self, grain: usize) -> Loop<S> {
        self.sharing.grain = grain.max(1);
        self
    }

    /// By which rule the items are shared out; without this by `steal`.
    ///
    /// With `static` and `steal` each worker begins with the same part of the loop each time, so
    /// that it finds in its cache, and in its domain's memory, what it has put there in an earlier
    /// loop of the same size. The parts of workers that do not come are taken by the others.
    pub fn schedule(mut self, schedule: Schedule) -> Loop<S> {
        self.sharing.schedule = schedule;
        self
    }

    /// Begins no more chunks once `cancellation` is cancelled. A reduction then gives what the
    /// chunks come to that have been begun.
    ///
    /// ```
    /// use evenkeel::pool::{self, Cancellation};
    ///
    /// let found = Cancellation::new();
    /// pool::range(2..1_000_000).unless(&found).for_each(|i| {
    ///     if 999_999 % i == 0 {
    ///         found.cancel();
    ///     }
    /// });
    /// assert!(found.is_cancelled());
    /// ```
    pub fn unless(mut self, cancellation: &Cancellation) -> Loop<S> {
        self.unless = Some(cancellation.clone());
        self
    }

    /// A reduction that gives the same result to the last bit each time.
    pub fn reproducible(self) -> Reproducible<S> {
        Reproducible::new(self.space, self.unless)
    }

    /// Calls `body` with each item.
    ///
    /// # Panics
    /// If `body` does.
    pub fn for_each(self, body: impl Fn(S::Item) + Sync) {
        self.for_each_chunk(move |part| part.for_each(&body));
    }

    /// Calls `body` with each chunk as it is taken: an iterator over items that follow each other,
    /// of a range a range. For what is set up once per chunk, and for tight loops in which
    /// the compiler is to see all there is.
    ///
    /// # Panics
    /// If `body` does.
    pub fn for_each_chunk(self, body: impl Fn(S::Part) + Sync) {
        self.map_reduce_chunk(body, (), |(), ()| ());
    }

    /// Reduces what `map` makes of each item, beginning with `identity`, which must not change
    /// what it is reduced with.
    ///
    /// `reduce` must be associative and commutative, as the items meet in any order. Where that
    /// holds only roughly, as with sums of floating-point numbers, the result varies;
    /// [`reproducible`](Self::reproducible) ones do not, and need not commute.
    ///
    /// # Panics
    /// If a closure does.
    pub fn map_reduce<T: Clone + Send + Sync>(
        self,
        map: impl Fn(S::Item) -> T + Sync,
        identity: T,
        reduce: impl Fn(T, T) -> T + Sync,
    ) -> T {
        let reduce = &reduce;
        self.reduce(&identity, move |sum, part| part.map(&map).fold(sum, reduce), reduce)
    }

    /// As [`map_reduce`](Self::map_reduce), for what `map` makes of each chunk;
    /// see [`for_each_chunk`](Self::for_each_chunk).
    ///
    /// ```
    /// use evenkeel::pool;
    ///
    /// let (x, y) = (vec![1.0; 1000], vec![2.0; 1000]);
    /// let dot = |part: std::ops::Range<usize>| -> f64 {
    ///     std::iter::zip(&x[part.clone()], &y[part]).map(|(x, y)| x * y).sum()
    /// };
    /// assert_eq!(pool::range(0..1000usize).map_reduce_chunk(dot, 0.0, |a, b| a + b), 2000.0);
    /// ```
    ///
    /// # Panics
    /// If a closure does.
    pub fn map_reduce_chunk<T: Clone + Send + Sync>(
        self,
        map: impl Fn(S::Part) -> T + Sync,
        identity: T,
        reduce: impl Fn(T, T) -> T + Sync,
    ) -> T {
        let reduce = &reduce;
        self.reduce(&identity, move |sum, part| reduce(sum, map(part)), reduce)
    }

    fn reduce<T: Clone + Send + Sync>(
        self,
        identity: &T,
        fold: impl Fn(T, S::Part) -> T + Sync,
        merge: impl Fn(T, T) -> T + Sync,
    ) -> T {
        let Loop { space, sharing, unless } = self;
        let n = space.size();
        let work = move |portion: Portion<'_>| {
            portion.fold(identity.clone(), |sum, chunk| {
                // SAFETY: chunks are of numbers below the size, and each number is in one chunk.
                fold(sum, unsafe { space.part(chunk) })
            })
        };
        run(n, sharing, Stop::new(unless.as_ref()), work, merge)
    }
}
