//! Heat in a plate, by Jacobi's method: each inner cell becomes the mean of its four neighbours,
//! again and again, until no cell changes much. A plain sequential loop checks the numbers.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::mem;

use evenkeel::pool::{self, Pool};

/// Cells along an edge.
const N: usize = 100;

/// A plate that is hot along its upper edge, row by row.
fn plate() -> Vec<f64> {
    let mut plate = vec![0.0; N * N];
    plate[..N].fill(100.0);
    plate
}

fn mean_of_neighbours(plate: &[f64], i: usize, j: usize) -> f64 {
    let cell = |i, j| plate[i * N + j];
    (cell(i - 1, j) + cell(i + 1, j) + cell(i, j - 1) + cell(i, j + 1)) / 4.0
}

/// The plate when no cell changes by `tolerance` any more, and how many steps that took.
fn settled(tolerance: f64) -> (Vec<f64>, usize) {
    let (mut now, mut next) = (plate(), plate());
    for step in 1.. {
        // Each worker begins with the same rows each time, and has them in its cache.
        let inner = &mut next[N..N * (N - 1)];
        pool::chunks_mut(inner, N).for_each(|(row, cells)| {
            for (cell, j) in cells[1..N - 1].iter_mut().zip(1..) {
                *cell = mean_of_neighbours(&now, row + 1, j);
            }
        });
        let change = |i: usize| (now[i] - next[i]).abs();
        let change = pool::range(0..N * N).grain(N).map_reduce(change, 0.0, f64::max);
        mem::swap(&mut now, &mut next);
        if change < tolerance {
            return (now, step);
        }
    }
    unreachable!("a plate settles");
}

/// The plate after so many steps, one cell after the other.
fn sequential(steps: usize) -> Vec<f64> {
    let (mut now, mut next) = (plate(), plate());
    for _ in 0..steps {
        for i in 1..N - 1 {
            for j in 1..N - 1 {
                next[i * N + j] = mean_of_neighbours(&now, i, j);
            }
        }
        mem::swap(&mut now, &mut next);
    }
    now
}

/// All heat there is: the same to the last bit on any number of workers, as the order is.
fn heat(plate: &[f64]) -> f64 {
    pool::range(0..N * N).reproducible().map_reduce(|i| plate[i], 0.0, |a, b| a + b)
}

fn main() -> Result<(), std::io::Error> {
    for workers in [1, 2, 4] {
        let pool = Pool::builder().threads(workers).build()?;
        let (plate, steps) = pool.install(|| settled(0.1));
        assert!(plate == sequential(steps), "{workers} workers differ from one loop");
        let total = pool.install(|| heat(&plate));
        assert_eq!(total.to_bits(), heat(&plate).to_bits());
        println!("{workers} workers: {steps} steps, a heat of {total}");
    }
    Ok(())
}

#[test]
fn its_numbers_are_right() {
    main().unwrap();
}
