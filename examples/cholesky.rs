//! A Cholesky factorisation by tiles, as a graph: the lower half of A becomes L with L·Lᵀ = A.

use std::array::from_fn;
use std::sync::RwLock;

use evenkeel::pool::{Pool, graph::Graph};

const TILES: usize = 8; // on a side of the matrix
const SIDE: usize = 16; // of a tile
type Tile = [[f64; SIDE]; SIDE];

/// An entry of A, which is symmetric and positive definite.
fn a(i: usize, j: usize) -> f64 {
    if i == j { (TILES * SIDE) as f64 } else { 1.0 / i.abs_diff(j) as f64 }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The factor of A in its place.
fn potrf(a: &mut Tile) {
    for (j, i) in (0..SIDE).flat_map(|j| (j..SIDE).map(move |i| (j, i))) {
        let rest = a[i][j] - dot(&a[i][..j], &a[j][..j]);
        a[i][j] = if i == j { rest.sqrt() } else { rest / a[j][j] };
    }
}

/// B·L⁻ᵀ in the place of B.
fn trsm(l: &Tile, b: &mut Tile) {
    for (i, j) in (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (i, j))) {
        b[i][j] = (b[i][j] - dot(&b[i][..j], &l[j][..j])) / l[j][j];
    }
}

/// C - A·Bᵀ in the place of C; with A for B it is also called syrk.
fn gemm(a: &Tile, b: &Tile, c: &mut Tile) {
    (0..SIDE * SIDE).for_each(|i| c[i / SIDE][i % SIDE] -= dot(&a[i / SIDE], &b[i % SIDE]));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tile = |i, j| from_fn(|row| from_fn(|column| a(i * SIDE + row, j * SIDE + column)));
    let tiles: [[RwLock<Tile>; TILES]; TILES] = from_fn(|i| from_fn(|j| tile(i, j).into()));
    let read = |i: usize, j: usize| tiles[i][j].read().unwrap();
    let write = |i: usize, j: usize| tiles[i][j].write().unwrap();

    // Each step comes after those that wrote the tiles it reads, and the one that it changes.
    let (mut graph, mut last) = (Graph::builder(), [[None; TILES]; TILES]);
    let mut step =
        |reads: &[(usize, usize)], (i, j): (usize, usize), body: Box<dyn FnMut() + Send>| {
            let node = graph.add(body);
            let before = reads.iter().map(|(i, j)| last[*i][*j]).chain([last[i][j]]);
            before.flatten().for_each(|before| graph.precede(before, node));
            last[i][j] = Some(node);
        };
    for k in 0..TILES {
        step(&[], (k, k), Box::new(move || potrf(&mut write(k, k))));
        for i in k + 1..TILES {
            step(&[(k, k)], (i, k), Box::new(move || trsm(&read(k, k), &mut write(i, k))));
        }
        for (i, j) in (k + 1..TILES).flat_map(|i| (k + 1..=i).map(move |j| (i, j))) {
            let body = move || gemm(&read(i, k), &read(j, k), &mut write(i, j));
            step(&[(i, k), (j, k)], (i, j), Box::new(body));
        }
    }
    let mut steps = graph.build()?;
    Pool::builder().build()?.install(|| steps.run());
    let l = |i: usize, j: usize| read(i / SIDE, j / SIDE)[i % SIDE][j % SIDE];
    for (i, j) in (0..TILES * SIDE).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        let product: f64 = (0..=j).map(|k| l(i, k) * l(j, k)).sum();
        assert!((product - a(i, j)).abs() < 1e-12 * a(i, i), "{product} at ({i}, {j})");
    }
    Ok(())
}

#[test]
fn its_numbers_are_right() {
    main().unwrap();
}
