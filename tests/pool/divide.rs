//! Divisible work: all of it once, in order, whoever is there.

use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use evenkeel::pool::{self, Divisible};

use super::{Random, bounded, pool};

/// Numbers, of which some take much longer than others; in the end those that were seen, in order.
struct Numbers {
    left: Range<u64>,
    seen: Vec<u64>,
    fails_at: Option<u64>,
}

fn numbers(n: u64) -> Numbers {
    Numbers { left: 0..n, seen: Vec::new(), fails_at: None }
}

impl Divisible for Numbers {
    type Output = Vec<u64>;

    fn advance(&mut self, steps: usize) -> bool {
        for n in self.left.by_ref().take(steps) {
            assert_ne!(Some(n), self.fails_at, "on purpose");
            let mut random = Random(n);
            let work = if n % 64 == 0 { 3_000 } else { 30 };
            let sum: u64 = (0..work).map(|_| random.below(10)).sum();
            assert!(sum < 10 * work);
            self.seen.push(n);
        }
        !self.left.is_empty()
    }

    fn split(&mut self) -> Option<Numbers> {
        let middle = self.left.start + (self.left.end - self.left.start) / 2;
        let given = middle..self.left.end;
        self.left.end = middle;
        (!given.is_empty()).then(|| Numbers { left: given, seen: Vec::new(), ..*self })
    }

    fn finish(self) -> Vec<u64> {
        self.seen
    }

    fn merge(mut left: Vec<u64>, right: Vec<u64>) -> Vec<u64> {
        left.extend(right);
        left
    }
}

#[test]
fn every_part_once_and_in_order_on_any_number_of_workers() {
    bounded(|| {
        for workers in [1, 2, 3, 8] {
            let pool = pool(workers);
            for n in [0, 1, 2, 1_000, 20_000] {
                let seen = pool.install(|| pool::divide(numbers(n)));
                assert!(seen.into_iter().eq(0..n), "{n} numbers, {workers} workers");
            }
        }
    });
}

#[test]
fn outside_a_pool_it_is_done_by_the_caller() {
    assert!(pool::divide(numbers(1_000)).into_iter().eq(0..1_000));
}

/// A piece that is not done before another worker has had a part of it.
struct Shared<'a> {
    splits: &'a AtomicUsize,
    given: bool,
    told: &'a mpsc::Sender<()>,
}

impl Divisible for Shared<'_> {
    type Output = usize;

    fn advance(&mut self, _: usize) -> bool {
        if self.given {
            self.told.send(()).unwrap();
            return false;
        }
        self.splits.load(Ordering::Relaxed) == 0
    }

    fn split(&mut self) -> Option<Self> {
        self.splits.fetch_add(1, Ordering::Relaxed);
        Some(Shared { given: true, ..*self })
    }

    fn finish(self) -> usize {
        1
    }

    fn merge(left: usize, right: usize) -> usize {
        left + right
    }
}

#[test]
fn it_is_split_when_another_has_nothing_to_do() {
    bounded(|| {
        let splits = AtomicUsize::new(0);
        let (told, tell) = mpsc::channel();
        let shared = Shared { splits: &splits, given: false, told: &told };
        assert_eq!(pool(2).install(|| pool::divide(shared)), 2);
        assert_eq!(tell.try_iter().count(), 1);
    });
}

#[test]
fn a_panic_goes_on_to_the_caller_and_the_pool_stays_well() {
    bounded(|| {
        let pool = pool(4);
        for at in [0, 500, 9_999] {
            let work = Numbers { fails_at: Some(at), ..numbers(10_000) };
            let divide = || pool.install(|| pool::divide(work));
            let payload = panic::catch_unwind(AssertUnwindSafe(divide)).unwrap_err();
            assert!(payload.downcast_ref::<String>().unwrap().contains("on purpose"), "{at}");
        }
        assert_eq!(pool.install(|| pool::divide(numbers(100))).len(), 100);
    });
}
