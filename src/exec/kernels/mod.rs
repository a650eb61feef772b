//! The built-in kernels.
//!
//! Arguments are tables; one that has a single number takes the bare number too.
//!
//! | name | arguments | gives back |
//! |---|---|---|
//! | `noop` | any | nothing |
//! | `spin` | `seconds` | nothing, after keeping its core busy |
//! | `sleep` | `seconds` | nothing, after idling; ends early when cancelled |
//! | `fail` | `message`, `times` | an error; with `times`, only in so many first attempts |
//! | `sum` | numbers, in any nesting | their sum and that of its inputs |
//! | `pi` | `from`, `to`, `n` | the part of π that the slices `from..to` of `n` add |
//! | `mandelbrot` | of a [`Tile`](mandelbrot::Tile) | an image, `escaped`, `iterations` |
//! | `stitch` | any | an image: those of its inputs side by side |
//! | `crc32` | any | `crc32` of the bytes in its inputs, in order, and how many `bytes` they are |
//! | `matmul` | `n`, `seed` | the trace of the product of two random matrices |
//!
//! An image is a table with its `width` and, row by row, its `image`, a byte for each pixel.

#![forbid(unsafe_code)]

mod bytes;
mod control;
pub mod mandelbrot;
mod numbers;

use crate::model::Value;

use super::context::TaskError;
use super::registry::Registry;

/// Registers all of them.
pub(super) fn register(registry: &mut Registry) {
    registry
        .register("noop", |_| Ok(Value::Unit))
        .register("spin", control::spin)
        .register("sleep", control::sleep)
        .register("fail", control::fail)
        .register("sum", numbers::sum)
        .register("pi", numbers::pi)
        .register_estimated("mandelbrot", mandelbrot::mandelbrot, mandelbrot::estimate)
        .register("stitch", bytes::stitch)
        .register("crc32", bytes::crc32)
        .register("matmul", numbers::matmul);
}

/// The number under `name`, or `args` itself if it is a number.
fn number(args: &Value, name: &str) -> Result<f64, TaskError> {
    let found = args.get(name).or_else(|| args.as_f64().map(|_| args));
    match found {
        Some(value) => value.as_f64().ok_or_else(|| {
            TaskError::new(format!("`{name}` is to be a number and is {}", value.kind()))
        }),
        None => Err(TaskError::new(format!("the argument `{name}` is missing"))),
    }
}

/// The table with these entries, in this order.
fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

/// The whole number, not negative, under `name`.
fn count(args: &Value, name: &str) -> Result<u64, TaskError> {
    let x = number(args, name)?;
    if x >= 0.0 && x.fract() == 0.0 && x < 9e15 {
        Ok(x as u64)
    } else {
        Err(TaskError::new(format!("`{name}` is to be a whole number, not below 0, and is {x}")))
    }
}
