//! The pools that take part everywhere.

use std::io;

use super::{BenchError, OURS, RAYON};
use crate::pool::Pool;

/// This library's pool as its users get it.
pub(super) fn ours(threads: usize) -> Result<Pool, BenchError> {
    let pool = Pool::builder().threads(threads).build();
    pool.map_err(|error| BenchError::Threads { contender: OURS, threads, error })
}

/// Rayon's with as many threads.
pub(super) fn rayon(threads: usize) -> Result<rayon::ThreadPool, BenchError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| BenchError::Threads {
        contender: RAYON,
        threads,
        error: io::Error::other(error),
    })
}
