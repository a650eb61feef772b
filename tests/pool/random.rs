//! Random programs on random pools, in every way to get into one: whatever the schedule, each comes
//! to what it comes to alone, and nothing is left.
//!
//! A seed makes pools and programs. The last that is printed is the one that failed, and with
//! `EVENKEEL_POOL_SEED` it is run again and again: who takes what is not in the seed.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::pool::{Pool, Priority, Waiting};

use super::program::{Allowed, Left, Place, Planned, Program};
use super::{Random, bounded};

/// How a program gets into a pool, from outside.
#[derive(Clone, Copy)]
enum Way {
    Run,
    TakePart,
    Start,
    Spawn(Priority),
}

/// Some programs side by side, on two pools.
pub(crate) fn play(seed: u64) {
    let mut random = Random(seed);
    let panics = Arc::new(AtomicUsize::new(0));
    let pools = [0, 1].map(|_| {
        let waiting = [Waiting::Spin, Waiting::Balanced, Waiting::Park][random.below(3) as usize];
        let threads = 1 + random.below(5) as usize;
        let count = Arc::clone(&panics);
        let on_panic = move |_| _ = count.fetch_add(1, Ordering::Relaxed);
        Pool::builder().threads(threads).waiting(waiting).on_panic(on_panic).build().unwrap()
    });
    let pools = Arc::new(pools);
    // What a guest leaves behind goes to a list, where an isolated worker does not look: see the
    // known limits of the pool. So there are either guests or isolated parts.
    let has_guests = random.below(2) == 0;
    let games: Vec<_> = (0..1 + random.below(4))
        .map(|_| {
            let way = match random.below(6) {
                0 | 1 => Way::Run,
                2 | 3 if has_guests => Way::TakePart,
                2 | 3 => Way::Run,
                4 => Way::Start,
                _ => Way::Spawn([Priority::Low, Priority::High][random.below(2) as usize]),
            };
            let elsewhere = if matches!(way, Way::Run | Way::TakePart) { 2 } else { 0 };
            let allowed = Allowed::new(9, elsewhere, !has_guests);
            let program = Program::random(&mut random, allowed);
            let (at, pools) = (random.below(2) as usize, Arc::clone(&pools));
            // Not scoped: the sanitizer sees a thread's end by its join alone.
            thread::spawn(move || enter(way, [&pools[at], &pools[1 - at]], &Arc::new(program)))
        })
        .collect();
    for game in games {
        game.join().unwrap_or_else(|payload| panic::resume_unwind(payload));
    }
    assert_eq!(panics.load(Ordering::Relaxed), 0);
}

/// Runs a program, and again alone.
fn enter(way: Way, pools: [&Pool; 2], program: &Arc<Program>) {
    let left = Arc::new(Left::default());
    let place = Place { left: &left, pools: Some(pools) };
    let value = match way {
        Way::Run => pools[0].run(|cx| program.run(place, Some(cx))),
        Way::TakePart => pools[0].take_part(|| program.run(place, None)),
        Way::Start | Way::Spawn(_) => {
            let (send, receive) = mpsc::channel();
            let (program, left) = (Arc::clone(program), Arc::clone(&left));
            let work = move || {
                let place = Place { left: &left, pools: None };
                send.send(program.run(place, None)).unwrap();
            };
            match way {
                Way::Spawn(priority) => pools[0].with_priority(priority).spawn(work),
                _ => pools[0].start(pools[0].cores(), move |_| work()),
            }
            receive.recv().expect("it does not panic")
        }
    };
    let expected = Left::default();
    assert_eq!(program.alone(&expected), Ok::<u64, Planned>(value));
    let end = Instant::now() + Duration::from_secs(30);
    let detached = expected.ended.into_inner();
    // A closure goes after what it has counted. Acquire: partner is `Left::add`.
    let is_left =
        || left.ended.load(Ordering::Acquire) < detached || left.alive.load(Ordering::Relaxed) > 0;
    while is_left() {
        assert!(Instant::now() < end, "something is left");
        thread::yield_now();
    }
    assert_eq!(left.ended.load(Ordering::Relaxed), detached);
    assert_eq!(left.sum.load(Ordering::Relaxed), expected.sum.into_inner());
}

#[test]
#[expect(clippy::print_stdout, reason = "which seed it was")]
fn each_comes_to_what_it_comes_to_alone() {
    let given = std::env::var("EVENKEEL_POOL_SEED").ok().map(|seed| seed.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(10);
    for n in 1..2_000 {
        let seed = given.unwrap_or(n);
        // Before, since a crash says nothing.
        println!("EVENKEEL_POOL_SEED={seed}");
        bounded(move || play(seed));
        if n >= 20 && Instant::now() > end {
            break;
        }
    }
}
