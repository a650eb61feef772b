//! A plan as JSON and as a table.

use serde::Serialize;

use super::seconds;
use super::table::{Page, Style, clip_middle, ratio};
use crate::model::{Assignment, Job, Schedule, Span, Time};

/// The form of [`plan_json`] that this version writes.
pub const PLAN_VERSION: u32 = 1;

/// A plan for `job` as one JSON object: `version`, `makespan`, the `lower_bound` that it is measured by,
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
        task: job.task_name(a.task).to_string(),
        processor: a.processors.first().copied(),
        processors: if a.processors.len() > 1 { a.processors.clone() } else { Vec::new() },
        start: a.start.since(Time::ZERO),
        end: a.end.since(Time::ZERO),
    };
    let plan = Plan {
        version: PLAN_VERSION,
        job: &job.name,
        makespan: schedule.makespan(),
        lower_bound,
        upward_ranks: upward_ranks.iter().map(|rank| rank.as_secs()).collect(),
        assignments: schedule.assignments.iter().map(line).collect(),
    };
    serde_json::to_string_pretty(&plan).expect("a plan has only text as keys")
}

/// A plan for `job` as a table: its makespan beside the `lower_bound`, then the tasks in the
/// order in which they start, in lines of at most `width` characters.
///
/// # Panics
/// If the plan names a task that the job does not have, or has no rank for one.
#[must_use]
pub fn plan_table(
    job: &Job,
    upward_ranks: &[Span],
    lower_bound: Span,
    schedule: &Schedule,
    width: usize,
    color: bool,
) -> String {
    let mut page = Page::new(width, color);
    let makespan = schedule.makespan();
    let tasks = schedule.assignments.len();
    let ratio = ratio(makespan, lower_bound);
    let head =
        format!("{}: {tasks} tasks in {makespan}, lower bound {lower_bound}{ratio}", job.name);
    page.line(Style::Heading, &head);
    let mut order: Vec<&Assignment> = schedule.assignments.iter().collect();
    order.sort_by_key(|a| (a.start, a.task));
    let longest = order.iter().map(|a| job.task_name(a.task).chars().count()).max();
    let name = longest.unwrap_or(0).clamp(4, 32);
    page.line(
        Style::Heading,
        &format!("{:<name$}  {:>10} {:>10} {:>10}  processors", "task", "start", "end", "rank"),
    );
    for a in order {
        let task = clip_middle(&job.task_name(a.task), name);
        let [start, end] = [a.start, a.end].map(|time| time.to_string());
        let rank = upward_ranks[a.task.index()].to_string();
        let on: Vec<String> = a.processors.iter().map(ToString::to_string).collect();
        let on = on.join(",");
        page.line(Style::Plain, &format!("{task:<name$}  {start:>10} {end:>10} {rank:>10}  {on}"));
    }
    page.text
}

#[derive(Serialize)]
struct Plan<'a> {
    version: u32,
    job: &'a str,
    #[serde(with = "seconds")]
    makespan: Span,
    #[serde(with = "seconds")]
    lower_bound: Span,
    upward_ranks: Vec<f64>,
    assignments: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    task: String,
    processor: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processors: Vec<usize>,
    #[serde(with = "seconds")]
    start: Span,
    #[serde(with = "seconds")]
    end: Span,
}
