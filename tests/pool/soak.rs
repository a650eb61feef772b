//! Pools that come and go while random programs run on them: what has begun ends, what has not is
//! dropped, and no closure is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::pool::{self, Pool};

use super::program::{Allowed, Left, Place, Program};
use super::random::play;
use super::{Random, bounded};

/// Gives a pool programs that nobody waits for, and drops it while they run.
fn cut_short(seed: u64) {
    let mut random = Random(seed);
    let left = Arc::new(Left::default());
    let threads = 1 + random.below(5) as usize;
    // A program that is alone does not panic; one that is dropped is not run.
    let pool = Pool::builder().threads(threads).on_panic(|_| ()).build().unwrap();
    for _ in 0..random.below(6) {
        let program = Program::random(&mut random, Allowed::new(7, 0, true));
        let left = Arc::clone(&left);
        let work = move || {
            program.run(Place { left: &left, pools: None }, None);
        };
        match random.below(3) {
            0 => {
                pool.start(&pool.cores()[random.below(threads as u64) as usize..], move |_| work());
            }
            1 => pool.spawn(work),
            _ => pool.start(pool.cores(), move |_| pool::spawn(work)),
        }
    }
    (0..random.below(4)).for_each(|_| thread::yield_now());
    if random.below(4) > 0 {
        drop(pool);
    } else {
        // By one of its own workers: they end by themselves.
        let pool = Arc::new(pool);
        let inside = Arc::clone(&pool);
        pool.spawn(move || drop(inside));
        drop(pool);
    }
    let end = Instant::now() + Duration::from_secs(30);
    // The last to have it is the last closure, or the pool's last thread.
    while Arc::strong_count(&left) > 1 {
        assert!(Instant::now() < end, "a closure is left");
        thread::yield_now();
    }
    assert_eq!(left.alive.load(Ordering::Relaxed), 0);
}

/// Runs `round` with one seed after the other, for so many seconds.
#[expect(clippy::print_stdout, reason = "which seed it was")]
fn soak(seconds: u64, round: fn(u64)) {
    let given = std::env::var("EVENKEEL_POOL_SEED").ok().map(|seed| seed.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut seed = given.unwrap_or(1);
    while Instant::now() < end {
        // Before, since a crash says nothing.
        println!("EVENKEEL_POOL_SEED={seed}");
        bounded(move || round(seed));
        seed += 1;
    }
}

#[test]
fn a_pool_ends_while_programs_run() {
    soak(3, cut_short);
}

#[test]
#[ignore = "takes as long as it is told: `make verify` runs it"]
fn pools_come_and_go() {
    let seconds = std::env::var("EVENKEEL_SOAK_SECONDS").map_or(60, |given| given.parse().unwrap());
    soak(seconds, |seed| {
        play(seed);
        cut_short(seed);
    });
}
