//! The work-stealing pool as its users see it.

mod binding;
mod blocking;
mod cancel;
mod divide;
mod fork_join;
mod graph;
mod guests;
mod hooks;
mod idle;
#[cfg(feature = "paralight")]
mod iterators;
mod loops;
mod panics;
mod per_worker;
mod placing;
mod program;
mod random;
#[cfg(feature = "rayon")]
mod rayon_on;
mod shutdown;
mod soak;
mod statistics;
mod stress;
mod teams;
mod topology;

use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evenkeel::model::{Core, CoreId, Domain, Topology};
use evenkeel::pool::Pool;

/// Runs `test` on a thread of its own, and fails if it takes so long that it must hang.
fn bounded<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = test();
        let _ = done.send(());
        result
    });
    if ended.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("hangs: not done after a minute");
    }
    thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
}

fn pool(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

/// Two domains of one core.
fn two_domains() -> Pool {
    let core = |i: u32| Core { id: CoreId(i), package: i, cache: i, units: vec![i] };
    let domain = |d: u32| Domain { id: d, memory: 0, cores: vec![core(d)] };
    let host = Topology {
        domains: vec![domain(0), domain(1)],
        distances: vec![vec![10, 20], vec![20, 10]],
    };
    Pool::builder().topology(host).pin(false).build().unwrap()
}

/// Cheap numbers that look random and come again with the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}
