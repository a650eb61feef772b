//! The work-stealing thread pool: one worker per core, in teams.
//!
//! [`join`], [`scope`] and loops ([`range`], [`chunks`], [`chunks_mut`], [`blocks`]) split work up
//! wherever they are called; who takes part is decided by the thread that calls them:
//!
//! - in work given to [`Pool::start`]: the workers of the cores that were named there, its
//!   [`Team`];
//! - in any other work of a pool ([`Pool::install`], [`Pool::spawn`]): the workers of that pool
//!   that are in no team;
//! - outside any pool: the calling thread alone.
//!
//! ```
//! use evenkeel::pool;
//!
//! fn sum(numbers: &[u64]) -> u64 {
//!     if numbers.len() <= 1024 {
//!         return numbers.iter().sum();
//!     }
//!     let (left, right) = numbers.split_at(numbers.len() / 2);
//!     let (left, right) = pool::join(|| sum(left), || sum(right));
//!     left + right
//! }
//!
//! let pool = pool::Pool::builder().threads(2).build()?;
//! let numbers: Vec<u64> = (0..100_000).collect();
//! assert_eq!(pool.install(|| sum(&numbers)), 4_999_950_000);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Loops go over ranges, slices and blocks, and reduce what comes out:
//!
//! ```
//! use evenkeel::pool::{self, Pool};
//!
//! let mut heat = vec![0.0; 10_000];
//! let total = Pool::builder().threads(2).build()?.install(|| {
//!     pool::chunks_mut(&mut heat, 100).for_each(|(row, cells)| cells.fill(row as f64));
//!     pool::range(0..heat.len()).reproducible().map_reduce(|i| heat[i], 0.0, |a, b| a + b)
//! });
//! assert_eq!(total, 495_000.0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! With the feature `paralight`, the iterator chains of that crate run on the pool too:
//! `CallersTeam`. With the feature `rayon`, `rayon_on` gives code that was written for rayon a pool
//! of its own on given cores.
//!
//! Where some pieces of work must come before others, a [`graph`] is built once and run many times.
//!
//! A worker keeps to its NUMA domain, where there are several, and steals from near ones first.
//! [`Builder::pin`] binds each to its own core:
//!
//! ```
//! use evenkeel::pool::{Pool, scope};
//!
//! let pool = Pool::builder().pin(true).build()?;
//! let mut squares = [0; 100];
//! pool.install(|| {
//!     scope(|scope| {
//!         for (i, square) in squares.iter_mut().enumerate() {
//!             scope.spawn(move || *square = i * i);
//!         }
//!     });
//! });
//! assert_eq!(squares[99], 9801);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A worker that waits in `scope`, or for a graph, runs other work of its team meanwhile. So do not
//! hold a lock across them that such work may want, as with any pool of this kind; or see
//! [`isolate`].

mod barrier;
mod binding;
mod blocking;
mod builder;
mod cancel;
mod context;
mod deque;
mod divide;
pub mod graph;
mod guest;
#[cfg(test)]
mod handover;
mod job;
mod join;
mod latch;
mod list;
mod loops;
mod patience;
mod per_worker;
mod placed;
mod post;
mod prefetch;
#[cfg(feature = "rayon")]
mod rayon_on;
mod scope;
mod shared;
mod slab;
mod sleep;
mod sources;
mod statistics;
mod sync;
mod tally;
mod team;
mod wait;
mod work;
mod worker;

use std::fmt;
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

pub use blocking::blocking;
pub use builder::Builder;
pub use cancel::Cancellation;
pub use context::Context;
pub use divide::{Divisible, divide};
pub use join::join;
pub use list::Priority;
#[cfg(feature = "paralight")]
pub use loops::CallersTeam;
pub use loops::{
    BlockPart, Blocks, Loop, Reproducible, SliceChunks, SliceChunksMut, Space, blocks, chunks,
    chunks_mut, range,
};
pub use patience::Waiting;
pub use per_worker::PerWorker;
pub use placed::Placed;
pub use post::current_core;
pub(crate) use prefetch::prefetch;
#[cfg(feature = "rayon")]
pub use rayon_on::rayon_on;
pub use scope::{Scope, scope};
pub use statistics::{Counts, Statistics, Steals};
pub use team::Team;

use crate::model::CoreId;
use latch::Latch;
use post::detach;
use shared::Shared;
use work::{Work, catch};

