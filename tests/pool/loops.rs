//! Loops: each item once, by the right workers; reductions give what a sequential loop gives.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, LazyLock, Mutex, mpsc};
use std::thread;

use evenkeel::model::CoreId;
use evenkeel::policy::Schedule;
use evenkeel::pool::{self, Cancellation, Pool};
use proptest::prelude::*;

use super::{bounded, pool};

/// Pools of 1 to 8 workers, for all cases.
static POOLS: LazyLock<Vec<Pool>> = LazyLock::new(|| (1..=8).map(pool).collect());

fn any_schedule() -> impl Strategy<Value = Schedule> {
    (0..Schedule::ALL.len()).prop_map(|which| Schedule::ALL[which])
}

fn here() -> CoreId {
    pool::current_core().expect("on a worker")
}

/// How often each of `0..n` was seen.
struct Seen(Vec<AtomicUsize>);

impl Seen {
    fn none_of(n: usize) -> Seen {
        Seen((0..n).map(|_| AtomicUsize::new(0)).collect())
    }

    fn see(&self, index: usize) {
        self.0[index].fetch_add(1, Ordering::Relaxed);
    }

    fn times(self) -> Vec<usize> {
        self.0.into_iter().map(AtomicUsize::into_inner).collect()
    }
}

proptest! {
    #[test]
    fn each_index_comes_once(
        which in 0..8usize, schedule in any_schedule(), n in 0..3000usize, grain in 0..100usize,
    ) {
        let seen = Seen::none_of(n);
        let items = pool::range(0..n).grain(grain).schedule(schedule);
        POOLS[which].install(|| items.for_each(|i| seen.see(i)));
        prop_assert_eq!(seen.times(), vec![1; n]);
    }

    #[test]
    fn chunks_are_of_a_grain_at_least_but_the_last(
        which in 0..8usize, schedule in any_schedule(), n in 0..3000u32, grain in 1..100usize,
    ) {
        let chunks = Mutex::new(Vec::new());
        let items = pool::range(7..7 + n).grain(grain).schedule(schedule);
        POOLS[which].install(|| items.for_each_chunk(|chunk| chunks.lock().unwrap().push(chunk)));
        let mut chunks = chunks.into_inner().unwrap();
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        let mut end = 7;
        for chunk in chunks {
            prop_assert_eq!(chunk.start, end);
            prop_assert!(chunk.len() >= grain || chunk.end == 7 + n, "{:?}", chunk);
            end = chunk.end;
        }
        prop_assert_eq!(end, 7 + n);
    }

    #[test]
    fn reductions_give_what_a_sequential_loop_gives(
        which in 0..8usize, schedule in any_schedule(), grain in 0..50usize,
        numbers in prop::collection::vec(any::<u64>(), 0..1000),
    ) {
        let items = || pool::range(0..numbers.len() as u64).grain(grain).schedule(schedule);
        let (xor, most, ones) = POOLS[which].install(|| {
            let at = |i: u64| numbers[i as usize];
            let ones = |part: Range<u64>| part.map(|i| at(i).count_ones()).sum();
            (
                items().map_reduce(at, 0, |a, b| a ^ b),
                items().map_reduce(at, 0, u64::max),
                items().map_reduce_chunk(ones, 0, |a, b| a + b),
            )
        });
        prop_assert_eq!(xor, numbers.iter().fold(0, |a, b| a ^ b));
        prop_assert_eq!(most, numbers.iter().copied().max().unwrap_or(0));
        prop_assert_eq!(ones, numbers.iter().map(|x| x.count_ones()).sum::<u32>());
    }

    #[test]
    fn slices_come_in_chunks_with_their_numbers(
        which in 0..8usize, schedule in any_schedule(), len in 0..2000usize, size in 1..80usize,
    ) {
        let mut numbers: Vec<usize> = (0..len).collect();
        let sum = POOLS[which].install(|| {
            pool::chunks_mut(&mut numbers, size).schedule(schedule).for_each(|(number, chunk)| {
                assert_eq!(chunk[0], number * size);
                assert!(chunk.len() == size || number == len / size);
                chunk.iter_mut().for_each(|x| *x += 1);
            });
            let sum = |(number, chunk): (usize, &[usize])| {
                assert_eq!(chunk[0], number * size + 1);
                chunk.iter().sum()
            };
            pool::chunks(&numbers, size).schedule(schedule).map_reduce(sum, 0, |a, b| a + b)
        });
        prop_assert!(numbers.into_iter().eq(1..=len));
        prop_assert_eq!(sum, len * (len + 1) / 2);
    }

    #[test]
    fn blocks_cover_a_matrix(
        which in 0..8usize, schedule in any_schedule(), row in 0..5usize, col in 0..5usize,
        rows in 0..70usize, cols in 0..70usize, size in (1..20usize, 1..20usize),
    ) {
        let seen = Seen::none_of(rows * cols);
        let blocks = pool::blocks(row..row + rows, col..col + cols, size).schedule(schedule);
        POOLS[which].install(|| blocks.for_each(|(block_rows, block_cols)| {
            assert!(block_rows.len() <= size.0 && block_cols.len() <= size.1);
            assert_eq!((block_rows.start - row) % size.0, 0);
            assert_eq!((block_cols.start - col) % size.1, 0);
            for i in block_rows {
                block_cols.clone().for_each(|j| seen.see((i - row) * cols + j - col));
            }
        }));
        prop_assert_eq!(seen.times(), vec![1; rows * cols]);
    }

    #[test]
    fn reproducible_sums_are_the_same_to_the_last_bit(
        which in 0..8usize, schedule in any_schedule(), grain in 0..5000usize,
        start in 1..100u32, n in 0..20_000u32,
    ) {
        let sums = |grain, schedule| {
            let items = || pool::range(start..start + n).grain(grain).schedule(schedule);
            let term = |i: u32| 1.0 / f64::from(i);
            let part = |part: Range<u32>| part.map(term).sum();
            let one = items().reproducible().map_reduce(term, 0.0, |a, b| a + b);
            let other = items().reproducible().map_reduce_chunk(part, 0.0, |a, b| a + b);
            [f64::to_bits(one), f64::to_bits(other)]
        };
        let outside = sums(1, Schedule::Steal);
        prop_assert_eq!(POOLS[which].install(|| sums(grain, schedule)), outside);
    }
}

