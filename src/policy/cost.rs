//! How long tasks will take, where the user did not say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::{Cost, Job, Span};

/// What a task is thought to take in a job where no cost is known at all. Any positive span
/// would do: it only makes a deeper task count for more than a shallow one.
const GUESS: Span = Span::from_secs(1);

/// The cost of each task of `job`, by task: what the user said, or else the mean of the known
/// costs of tasks of the same kind, or of all tasks, or one second.
#[must_use]
pub fn predict(job: &Job) -> Vec<Cow<'_, Cost>> {
    let mut all = Mean::default();
    let mut kinds: BTreeMap<&str, Mean> = BTreeMap::new();
    for task in job.tasks.iter().filter(|task| task.cost != Cost::Unknown) {
        all.add(task.cost.mean());
        kinds.entry(&task.settings.kind).or_default().add(task.cost.mean());
    }
    let guess = |kind: &str| {
        let of_kind = kinds.get(kind).and_then(Mean::get);
        Cost::Uniform(of_kind.or_else(|| all.get()).unwrap_or(GUESS))
    };
    let cost = |task| match task {
        &Cost::Unknown => None,
        known => Some(Cow::Borrowed(known)),
    };
    let tasks = job.tasks.iter();
    tasks
        .map(|task| cost(&task.cost).unwrap_or_else(|| Cow::Owned(guess(&task.settings.kind))))
        .collect()
}

/// A mean in the making.
#[derive(Default)]
struct Mean {
    total: u128,
    count: u128,
}

impl Mean {
    fn add(&mut self, span: Span) {
        self.total += u128::from(span.0);
        self.count += 1;
    }

    /// The mean; nothing if there is none or if it is zero, which would hide the depth of a
    /// task.
    fn get(&self) -> Option<Span> {
        let mean = self.total.checked_div(self.count)?;
        (mean > 0).then_some(Span(mean as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Settings, Task};

    fn job(tasks: &[(&str, Option<u64>)]) -> Job {
        let mut job = Job::new("test");
        for (kind, cost) in tasks {
            let mut task = Task::kernel("t", "noop", ());
            task.settings = Arc::new(Settings { kind: (*kind).into(), ..Settings::default() });
            task.cost = cost.map_or(Cost::Unknown, |s| Cost::Uniform(Span::from_secs(s)));
            job.add(task);
        }
        job
    }

    fn predicted(tasks: &[(&str, Option<u64>)]) -> Vec<f64> {
        predict(&job(tasks)).iter().map(|cost| cost.mean().as_secs()).collect()
    }

    #[test]
    fn the_unknown_costs_what_its_kind_does_or_what_all_do() {
        let tasks = [("a", Some(2)), ("a", Some(4)), ("b", Some(9)), ("a", None), ("c", None)];
        assert_eq!(predicted(&tasks), [2.0, 4.0, 9.0, 3.0, 5.0]);
    }

    #[test]
    fn where_nothing_is_known_every_task_counts_the_same() {
        assert_eq!(predicted(&[("", None), ("a", None)]), [1.0, 1.0]);
        assert_eq!(predicted(&[("", Some(0)), ("", None)]), [0.0, 1.0]);
    }
}