/// A handle to the workers; they end with it.
///
/// Dropping it waits for all work that has begun and ends the threads. What was spawned or
/// started but has not begun is dropped; what has begun gets all that it joins and scopes.
/// Dropped by one of its own workers it lets them end by themselves, without waiting.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// How the pool is to be; as it stands, with one worker for each core that the calling thread
    /// may use, or fewer where a quota does not feed as many, and each kept to its NUMA domain.
    ///
    /// What the machine is made of is found out as by [`Host`](crate::host::Host): where
    /// `HWLOC_SYNTHETIC` describes another one, the workers are for its cores, and not bound.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The cores of its workers.
    #[must_use]
    pub fn cores(&self) -> &[CoreId] {
        self.shared.commons().cores()
    }

    /// Runs `work` on a worker that is in no team, and returns its result.
    ///
    /// Called by a worker of this pool, in a team or not, it is simply `work()`. Any other
    /// caller is blocked; one that is a worker of another pool runs work of its own team there
    /// meanwhile. While every worker is in a team, `work` does not begin.
    ///
    /// # Panics
    /// If `work` does, with its payload.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.run(|_| work())
    }

    /// [`install`](Self::install) for work that goes on by [`Context::join`]: it gets the context
    /// of the worker that runs it.
    ///
    /// # Panics
    /// If `work` does, with its payload.
    pub fn run<R: Send>(&self, work: impl FnOnce(&Context) -> R + Send) -> R {
        Context::with(|cx| match cx {
            Some(cx) if cx.post().is_of(&self.shared) => work(cx),
            cx => self.run_from_outside(cx, work),
        })
    }

    /// Runs `work` on the calling thread, which takes part in the pool for so long: what `work`
    /// splits off, loops or spawns is shared with the workers that are in no team.
    ///
    /// Where the caller would have nothing to do but wait this saves handing over, which takes
    /// some microseconds each way: a short loop is over before a worker is awake. A loop that is
    /// not short leaves the core to the workers once all of them have come. Called by a worker of
    /// this pool it is simply `work()`. A few threads can take part at the same time; for any more,
    /// it is [`install`](Self::install).
    ///
    /// ```
    /// use evenkeel::pool::{self, Pool};
    ///
    /// let pool = Pool::builder().threads(2).build()?;
    /// let sum = || pool::range(0..64_u64).map_reduce(|i| i, 0, |a, b| a + b);
    /// assert_eq!(pool.take_part(sum), 2016);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `work` does, with its payload.
    pub fn take_part<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let inside = Context::with(|cx| cx.is_some_and(|cx| cx.post().is_of(&self.shared)));
        if inside {
            return work();
        }
        let commons = self.shared.commons();
        match commons.take_guest_seat(|| true) {
            Some(seat) => guest::take_part(&self.shared, commons, seat, None, |_| work()),
            None => self.install(work),
        }
    }

    fn run_from_outside<R: Send>(
        &self,
        elsewhere: Option<&Context>,
        work: impl FnOnce(&Context) -> R + Send,
    ) -> R {
        let mut result = None;
        let latch = Latch::for_this_thread();
        let (place, done) = (Pointer(&raw mut result), Pointer((&raw const latch).cast_mut()));
        let body = move |cx: &Context| {
            let (place, done) = (place, done);
            // SAFETY: the frame that both lie in does not go before the latch is set, which is
            // the last that is done with it.
            unsafe {
                *place.0 = Some(catch(|| work(cx)));
                Latch::set(done.0);
            }
        };
        // SAFETY: this function does not return before the latch is set, and nothing between
        // here and there unwinds.
        let work = unsafe { Work::new(body) };
        let commons = self.shared.commons();
        match elsewhere {
            Some(cx) => {
                commons.inject(work, None, Priority::default());
                cx.help_until(cx.deque.head(), &|| latch.is_set());
            }
            None => {
                commons.inject_and_wait(work);
                latch.wait();
            }
        }
        let result = result.expect("the latch is set after the result");
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Has `work` run some time later, and does not wait for it: by the caller's team if the
    /// caller is a worker of this pool, else by the workers that are in no team.
    ///
    /// A panic of `work` goes to [`Builder::on_panic`].
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        Context::with(|cx| match cx {
            Some(cx) if cx.post().is_of(&self.shared) => detach(cx.post().team(), work),
            _ => detach(self.shared.commons(), work),
        });
    }

    /// Has `work` run by a team of the workers of exactly these cores, on the worker of the
    /// first; never blocks.
    ///
    /// Each worker joins the team when it has ended the piece of work at hand, and leaves it
    /// when `work` and all that it spawned has ended; `work` begins as soon as the first worker
    /// is there. Teams that share a worker take turns in the order in which they were started.
    /// A worker that is told of a team lets work outside teams lie, for others or for later.
    ///
    /// A panic of `work` goes to [`Builder::on_panic`].
    ///
    /// # Panics
    /// If `cores` is empty, names a core twice, or one that the pool has no worker for.
    pub fn start(&self, cores: &[CoreId], work: impl FnOnce(&Team) + Send + 'static) {
        self.shared.call(cores, Box::new(work));
    }

    /// Ends the pool as dropping it does.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.close();
        let inside = Context::with(|cx| cx.is_some_and(|cx| cx.post().is_of(&self.shared)));
        if inside {
            return;
        }
        for worker in self.threads.drain(..) {
            let ended = worker.join();
            debug_assert!(ended.is_ok() || thread::panicking(), "workers catch all panics");
        }
        self.shared.join_stand_ins();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("cores", &self.cores()).finish_non_exhaustive()
    }
}

/// Runs `work` without taking up other work of the team while something in it waits: see
/// [`Context::isolate`]. Outside any pool it is simply `work()`.
pub fn isolate<R>(work: impl FnOnce() -> R) -> R {
    Context::with(|cx| match cx {
        Some(cx) => cx.isolate(|_| work()),
        None => work(),
    })
}

/// Has `work` run some time later by the caller's team, and does not wait for it. Outside any
/// pool it is simply `work()`.
///
/// A panic of `work` goes to [`Builder::on_panic`], or outside any pool to the caller.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    Context::with(|cx| match cx {
        Some(cx) => detach(cx.post().team(), work),
        None => work(),
    });
}

/// A pointer into the frame of who waits, which goes to another thread.
struct Pointer<T>(*mut T);

// SAFETY: what is done with it there is the business of who sends it.
unsafe impl<T> Send for Pointer<T> {}
