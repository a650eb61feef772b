//! State of which each worker has its own.

use std::sync::Arc;
use std::vec;

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

use super::Pool;
use super::context::Context;
use super::shared::Shared;

/// A state for each worker of a pool, made by the worker when it first needs it: what is summed
/// up, or memory to work in, that is neither made anew for each piece of work nor shared.
///
/// ```
/// use evenkeel::pool::{self, PerWorker, Pool};
///
/// let pool = Pool::builder().threads(2).build()?;
/// let counts = PerWorker::new(&pool, || [0; 10]);
/// pool.install(|| {
///     pool::range(0..1000_usize).for_each(|i| counts.with(|counts| counts[i * i % 10] += 1));
/// });
/// let squares_that_end_in_6: i32 = counts.into_iter().map(|counts| counts[6]).sum();
/// assert_eq!(squares_that_end_in_6, 200);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A state is for one piece of work at a time. A worker that waits inside [`with`](Self::with), and
/// takes up other work that needs a state too, makes another one for that. Threads that are not
/// workers of the pool get states as well, which go from one to the next. So there may be some
/// more states than workers, and each is used by one thread at a time.
pub struct PerWorker<T, F = fn() -> T> {
    pool: Arc<Shared>,
    init: F,
    /// For each worker, and in the end for all other threads, the states that are not in use.
    unused: Box<[CachePadded<Mutex<Vec<T>>>]>,
}

impl<T, F: Fn() -> T> PerWorker<T, F> {
    /// For the workers of `pool`; each state will be what `init` gives.
    pub fn new(pool: &Pool, init: F) -> PerWorker<T, F> {
        let places = pool.cores().len() + 1;
        PerWorker {
            pool: Arc::clone(&pool.shared),
            init,
            unused: (0..places).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Calls `body` with a state of the calling worker. The state is moved out of its place and
    /// back: large ones had better lie on the heap.
    ///
    /// # Panics
    /// If `body` does, or what makes a state. A state is dropped in which `body` has panicked.
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let unused = &self.unused[self.place()];
        let known = unused.lock().pop();
        let mut state = known.unwrap_or_else(&self.init);
        let result = body(&mut state);
        unused.lock().push(state);
        result
    }

    /// Where the states of the calling thread are.
    fn place(&self) -> usize {
        let others = self.unused.len() - 1;
        Context::with(|cx| match cx {
            Some(cx) if cx.post().is_of(&self.pool) => cx.post().number().min(others),
            _ => others,
        })
    }
}

/// The states, by worker, and then those of other threads.
impl<T, F> IntoIterator for PerWorker<T, F> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> vec::IntoIter<T> {
        let states = |unused: CachePadded<Mutex<Vec<T>>>| unused.into_inner().into_inner();
        self.unused.into_iter().flat_map(states).collect::<Vec<T>>().into_iter()
    }
}