#[test]
fn what_is_reduced_reproducibly_keeps_its_order() {
    let word = |i: u32| i.to_string();
    let expected: String = (0..10_000).map(word).collect();
    for pool in &*POOLS {
        let items = pool::range(0..10_000u32).reproducible();
        let text = pool.install(|| items.map_reduce(word, String::new(), |a, b| a + &b));
        assert!(text == expected);
    }
}

#[test]
fn ranges_may_be_long_empty_or_at_the_end_of_their_type() {
    let len = |part: Range<u64>| part.end - part.start;
    for schedule in Schedule::ALL {
        POOLS[2].install(|| {
            let count = |range: Range<u64>, grain| {
                let items = pool::range(range).grain(grain).schedule(schedule);
                items.map_reduce_chunk(len, 0, |a, b| a + b)
            };
            assert_eq!(count(5..5, 1), 0);
            assert_eq!(count(Range { start: 7, end: 5 }, 1), 0);
            assert_eq!(count(u64::MAX - 100..u64::MAX, 3), 100);
            // More than 32 bits count.
            if schedule != Schedule::Ss {
                assert_eq!(count(3..3 + (1 << 33), 1), 1 << 33);
            }
            assert_eq!(count(0..u64::MAX, 1 << 60), u64::MAX);
            let signed = pool::range(i32::MIN..i32::MAX).grain(1 << 20).schedule(schedule);
            let len = signed.map_reduce_chunk(|part| part.len() as u64, 0, |a, b| a + b);
            assert_eq!(len, u64::from(u32::MAX));
            let sum = pool::range(-10i64..5).schedule(schedule).map_reduce(|i| i, 0, |a, b| a + b);
            assert_eq!(sum, -45);
        });
    }
}

#[test]
fn outside_a_pool_it_is_a_sequential_loop() {
    let me = thread::current().id();
    for schedule in Schedule::ALL {
        let order = Mutex::new(Vec::new());
        pool::range(0..100u32).schedule(schedule).for_each(|i| {
            assert_eq!(thread::current().id(), me);
            order.lock().unwrap().push(i);
        });
        assert!(order.into_inner().unwrap().into_iter().eq(0..100));
    }
}

#[test]
fn a_loop_of_one_grain_stays_with_the_caller() {
    for schedule in Schedule::ALL {
        POOLS[7].install(|| {
            let caller = here();
            let items = pool::range(0..1000usize).grain(1000).schedule(schedule);
            items.for_each(|_| assert_eq!(here(), caller));
        });
    }
}

/// Which numbers each worker of a pool gets, where each waits with its first until all have one.
fn first_chunks(pool: &Pool, n: usize, grain: usize, schedule: Schedule) -> Vec<Range<usize>> {
    let workers = pool.cores().len();
    let (all_here, chunks) = (Barrier::new(workers), Mutex::new(vec![0..0; workers]));
    pool.install(|| {
        pool::range(0..n).grain(grain).schedule(schedule).for_each_chunk(|chunk| {
            let worker = pool.cores().iter().position(|core| *core == here()).unwrap();
            let is_first = chunks.lock().unwrap()[worker].is_empty();
            if is_first {
                chunks.lock().unwrap()[worker] = chunk;
                all_here.wait();
            }
        });
    });
    chunks.into_inner().unwrap()
}

