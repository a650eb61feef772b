//! Random programs on random pools: whatever the schedule, every closure runs exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::pool;

use super::{Random, bounded, pool};

/// How many closures of a program have ended, and how many were to be run. A closure ends after
/// all that it gives rise to has become due, so the two are equal only when all is over.
#[derive(Default)]
struct Tally {
    ended: AtomicUsize,
    due: AtomicUsize,
}

impl Tally {
    fn due(&self) {
        self.due.fetch_add(1, Ordering::Relaxed);
    }
}

/// A random tree of joins, scopes and detached spawns, `depth` deep.
fn program(seed: u64, depth: u32, tally: &Arc<Tally>) {
    if depth > 0 {
        branch(seed, depth, tally);
    }
    // Release: partner is the load in `settle`.
    tally.ended.fetch_add(1, Ordering::Release);
}

fn branch(seed: u64, depth: u32, tally: &Arc<Tally>) {
    let mut random = Random(seed);
    let sub = |n: u64| {
        tally.due();
        let seed = seed.wrapping_mul(31).wrapping_add(n);
        move || program(seed, depth - 1, tally)
    };
    match random.below(5) {
        0 => {
            pool::join(sub(0), sub(1));
        }
        1 => pool::scope(|s| {
            (0..random.below(5)).for_each(|n| s.spawn(sub(n)));
        }),
        2 => pool::scope(|s| {
            let (one, other) = (sub(0), sub(1));
            s.spawn(move || s.spawn(one));
            pool::join(other, sub(2));
        }),
        3 => {
            tally.due();
            let (own, seed) = (Arc::clone(tally), random.below(u64::MAX));
            pool::spawn(move || program(seed, depth - 1, &own));
            pool::join(sub(0), sub(1));
        }
        _ => {
            thread::yield_now();
            sub(0)();
        }
    }
}

/// Waits until all that was due has ended, and sees that nothing has run twice.
fn settle(tally: &Tally) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let counts = || (tally.ended.load(Ordering::Acquire), tally.due.load(Ordering::Relaxed));
    while matches!(counts(), (ended, due) if ended < due) {
        assert!(Instant::now() < deadline, "ended and due: {:?}", counts());
        thread::yield_now();
    }
    assert_eq!(counts().0, counts().1, "ended and due");
}

#[test]
fn random_programs_run_everything_once() {
    bounded(|| {
        let end = Instant::now() + Duration::from_secs(2);
        let mut seed = 1;
        while seed <= 20 || (Instant::now() < end && seed < 10_000) {
            let pool = pool(1 + (seed as usize % 8));
            for _ in 0..5 {
                seed += 1;
                let tally = Arc::new(Tally::default());
                tally.due();
                pool.install(|| program(seed, 9, &tally));
                settle(&tally);
            }
        }
    });
}

#[test]
fn random_programs_in_teams_beside_each_other() {
    bounded(|| {
        let pool = pool(6);
        let end = Instant::now() + Duration::from_secs(2);
        let mut random = Random(42);
        let mut round = 0;
        while round < 20 || (Instant::now() < end && round < 10_000) {
            round += 1;
            let tally = Arc::new(Tally::default());
            let cut = 1 + random.below(5) as usize;
            for cores in [&pool.cores()[..cut], &pool.cores()[cut..]] {
                tally.due();
                let (tally, seed) = (Arc::clone(&tally), random.below(u64::MAX));
                pool.start(cores, move |_| program(seed, 8, &tally));
            }
            if round % 3 == 0 {
                tally.due();
                pool.install(|| program(round, 6, &tally));
            }
            settle(&tally);
        }
    });
}

#[test]
fn deep_recursion_on_more_workers_than_cores() {
    fn deep(n: u32) -> u64 {
        if n == 0 { 0 } else { pool::join(|| 1, || deep(n - 1)).1 + 1 }
    }
    bounded(|| {
        let pool = pool(8);
        for _ in 0..20 {
            assert_eq!(pool.install(|| deep(2_000)), 2_000);
        }
    });
}
