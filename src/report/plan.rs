//! A plan as JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::seconds;
use crate::model::{Assignment, Job, Schedule, Span, Time};

/// A plan for `job` as one JSON object: `makespan`, the `lower_bound` that it is measured by,
/// `upward_ranks` in the order of the job's tasks, and `assignments` in the same order, each
/// with the task's name, its first processor (all `processors` where there are several), start
/// and end. Times are in seconds.
///
/// # Panics
/// If the plan names a task that the job does not have.
#[must_use]
pub fn plan_json(
    job: &Job,
    upward_ranks: &[Span],
    lower_bound: Span,
    schedule: &Schedule,
) -> String {
    let line = |a: &Assignment| Line {
        task: job.task_name(a.task),
        processor: a.processors.first().copied(),
        processors: if a.processors.len() > 1 { a.processors.clone() } else { Vec::new() },
        start: a.start.since(Time::ZERO),
        end: a.end.since(Time::ZERO),
    };
    let plan = Plan {
        job: &job.name,
        makespan: schedule.makespan(),
        lower_bound,
        upward_ranks: upward_ranks.iter().map(|rank| rank.as_secs()).collect(),
        assignments: schedule.assignments.iter().map(line).collect(),
    };
    serde_json::to_string_pretty(&plan).expect("a plan has only text as keys")
}

#[derive(Serialize)]
struct Plan<'a> {
    job: &'a str,
    #[serde(with = "seconds")]
    makespan: Span,
    #[serde(with = "seconds")]
    lower_bound: Span,
    upward_ranks: Vec<f64>,
    assignments: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    task: Cow<'a, str>,
    processor: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processors: Vec<usize>,
    #[serde(with = "seconds")]
    start: Span,
    #[serde(with = "seconds")]
    end: Span,
}
