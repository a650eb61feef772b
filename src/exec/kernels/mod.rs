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
//! | `mandelbrot` | `x`, `y`, `size`, `pixels`, `limit` | a tile: `escaped`, `iterations`, `image` |
//! | `matmul` | `n`, `seed` | the trace of the product of two random matrices |

#![forbid(unsafe_code)]

mod control;
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
        .register("mandelbrot", numbers::mandelbrot)
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

/// The whole number, not negative, under `name`.
fn count(args: &Value, name: &str) -> Result<u64, TaskError> {
    let x = number(args, name)?;
    if x >= 0.0 && x.fract() == 0.0 && x < 9e15 {
        Ok(x as u64)
    } else {
        Err(TaskError::new(format!("`{name}` is to be a whole number, not below 0, and is {x}")))
    }
}