#[test]
fn all_of_the_team_come_and_each_begins_with_its_own_part_each_time() {
    bounded(|| {
        // Of more than a few workers the parts lie elsewhere.
        for (workers, n) in [(2, 2), (2, 101), (5, 64), (20, 20), (20, 1000)] {
            let pool = pool(workers);
            for _ in 0..5 {
                let mut begin = 0;
                for chunk in first_chunks(&pool, n, 1, Schedule::Static) {
                    let longer = begin < (n % workers) * (n / workers + 1);
                    assert_eq!(chunk, begin..begin + n / workers + usize::from(longer));
                    begin = chunk.end;
                }
                let whole = first_chunks(&pool, n, 1, Schedule::Static);
                for (chunk, part) in iter::zip(first_chunks(&pool, n, 1, Schedule::Steal), whole) {
                    assert_eq!(chunk.start, part.start);
                    assert!(chunk.end <= part.end);
                }
            }
        }
        for schedule in Schedule::ALL {
            first_chunks(&pool(4), 1000, 10, schedule);
        }
    });
}

#[test]
fn the_parts_of_workers_that_do_not_come_are_taken_by_the_others() {
    bounded(|| {
        let pool = pool(3);
        let (release, busy) = mpsc::channel::<()>();
        let (tell, is_busy) = mpsc::channel();
        pool.spawn(move || {
            tell.send(()).unwrap();
            busy.recv().unwrap_err();
        });
        is_busy.recv().unwrap();
        for schedule in Schedule::ALL {
            let seen = Seen::none_of(1000);
            pool.install(|| pool::range(0..1000usize).schedule(schedule).for_each(|i| seen.see(i)));
            assert_eq!(seen.times(), [1; 1000], "{schedule}");
        }
        drop(release);
    });
}

#[test]
fn only_the_team_takes_part() {
    bounded(|| {
        let pool = pool(4);
        let (send, receive) = mpsc::channel();
        let cores = [CoreId(3), CoreId(1)];
        for schedule in Schedule::ALL {
            let send = send.clone();
            pool.start(&cores, move |_| {
                let (cores, both_here) = (Mutex::new(BTreeSet::new()), Barrier::new(2));
                pool::range(0..5000).schedule(schedule).for_each(|_| {
                    let is_new = cores.lock().unwrap().insert(here());
                    if is_new {
                        both_here.wait();
                    }
                });
                send.send(cores.into_inner().unwrap()).unwrap();
            });
        }
        drop(send);
        let seen: Vec<BTreeSet<CoreId>> = receive.iter().collect();
        assert_eq!(seen, vec![BTreeSet::from(cores); Schedule::ALL.len()]);
    });
}

#[test]
fn loops_nest_in_each_other_and_in_joins() {
    bounded(|| {
        for pool in &*POOLS {
            for schedule in Schedule::ALL {
                let row = |i: u64| {
                    let cells = pool::range(0..i).schedule(schedule);
                    let (sum, count) = pool::join(
                        || cells.map_reduce(|j| i * j, 0, |a, b| a + b),
                        || pool::range(0..i).reproducible().map_reduce(|_| 1, 0, |a, b| a + b),
                    );
                    assert_eq!(count, i);
                    sum
                };
                let sum = pool.install(|| {
                    pool::range(0..60u64).schedule(schedule).map_reduce(row, 0, |a, b| a + b)
                });
                assert_eq!(sum, (0..60).map(|i| i * (i * i - i) / 2).sum::<u64>());
            }
        }
    });
}

/// What a closure panics with.
fn caught(body: impl FnOnce()) -> &'static str {
    let payload = panic::catch_unwind(AssertUnwindSafe(body)).expect_err("it panics");
    payload.downcast_ref::<&'static str>().copied().expect("with a word of ours")
}

fn fail(what: &'static str) -> ! {
    panic::resume_unwind(Box::new(what))
}

/// Counts who is inside a body.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn new(count: &'a AtomicUsize) -> Inside<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Inside(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_panic_goes_on_to_the_caller_when_nobody_is_inside_any_more() {
    bounded(|| {
        for pool in &*POOLS {
            for schedule in Schedule::ALL {
                let inside = AtomicUsize::new(0);
                let word = caught(|| {
                    pool.install(|| {
                        pool::range(0..1000).schedule(schedule).for_each(|i| {
                            let _inside = Inside::new(&inside);
                            thread::yield_now();
                            if i % 300 == 299 {
                                fail("one of three");
                            }
                        });
                    });
                });
                assert_eq!((word, inside.into_inner()), ("one of three", 0));
            }
            assert_eq!(pool.install(|| pool::range(0..9).map_reduce(|i| i, 0, i32::max)), 8);
        }
    });
}

