//! The Mandelbrot set, a tile at a time.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

use crate::model::{Span, Value};

use super::super::context::{TaskContext, TaskError};
use super::{count, number, table};

/// The most pixels along a side of a tile, so that its image fits in a value.
const MAX_PIXELS: u64 = 240;
/// The pixels along a side by which the cost of a tile is estimated, and the iterations after
/// which one of them is taken to go on to the limit.
const SAMPLES: u64 = 4;
const SAMPLE_LIMIT: u64 = 1 << 14;

/// A square tile of a picture of the set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// The first corner of the picture in the plane: `x` and `y` of the arguments.
    pub corner: (f64, f64),
    /// How long a side of a tile is in the plane.
    pub size: f64,
    /// How many pixels it is long.
    pub pixels: u64,
    /// Which tile of the picture this is along x, from 0; the first if the arguments do not say.
    pub column: u64,
    /// And along y.
    pub row: u64,
    /// After how many iterations a point is taken to stay near for ever.
    pub limit: u64,
}

impl Tile {
    /// The tile that these arguments ask for.
    ///
    /// # Errors
    /// If one is missing, or not what it is to be.
    pub fn from_args(args: &Value) -> Result<Tile, TaskError> {
        let place = |name| args.get(name).map_or(Ok(0), |_| count(args, name));
        let tile = Tile {
            corner: (number(args, "x")?, number(args, "y")?),
            size: number(args, "size")?,
            pixels: count(args, "pixels")?,
            column: place("column")?,
            row: place("row")?,
            limit: count(args, "limit")?,
        };
        match tile.pixels {
            1..=MAX_PIXELS => Ok(tile),
            n => Err(TaskError::new(format!("`pixels` is 1 to {MAX_PIXELS}, not {n}"))),
        }
    }

    /// The shades of the pixels in line `y`, from 0: the image that the kernel gives back.
    pub fn shades(self, y: u64) -> impl Iterator<Item = u8> {
        self.line(y).map(move |steps| self.shade(steps))
    }

    /// The iterations of the pixels in line `y`. Where a pixel lies is reckoned from the corner
    /// of the picture, so that the picture is the same in whatever tiles it is computed.
    fn line(self, y: u64) -> impl Iterator<Item = u64> {
        let at = move |corner: f64, tile: u64, pixel: u64| {
            let pixels = tile * self.pixels + pixel;
            corner + (pixels as f64 + 0.5) * (self.size / self.pixels as f64)
        };
        let im = at(self.corner.1, self.row, y);
        let re = move |x| at(self.corner.0, self.column, x);
        (0..self.pixels).map(move |x| iterations(re(x), im, self.limit))
    }

    /// A byte for a pixel: 0 where it stays near, else 1 to 255 by the logarithm of its
    /// iterations, going round in four doublings.
    fn shade(self, steps: u64) -> u8 {
        if steps == self.limit {
            return 0;
        }
        // The logarithm in 64ths, straight between the powers of two: whole numbers, which are
        // the same on every machine.
        let doublings = steps.max(1).ilog2();
        let part = ((u128::from(steps) << 6 >> doublings) & 63) as u64;
        1 + ((u64::from(doublings) * 64 + part) % 255) as u8
    }
}

/// A tile as an image, with how many of its pixels `escaped` and the sum of all `iterations`.
pub(super) fn mandelbrot(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let tile = Tile::from_args(task.args())?;
    let (mut escaped, mut iterations) = (0, 0);
    let mut image = Vec::with_capacity((tile.pixels * tile.pixels) as usize);
    for y in 0..tile.pixels {
        if task.cancelled() {
            return Err("cancelled".into());
        }
        for steps in tile.line(y) {
            iterations += steps as i64;
            escaped += i64::from(steps < tile.limit);
            image.push(tile.shade(steps));
        }
    }
    Ok(table([
        ("escaped", escaped.into()),
        ("iterations", iterations.into()),
        ("width", (tile.pixels as i64).into()),
        ("image", image.into()),
    ]))
}

/// What a tile will take on this host: the iterations of a few pixels spread over it stand for
/// all.
pub(super) fn estimate(args: &Value) -> Option<Span> {
    let whole = Tile::from_args(args).ok()?;
    let sample =
        Tile { pixels: SAMPLES.min(whole.pixels), limit: SAMPLE_LIMIT.min(whole.limit), ..whole };
    let stays = |steps| if steps == sample.limit { whole.limit } else { steps };
    let lines = (0..sample.pixels).flat_map(|y| sample.line(y));
    let steps: f64 = lines.map(|steps| stays(steps) as f64).sum();
    let pixels = (whole.pixels as f64 / sample.pixels as f64).powi(2);
    Some(Span::from_secs_f64(steps * pixels * seconds_per_iteration()))
}

/// Measured once in a process, as the best of a few tries: others may want the core too.
fn seconds_per_iteration() -> f64 {
    static MEASURED: OnceLock<f64> = OnceLock::new();
    const STEPS: u64 = 200_000;
    *MEASURED.get_or_init(|| {
        let once = |_| {
            let start = Instant::now();
            black_box(iterations(black_box(-0.1), black_box(0.1), STEPS));
            start.elapsed().as_secs_f64() / STEPS as f64
        };
        (0..5).map(once).fold(f64::INFINITY, f64::min)
    })
}

/// How many iterations of z² + c stay near, at most `limit`.
fn iterations(re: f64, im: f64, limit: u64) -> u64 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..limit {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return step;
        }
        (x, y) = (xx - yy + re, 2.0 * x * y + im);
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILE: Tile =
        Tile { corner: (-2.0, -1.0), size: 0.5, pixels: 8, column: 1, row: 2, limit: 100 };

    #[test]
    fn shades_rise_with_the_logarithm_and_go_round() {
        let tile = Tile { limit: 1 << 20, ..TILE };
        let shades = [0, 1, 2, 3, 4, 15, 16].map(|steps| tile.shade(steps));
        assert_eq!(shades, [1, 1, 65, 97, 129, 249, 2]);
        assert_eq!(tile.shade(1 << 20), 0, "it stays near");
        assert_ne!(Tile { limit: u64::MAX, ..TILE }.shade(u64::MAX - 1), 0);
    }

    #[test]
    fn a_picture_is_the_same_in_whatever_tiles_it_is_computed() {
        let whole = Tile { size: 2.0, pixels: 32, column: 0, row: 0, ..TILE };
        for y in 0..8 {
            let line: Vec<u8> = whole.shades(2 * 8 + y).skip(8).take(8).collect();
            assert_eq!(TILE.shades(y).collect::<Vec<u8>>(), line, "line {y}");
        }
    }

    #[test]
    fn a_tile_inside_is_thought_to_take_longer_than_one_outside() {
        let cost = |x: f64| {
            let numbers = [("x", x), ("y", -0.05), ("size", 0.1), ("pixels", 8.0)];
            let mut args: Vec<(String, Value)> =
                numbers.map(|(name, x)| (name.to_owned(), x.into())).into();
            args.push(("limit".to_owned(), 100_000.into()));
            estimate(&Value::Map(args)).unwrap()
        };
        // All of one goes to the limit, and of the other none goes beyond a few steps.
        assert!(cost(-0.05) > cost(1.5).scale(100.0), "{} {}", cost(-0.05), cost(1.5));
        assert_eq!(estimate(&Value::Unit), None, "what cannot run takes no time that is known");
    }
}
