//! In which chunks each schedule hands out what there is to do.

use std::fs;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use evenkeel::policy::{Chunks, EqualParts, Schedule, Weights};
use proptest::prelude::*;

use crate::data;

/// Those with chunks that depend on nothing but their number.
const CENTRAL: [Schedule; 5] =
    [Schedule::Static, Schedule::Ss, Schedule::Gss, Schedule::Tss, Schedule::Fac2];

fn chunks(schedule: Schedule, n: usize, workers: usize, min: usize) -> Vec<Range<usize>> {
    let chunks = Chunks::new(schedule, n, workers, min).expect("it has central chunks");
    assert_eq!(chunks.get(chunks.len()), None);
    assert_eq!(chunks.get(usize::MAX), None);
    assert_eq!(chunks.is_empty(), n == 0);
    (0..chunks.len()).map(|number| chunks.get(number).expect("there is one")).collect()
}

fn sizes(schedule: Schedule, n: usize, workers: usize, min: usize) -> Vec<usize> {
    chunks(schedule, n, workers, min).iter().map(ExactSizeIterator::len).collect()
}

/// The published sequences: `"GSS N=1000 P=4": [250, 188, …]`.
#[test]
fn the_sequences_are_the_published_ones() {
    let Some(folder) = data("worked") else { return };
    let text = fs::read_to_string(folder.join("dls_chunks.json")).unwrap();
    let parts: Vec<&str> = text.split('"').skip(1).collect();
    let mut checked = 0;
    for entry in parts.chunks_exact(2) {
        let words: Vec<&str> = entry[0].split([' ', '=']).collect();
        let [name, "N", n, "P", workers] = words[..] else { panic!("{}", entry[0]) };
        let schedule: Schedule = name.to_lowercase().parse().unwrap();
        let numbers = entry[1].split(|c: char| !c.is_ascii_digit()).filter(|s| !s.is_empty());
        let published: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
        let (n, workers) = (n.parse().unwrap(), workers.parse().unwrap());
        assert_eq!(sizes(schedule, n, workers, 1), published, "{}", entry[0]);
        checked += 1;
    }
    assert_eq!(checked, 8);
}

#[test]
fn a_schedule_goes_by_its_name() {
    for schedule in Schedule::ALL {
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
    let unknown = "guided".parse::<Schedule>().unwrap_err().to_string();
    assert_eq!(
        unknown,
        "there is no schedule \"guided\"; there are static, ss, gss, tss, fac2, awf, steal"
    );
}

#[test]
fn small_examples() {
    assert_eq!(sizes(Schedule::Static, 10, 4, 1), [3, 3, 2, 2]);
    assert_eq!(sizes(Schedule::Static, 3, 8, 1), [1, 1, 1], "no worker gets an empty chunk");
    assert_eq!(sizes(Schedule::Static, 10, 4, 4), [5, 5], "two of four get enough");
    assert_eq!(sizes(Schedule::Ss, 5, 2, 1), [1; 5]);
    assert_eq!(sizes(Schedule::Ss, 5, 2, 2), [2, 2, 1]);
    assert_eq!(sizes(Schedule::Gss, 20, 2, 3), [10, 5, 3, 2]);
    assert_eq!(sizes(Schedule::Tss, 40, 2, 2), [10, 9, 8, 7, 6]);
    assert_eq!(sizes(Schedule::Fac2, 20, 2, 3), [5, 5, 3, 3, 3, 1]);
    assert_eq!(sizes(Schedule::Gss, 7, 0, 0), [7], "no worker counts as one");
    for schedule in CENTRAL {
        assert_eq!(sizes(schedule, 0, 4, 1), [0; 0]);
    }
    for schedule in [Schedule::Awf, Schedule::Steal] {
        assert_eq!(Chunks::new(schedule, 10, 4, 1), None);
    }
}

#[test]
fn no_number_is_too_large() {
    for schedule in CENTRAL {
        for (workers, min) in [(2, usize::MAX / 100), (usize::MAX, usize::MAX / 7), (1, 1 << 60)] {
            let all = chunks(schedule, usize::MAX, workers, min);
            assert_eq!(all.iter().map(ExactSizeIterator::len).sum::<usize>(), usize::MAX);
        }
    }
    let each = Chunks::new(Schedule::Ss, usize::MAX, 2, 1).unwrap();
    assert_eq!(each.get(usize::MAX - 1), Some(usize::MAX - 1..usize::MAX));
}

#[test]
fn threads_that_take_numbers_share_all_out() {
    const N: usize = 100_000;
    for schedule in CENTRAL {
        let chunks = Chunks::new(schedule, N, 4, 1).unwrap();
        let (taken, got) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    while let Some(chunk) = chunks.get(taken.fetch_add(1, Ordering::Relaxed)) {
                        mine.extend(chunk);
                    }
                    got.lock().unwrap().append(&mut mine);
                });
            }
        });
        let mut got = got.into_inner().unwrap();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..N), "{schedule}");
    }
}

