//! Jobs with answers that are known.

use evenkeel::model::{Job, Task, TaskId, Value};

/// A binary tree of sums over `n` leaves with the numbers 1 to `n`: the job, its last task, and
/// the number that it must give.
pub(crate) fn reduction(n: i64) -> (Job, TaskId, f64) {
    let mut job = Job::new("reduction");
    let sum = |name: String, args: Value| Task::kernel(name, "sum", args);
    let mut level: Vec<TaskId> =
        (1..=n).map(|i| job.add(sum(format!("leaf-{i}"), Value::List(vec![i.into()])))).collect();
    while level.len() > 1 {
        let pairs: Vec<Vec<TaskId>> = level.chunks(2).map(<[TaskId]>::to_vec).collect();
        let name = |pair: &[TaskId]| format!("sum-{}", pair[0].0);
        level = pairs
            .iter()
            .map(|pair| {
                let name = format!("{}-{}", name(pair), job.tasks.len());
                job.add(sum(name, Value::Unit).after(pair.iter().copied()))
            })
            .collect();
    }
    (job, level[0], (n * (n + 1) / 2) as f64)
}
