//! The pool as one on which the iterators of `paralight` run.

use std::mem;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};

use paralight::iter::{Accumulator, ExactSizeAccumulator, GenericThreadPool, SourceCleanup};
use parking_lot::Mutex;

use super::region::{Portion, run};
use super::stop::Stop;
use super::supply::Sharing;

/// The caller's team, as a thread pool for the iterators of the crate `paralight`; outside a pool
/// the caller alone.
///
/// Items are shared out as those of a [`Loop`](super::Loop), by `steal`.
///
/// ```
/// use evenkeel::pool::{CallersTeam, Pool};
/// use paralight::prelude::*;
///
/// let numbers: Vec<u64> = (0..1000).collect();
/// let (odd, squares) = Pool::builder().threads(2).build()?.install(|| {
///     let odd = numbers.par_iter().copied().filter(|n| n % 2 == 1);
///     let squares = numbers.par_iter().map(|n| n * n);
///     (
///         odd.with_thread_pool(CallersTeam).sum::<u64>(),
///         squares.with_thread_pool(CallersTeam).collect::<Vec<u64>>(),
///     )
/// });
/// assert_eq!(odd, 250_000);
/// assert_eq!(squares[999], 998_001);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CallersTeam;

// SAFETY: `Indices` gives each number below the length once, or gives it to the clean-up; see
// there. It is never forgotten.
unsafe impl GenericThreadPool for CallersTeam {
    fn upper_bounded_pipeline<Output: Send, Accum>(
        self,
        input_len: usize,
        init: impl Fn() -> Accum + Sync,
        process_item: impl Fn(Accum, usize) -> ControlFlow<Accum, Accum> + Sync,
        finalize: impl Fn(Accum) -> Output + Sync,
        reduce: impl Fn(Output, Output) -> Output,
        cleanup: &(impl SourceCleanup + Sync),
    ) -> Output {
        let bound = AtomicUsize::new(usize::MAX);
        let work = |mut indices: Indices<'_, _>| {
            let mut accum = init();
            while let Some(index) = indices.next() {
                // Relaxed: seen late it costs an item that nobody needs.
                if index > bound.load(Ordering::Relaxed) {
                    indices.skip_from(index);
                    continue;
                }
                accum = match process_item(accum, index) {
                    ControlFlow::Continue(accum) => accum,
                    ControlFlow::Break(accum) => {
                        bound.fetch_min(index, Ordering::Relaxed);
                        accum
                    }
                };
            }
            finalize(accum)
        };
        let outputs = outputs(input_len, work, cleanup);
        outputs.into_iter().reduce(reduce).expect("the caller has made one")
    }

    fn iter_pipeline<Output, Accum: Send>(
        self,
        input_len: usize,
        accum: impl Accumulator<usize, Accum> + Sync,
        reduce: impl ExactSizeAccumulator<Accum, Output>,
        cleanup: &(impl SourceCleanup + Sync),
    ) -> Output {
        let work = |indices: Indices<'_, _>| accum.accumulate(indices);
        reduce.accumulate_exact(outputs(input_len, work, cleanup).into_iter())
    }
}

/// What each of those who take part makes of its portion, one at least.
fn outputs<T: Send, C: SourceCleanup + Sync>(
    n: usize,
    work: impl Fn(Indices<'_, C>) -> T + Sync,
    cleanup: &C,
) -> Vec<T> {
    let outputs = Mutex::new(Vec::new());
    let work = |portion: Portion<'_>| {
        let output = work(Indices { portion, chunk: 0..0, at_end: false, cleanup });
        outputs.lock().push(output);
    };
    run(n, Sharing::default(), Stop::new(None), work, |(), ()| ());
    outputs.into_inner()
}

/// The numbers of a portion one by one.
///
/// Who leaves before its end, be it that he has found what he looked for or that he panics, cleans
/// up all that is left of the loop, his own and the others'. So these come to their ends, and a
/// loop is not stopped otherwise: what is there is either given or cleaned up.
struct Indices<'a, C: SourceCleanup> {
    portion: Portion<'a>,
    /// What is left of the chunk at hand.
    chunk: Range<usize>,
    /// There was no other chunk. One that comes to light later is that of a thief, who had it in
    /// his hands, and not for this one to clean up.
    at_end: bool,
    cleanup: &'a C,
}

impl<C: SourceCleanup> Indices<'_, C> {
    fn take_chunk(&mut self) {
        match self.portion.next_left() {
            Some(chunk) => self.chunk = chunk,
            None => self.at_end = true,
        }
    }

    /// Cleans up the number that was given last, with which nothing was done, and the rest of its
    /// chunk.
    fn skip_from(&mut self, index: usize) {
        let rest = mem::take(&mut self.chunk);
        self.clean_up(index..rest.end);
    }

    fn clean_up(&self, numbers: Range<usize>) {
        if !numbers.is_empty() {
            // SAFETY: they are in no other portion, and nothing was or will be done with them.
            unsafe { self.cleanup.cleanup_item_range(numbers) };
        }
    }
}

impl<C: SourceCleanup> Iterator for Indices<'_, C> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(index) = self.chunk.next() {
                return Some(index);
            }
            if self.at_end {
                return None;
            }
            self.take_chunk();
        }
    }
}

impl<C: SourceCleanup> Drop for Indices<'_, C> {
    fn drop(&mut self) {
        while !self.at_end {
            let rest = mem::take(&mut self.chunk);
            self.clean_up(rest);
            self.take_chunk();
        }
    }
}
