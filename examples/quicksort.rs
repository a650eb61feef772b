//! Sorts numbers by a parallel quicksort: each half of a range is sorted by whoever has nothing
//! better to do.
//!
//! ```text
//! cargo run --release --example quicksort
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Instant;

use evenkeel::pool::{Context, Pool};

/// What is shorter is sorted by one worker.
const SHORT: usize = 2_000;

/// Sorts `numbers` by the team of `cx`.
fn quicksort(cx: &Context, numbers: &mut [f64]) {
    if numbers.len() <= SHORT {
        numbers.sort_unstable_by(f64::total_cmp);
        return;
    }
    let middle = partition(numbers);
    let (left, right) = numbers.split_at_mut(middle);
    cx.join(|cx| quicksort(cx, left), |cx| quicksort(cx, &mut right[1..]));
}

/// Puts all that is less than the median of three before it and the rest behind it; gives back
/// where it lies then.
fn partition(numbers: &mut [f64]) -> usize {
    let (last, middle) = (numbers.len() - 1, numbers.len() / 2);
    let mut three = [0, middle, last];
    three.sort_unstable_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    numbers.swap(three[1], last);
    let (pivot, mut less) = (numbers[last], 0);
    for i in 0..last {
        if numbers[i] < pivot {
            numbers.swap(i, less);
            less += 1;
        }
    }
    numbers.swap(less, last);
    less
}

/// Numbers between 0 and 1 that look random and are the same each time.
fn numbers(n: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn main() -> Result<(), std::io::Error> {
    let unsorted = numbers(2_000_000);
    let mut expected = unsorted.clone();
    expected.sort_unstable_by(f64::total_cmp);
    for workers in [1, 2, 4] {
        let pool = Pool::builder().threads(workers).build()?;
        let mut sorted = unsorted.clone();
        let start = Instant::now();
        pool.run(|cx| quicksort(cx, &mut sorted));
        println!("{workers} workers: {} numbers in {:.0?}", sorted.len(), start.elapsed());
        assert!(sorted == expected, "{workers} workers sorted wrongly");
    }
    Ok(())
}

#[test]
fn it_sorts() {
    main().unwrap();
}
