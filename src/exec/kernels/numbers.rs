//! Kernels that calculate, for shows and tests.

use crate::model::Value;

use super::super::context::{TaskContext, TaskError};
use super::count;

/// The sum of all numbers in the arguments and the inputs, in order; whole if all of them are
/// and the sum fits.
pub(super) fn sum(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let mut sum = Sum { whole: Some(0), float: 0.0 };
    sum.add(task.args())?;
    for value in task.values() {
        sum.add(value)?;
    }
    Ok(sum.whole.map_or(Value::Float(sum.float), Value::Int))
}

struct Sum {
    /// Until something is added that is not a whole number, or there are too many of them.
    whole: Option<i64>,
    float: f64,
}

impl Sum {
    fn add(&mut self, value: &Value) -> Result<(), TaskError> {
        match value {
            Value::Unit => {}
            Value::Int(n) => {
                self.whole = self.whole.and_then(|sum| sum.checked_add(*n));
                self.float += *n as f64;
            }
            Value::Float(x) => self.add_floats(&[*x]),
            Value::Floats(numbers) => self.add_floats(numbers),
            Value::List(items) => items.iter().try_for_each(|item| self.add(item))?,
            Value::Map(entries) => entries.iter().try_for_each(|(_, item)| self.add(item))?,
            Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => {
                let kind = value.kind();
                return Err(TaskError::new(format!("`sum` adds numbers and was given {kind}")));
            }
        }
        Ok(())
    }

    fn add_floats(&mut self, numbers: &[f64]) {
        self.whole = None;
        self.float += numbers.iter().sum::<f64>();
    }
}

/// The midpoint rule for 4/(1+x²) over the slices `from..to` of the `n` of [0, 1]: summed over
/// all slices, π.
pub(super) fn pi(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let args = task.args();
    let (from, to, n) = (count(args, "from")?, count(args, "to")?, count(args, "n")?);
    if n == 0 || to > n {
        return Err(TaskError::new(format!("the slices {from}..{to} are not among {n}")));
    }
    let width = 1.0 / n as f64;
    let slice = |i: u64| {
        let x = (i as f64 + 0.5) * width;
        4.0 / (1.0 + x * x)
    };
    Ok(Value::Float((from..to).map(slice).sum::<f64>() * width))
}

/// The trace of A·B for two `n` × `n` matrices of numbers in [0, 1) drawn from `seed`. All of
/// the product is computed, as something to keep a core and its caches busy.
pub(super) fn matmul(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let n = count(task.args(), "n")? as usize;
    if n > 4096 {
        return Err(TaskError::new(format!("`n` is at most 4096, not {n}")));
    }
    let mut state = task.args().get("seed").map_or(Ok(1), |_| count(task.args(), "seed"))?;
    let mut draw = || (0..n * n).map(|_| uniform(&mut state)).collect::<Vec<f64>>();
    let (a, b) = (draw(), draw());
    let mut trace = 0.0;
    let mut row = vec![0.0; n];
    for i in 0..n {
        if task.cancelled() {
            return Err("cancelled".into());
        }
        row.fill(0.0);
        for (factor, line) in a[i * n..(i + 1) * n].iter().zip(b.chunks_exact(n)) {
            for (sum, x) in row.iter_mut().zip(line) {
                *sum += factor * x;
            }
        }
        trace += row[i];
    }
    Ok(Value::Float(trace))
}

/// SplitMix64, its upper 53 bits as a number in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