/// A loop that has come far enough to be stopped: its first item stops it when others are at work,
/// and these do not get far before that.
struct Stopping {
    begun: AtomicUsize,
    workers: usize,
    is_stopped: AtomicBool,
}

impl Stopping {
    /// A loop by so many workers.
    fn by(workers: usize) -> Stopping {
        Stopping { begun: AtomicUsize::new(0), workers, is_stopped: AtomicBool::new(false) }
    }

    fn item(&self, number: usize, stop: impl FnOnce()) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            while self.begun.load(Ordering::Relaxed) < self.workers.min(2) {
                thread::yield_now();
            }
            self.is_stopped.store(true, Ordering::Relaxed);
            stop();
        }
        while !self.is_stopped.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        thread::yield_now();
    }

    #[track_caller]
    fn assert_short_of(self, n: usize) {
        let begun = self.begun.into_inner();
        assert!(begun < n / 4, "{begun} of {n} by {} workers", self.workers);
    }
}

/// Enough items for it to be seen that not all of them are begun.
const MANY: usize = 300_000;

/// The schedules whose first chunks are small.
const CAREFUL: [Schedule; 2] = [Schedule::Ss, Schedule::Steal];

#[test]
fn after_a_panic_nothing_more_is_begun() {
    bounded(|| {
        for pool in &*POOLS {
            for schedule in CAREFUL {
                let items = pool::range(0..MANY).schedule(schedule);
                let stopping = Stopping::by(pool.cores().len());
                let body = |i| stopping.item(i, || fail("stop"));
                assert_eq!(caught(|| pool.install(|| items.for_each(body))), "stop");
                stopping.assert_short_of(MANY);
            }
            let items = pool::range(0..MANY).reproducible();
            let stopping = Stopping::by(pool.cores().len());
            let map = |i| stopping.item(i, || fail("stop"));
            let word = caught(|| pool.install(|| items.map_reduce(map, (), |(), ()| ())));
            assert_eq!(word, "stop");
            stopping.assert_short_of(MANY);
        }
    });
}

#[test]
fn after_a_cancellation_nothing_more_is_begun() {
    bounded(|| {
        let check = |workers, run: &dyn Fn(&(dyn Fn() + Sync))| {
            for schedule in CAREFUL {
                let (stopping, needless) = (Stopping::by(workers), Cancellation::new());
                let items = || pool::range(0..MANY).schedule(schedule).unless(&needless);
                run(&|| items().for_each(|i| stopping.item(i, || needless.cancel())));
                stopping.assert_short_of(MANY);
                run(&|| {
                    let map = |_| -> u32 { panic!("it was cancelled before") };
                    assert_eq!(items().map_reduce(map, 1, |a, b| a * b), 1);
                    assert_eq!(items().reproducible().map_reduce(map, 1, |a, b| a * b), 1);
                });
            }
            let (stopping, needless) = (Stopping::by(workers), Cancellation::new());
            let items = || pool::range(0..MANY).unless(&needless).reproducible();
            let map = |i| {
                stopping.item(i, || needless.cancel());
                1
            };
            run(&|| assert!(items().map_reduce(map, 0, |a, b| a + b) < MANY / 4));
            stopping.assert_short_of(MANY);
        };
        check(1, &|body| body());
        for pool in &*POOLS {
            check(pool.cores().len(), &|body| pool.install(body));
        }
    });
}

#[test]
fn a_loop_in_a_destructor_that_runs_because_of_a_panic_is_done_to_its_end() {
    struct Last<'a>(&'a Seen);
    impl Drop for Last<'_> {
        fn drop(&mut self) {
            pool::range(0..5000usize).for_each(|i| self.0.see(i));
        }
    }
    bounded(|| {
        for pool in &*POOLS {
            let seen = Seen::none_of(5000);
            let word = caught(|| {
                pool.install(|| {
                    let _last = Last(&seen);
                    fail("early");
                });
            });
            assert_eq!(word, "early");
            assert_eq!(seen.times(), [1; 5000]);
        }
    });
}

#[test]
fn chunks_and_blocks_need_a_size() {
    for refused in [
        panic::catch_unwind(|| drop(pool::chunks(&[1], 0))),
        panic::catch_unwind(|| drop(pool::chunks_mut(&mut [1], 0))),
        panic::catch_unwind(|| drop(pool::blocks(0..1, 0..1, (1, 0)))),
    ] {
        let payload = refused.unwrap_err();
        let message = payload.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("never get to the end"), "{message}");
    }
}
