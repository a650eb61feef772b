//! Pools of rayon's, for code that was written for it.

use std::io;
use std::sync::mpsc;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::binding::pin;
use super::builder::STACK;
use crate::model::Core;

/// A pool of rayon's with a thread for each of `cores`, bound to it, for existing code that is
/// written for rayon: it then keeps to a domain, or to the cores of a [`Team`](super::Team), and
/// leaves the others alone. The threads are named after their cores, `rayon-c3`.
///
/// Where a worker waits for work of such a pool that has the same cores, each core is used by one
/// of the two.
///
/// ```
/// use evenkeel::host::Host;
/// use evenkeel::pool::rayon_on;
///
/// let host = Host::discover()?;
/// let pool = rayon_on(&host.allowed.domains[0].cores)?;
/// let (a, b) = pool.install(|| rayon::join(|| 1, || 2));
/// assert_eq!(a + b, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If there is no core, if a thread cannot be started, or not be pinned.
pub fn rayon_on(cores: &[Core]) -> io::Result<ThreadPool> {
    if cores.is_empty() {
        let message = "a pool needs at least one core";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let (ready, readiness) = mpsc::channel();
    let start = |worker: rayon::ThreadBuilder| {
        let (core, ready) = (cores[worker.index()].clone(), ready.clone());
        let thread = thread::Builder::new().name(format!("rayon-{}", core.id)).stack_size(STACK);
        let life = move || {
            // Nobody listens any more if another has failed; then the pool ends.
            let _ = ready.send(pin(&core));
            drop(ready);
            worker.run();
        };
        thread.spawn(life).map(drop)
    };
    let pool = ThreadPoolBuilder::new().num_threads(cores.len()).spawn_handler(start).build();
    let pool = pool.map_err(io::Error::other)?;
    drop(ready);
    readiness.iter().collect::<io::Result<()>>()?;
    Ok(pool)
}
