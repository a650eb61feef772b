//! Ten lines of library: a job of compiled functions whose results flow into a sum.

use evenkeel::exec::Registry;
use evenkeel::model::{Job, Task, Value};
use evenkeel::run::{Options, run};

fn main() -> Result<(), evenkeel::run::RunError> {
    let mut registry = Registry::default();
    registry.register("square", |cx| {
        let x = cx.args().as_f64().ok_or("a number is needed")?;
        Ok(Value::from(x * x))
    });
    let mut job = Job::new("squares");
    let parts: Vec<_> =
        (1..=4).map(|i| job.add(Task::kernel(format!("part-{i}"), "square", i))).collect();
    let total = job.add(Task::kernel("total", "sum", ()).after(parts));
    let outcome = run(job, &registry, &Options::default())?;
    assert_eq!(outcome.value(total).and_then(Value::as_f64), Some(30.0));
    Ok(())
}
