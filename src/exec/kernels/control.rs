//! Kernels that take time or fail.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Span, Value};

use super::super::context::{TaskContext, TaskError};
use super::{count, number};

/// How long a sleeper may take to see that it was cancelled.
const NAP: Duration = Duration::from_millis(10);
/// Between two looks of a spinner at whether it was cancelled.
const SPINS: u32 = 256;

/// Keeps a core busy for `seconds`.
pub(super) fn spin(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let until = Instant::now() + seconds(task)?;
    while Instant::now() < until {
        if task.cancelled() {
            return Err(cancelled());
        }
        (0..SPINS).for_each(|_| hint::spin_loop());
    }
    Ok(Value::Unit)
}

/// Idles for `seconds`.
pub(super) fn sleep(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let until = Instant::now() + seconds(task)?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Value::Unit);
        }
        if task.cancelled() {
            return Err(cancelled());
        }
        thread::sleep(left.min(NAP));
    }
}

/// Fails with `message`; with `times`, the attempts after so many end well.
pub(super) fn fail(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let args = task.args();
    let is_over = match args.get("times") {
        Some(_) => u64::from(task.attempt()) > count(args, "times")?,
        None => false,
    };
    let message = args.get("message").unwrap_or(args);
    match message.as_str() {
        _ if is_over => Ok(Value::Unit),
        Some(message) => Err(message.into()),
        None => Err("failed as it was asked to".into()),
    }
}

fn seconds(task: &TaskContext<'_>) -> Result<Duration, TaskError> {
    let seconds = number(task.args(), "seconds")?;
    // A year is as good as for ever, and can be added to a moment.
    const YEAR: Span = Span::from_secs(365 * 24 * 3600);
    Ok(Span::from_secs_f64(seconds).min(YEAR).as_duration())
}

fn cancelled() -> TaskError {
    TaskError::new("cancelled")
}
