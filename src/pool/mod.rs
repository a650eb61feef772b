//! The work-stealing thread pool: one worker per core, pinned, in teams.
//!
//! [`join`] and [`scope`] split work up wherever they are called; who takes part is decided by
//! the thread that calls them:
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
//! With the topology of the host each worker is pinned to its core, and steals from near ones
//! first:
//!
//! ```
//! use evenkeel::host::Host;
//! use evenkeel::pool::{Pool, scope};
//!
//! let pool = Pool::builder().topology(Host::discover()?.allowed).build()?;
//! let mut squares = [0; 100];
//! pool.install(|| {
//!     scope(|scope| {
//!         for (i, square) in squares.iter_mut().enumerate() {
//!             scope.spawn(move || *square = i * i);
//!         }
//!     });
//! });
//! assert_eq!(squares[99], 9801);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A worker that waits in `join` or `scope` runs other work of its team meanwhile. So do not
//! hold a lock across them that such work may want, as with any pool of this kind.

mod builder;
mod join;
mod latch;
mod scope;
mod shared;
mod sleep;
mod sources;
mod team;
mod work;
mod worker;

use std::fmt;
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

pub use builder::Builder;
pub use join::join;
pub use scope::{Scope, scope};
pub use team::Team;
pub use worker::current_core;

use crate::model::CoreId;
use shared::Shared;
use work::StackWork;
use worker::{Post, detach};

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
    /// How the pool is to be; as it stands, one unpinned thread per core that the process may
    /// use.
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
        Post::with(|post| match post {
            Some(post) if post.is_of(&self.shared) => work(),
            post => self.install_from_outside(post, work),
        })
    }

    fn install_from_outside<R: Send>(
        &self,
        elsewhere: Option<&Post>,
        work: impl FnOnce() -> R + Send,
    ) -> R {
        let work = StackWork::new(work);
        // SAFETY: this function does not return before the latch is set, and nothing between
        // here and there unwinds.
        self.shared.commons().inject(unsafe { work.as_work() });
        match elsewhere {
            Some(post) => post.help_until(|| work.latch().is_set()),
            None => work.latch().wait(),
        }
        work.into_result().unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Has `work` run some time later, and does not wait for it: by the caller's team if the
    /// caller is a worker of this pool, else by the workers that are in no team.
    ///
    /// A panic of `work` goes to [`Builder::on_panic`].
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        Post::with(|post| match post {
            Some(post) if post.is_of(&self.shared) => detach(post.team(), work),
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
        let inside = Post::with(|post| post.is_some_and(|post| post.is_of(&self.shared)));
        if inside {
            return;
        }
        for worker in self.threads.drain(..) {
            let ended = worker.join();
            debug_assert!(ended.is_ok() || thread::panicking(), "workers catch all panics");
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("cores", &self.cores()).finish_non_exhaustive()
    }
}

/// Has `work` run some time later by the caller's team, and does not wait for it. Outside any
/// pool it is simply `work()`.
///
/// A panic of `work` goes to [`Builder::on_panic`], or outside any pool to the caller.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    Post::with(|post| match post {
        Some(post) => detach(post.team(), work),
        None => work(),
    });
}