proptest! {
    #[test]
    fn chunks_cover_all_in_order_and_none_is_empty_or_too_small(
        which in 0..CENTRAL.len(), n in 0..20_000usize, workers in 1..200usize, min in 1..50usize,
    ) {
        let all = chunks(CENTRAL[which], n, workers, min);
        let mut end = 0;
        for (number, chunk) in all.iter().enumerate() {
            prop_assert_eq!(chunk.start, end);
            let is_last = number + 1 == all.len();
            prop_assert!(chunk.len() >= if is_last { 1 } else { min }, "{:?}", chunk);
            end = chunk.end;
        }
        prop_assert_eq!(end, n);
    }

    #[test]
    fn equal_parts_are_the_chunks_of_static_and_go_on_empty(
        n in 0..20_000usize, parts in 1..200usize,
    ) {
        let equal = EqualParts::new(n, parts);
        let all: Vec<Range<usize>> = (0..parts).map(|number| equal.get(number)).collect();
        let filled = parts.min(n);
        prop_assert_eq!(&all[..filled], chunks(Schedule::Static, n, parts, 1));
        prop_assert!(all[filled..].iter().all(|part| *part == (n..n)));
        prop_assert_eq!(equal.start(parts), n);
    }

    #[test]
    fn no_chunk_is_longer_than_the_one_before(
        which in 0..CENTRAL.len(), n in 0..20_000usize, workers in 1..200usize, min in 1..50usize,
    ) {
        let sizes = sizes(CENTRAL[which], n, workers, min);
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b), "{:?}", sizes);
    }

    #[test]
    fn a_chunk_of_gss_is_its_part_of_what_is_left(n in 1..20_000usize, workers in 1..200usize) {
        for chunk in chunks(Schedule::Gss, n, workers, 1) {
            prop_assert_eq!(chunk.len(), (n - chunk.start).div_ceil(workers));
        }
    }

    #[test]
    fn the_steps_of_tss_are_equal(n in 1..20_000usize, workers in 1..200usize) {
        let sizes = sizes(Schedule::Tss, n, workers, 1);
        prop_assert_eq!(sizes[0], n.div_ceil(2 * workers));
        // The last is what is left.
        let steps: Vec<usize> = sizes[..sizes.len() - 1].windows(2).map(|w| w[0] - w[1]).collect();
        prop_assert!(steps.iter().all(|step| *step == steps[0]), "{:?}", sizes);
    }

    #[test]
    fn a_batch_of_fac2_is_half_of_what_is_left(n in 1..20_000usize, workers in 1..200usize) {
        let all = chunks(Schedule::Fac2, n, workers, 1);
        for batch in all.chunks(workers) {
            let size = (n - batch[0].start).div_ceil(2 * workers);
            for chunk in batch {
                prop_assert_eq!(chunk.len(), size.min(n - chunk.start));
            }
        }
    }

    #[test]
    fn who_is_faster_gets_more(
        rates in prop::collection::vec(prop_oneof![1e-300..1e300, 0.1..10.0], 1..20),
        left in 1..1_000_000usize, min in 0..10usize,
    ) {
        let (weights, workers) = (Weights::of_rates(&rates), rates.len());
        let sum: f64 = (0..workers).map(|worker| weights.of(worker)).sum();
        prop_assert!((sum - workers as f64).abs() < 1e-9 * workers as f64, "{}", sum);
        for a in 0..workers {
            let size = weights.chunk(a, left, min);
            prop_assert!((min.clamp(1, left)..=left).contains(&size));
            for b in 0..workers {
                if rates[a] > rates[b] {
                    prop_assert!(weights.of(a) >= weights.of(b));
                    prop_assert!(size >= weights.chunk(b, left, min));
                }
            }
        }
    }

    #[test]
    fn weighted_chunks_use_up_all_there_is(
        rates in prop::collection::vec(0.1..10.0, 1..20), n in 1..100_000usize,
    ) {
        let weights = Weights::of_rates(&rates);
        let (mut left, mut turns) = (n, 0);
        while left > 0 {
            left -= weights.chunk(turns % rates.len(), left, 1);
            turns += 1;
        }
        let halves = n.ilog2() as usize + 2;
        prop_assert!(turns <= 4 * rates.len() * halves, "{} turns", turns);
    }
}

#[test]
fn weights_by_hand() {
    let weights = Weights::of_rates(&[30.0, 10.0, 20.0, 20.0]);
    let all: Vec<f64> = (0..4).map(|worker| weights.of(worker)).collect();
    assert_eq!(all, [1.5, 0.5, 1.0, 1.0]);
    // Half of 1000 in four parts is 125.
    let sizes: Vec<usize> = (0..4).map(|worker| weights.chunk(worker, 1000, 1)).collect();
    assert_eq!(sizes, [188, 63, 125, 125]);
    assert_eq!(weights.chunk(0, 0, 5), 0, "nothing is left");
    assert_eq!(weights.chunk(1, 3, 1), 1);
    assert_eq!(weights.chunk(1, 3, 5), 3);
}

#[test]
fn who_was_not_measured_counts_as_the_slowest() {
    for unknown in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let weights = Weights::of_rates(&[4.0, unknown, 2.0, 2.0]);
        assert_eq!([0, 1, 2, 3].map(|worker| weights.of(worker)), [1.6, 0.8, 0.8, 0.8]);
    }
    let nobody = Weights::of_rates(&[0.0; 3]);
    assert_eq!([0, 1, 2].map(|worker| nobody.of(worker)), [1.0; 3]);
}
