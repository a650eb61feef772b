//! What tasks wait for: `after`, resolved from names to tasks, and rings among them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use toml::de::DeValue;

use super::entries::Listed;
use super::error::{Report, quote};
use super::fields::{Entry, Fields};
use super::names::Names;
use super::nearest::nearest;
use crate::model::{Cycle, Dependency, Graph, Job, TaskBody, TaskId, placeholder};

const HELP: &str = "write after = [\"name\", { task = \"name\", bytes = \"18MB\" }]";

/// The names of a job and what they stand for.
pub(super) struct Known<'k, 't, 'a> {
    pub(super) names: &'k Names,
    pub(super) listed: &'k [Listed<'t, 'a>],
    /// Places in `listed` by the names of sweeps.
    pub(super) sweeps: HashMap<&'k str, usize>,
}

/// One element of `after`.
struct Wait {
    name: String,
    bytes: u64,
    span: Range<usize>,
}

/// What a name stands for.
enum Target {
    One(TaskId),
    /// All tasks of a sweep.
    All(Range<u32>),
    /// For each task of a sweep another one.
    Point,
}

/// Resolves the `after` of all listed tasks and sweeps into `job`, as long as there are at
/// most `limit` dependencies.
pub(super) fn resolve<'a>(
    report: &mut Report<'a>,
    job: &mut Job,
    known: &Known<'_, '_, 'a>,
    limit: u64,
) {
    let mut total: u64 = 0;
    for listed in known.listed {
        let Some(after) = listed.fields.get("after") else { continue };
        let waits = read(report, after);
        let targets: Vec<(Target, &Wait)> = waits
            .iter()
            .filter_map(|wait| Some((target(report, job, known, listed, wait)?, wait)))
            .collect();
        let each: u64 = targets
            .iter()
            .map(|(target, _)| match target {
                Target::All(range) => range.len() as u64,
                Target::One(_) | Target::Point => 1,
            })
            .sum();
        total = total.saturating_add(each.saturating_mul(listed.tasks.len() as u64));
        if total > limit {
            let what = format!("more than {limit} dependencies");
            let help = "put one task between the many and the many: it waits for all of the \
                        first, and all of the second wait for it";
            report.error(&after.span(), what, help);
            return;
        }
        fill(report, job, known, listed, &targets);
    }
}

/// The elements of an `after`, each name once.
fn read<'a>(report: &mut Report<'a>, after: Entry<'_, 'a>) -> Vec<Wait> {
    let items = match after.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        DeValue::String(_) | DeValue::Integer(_) => vec![after],
        _ => {
            report.list(after, "after", HELP);
            return Vec::new();
        }
    };
    let mut waits: Vec<Wait> = Vec::with_capacity(items.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(items.len());
    for item in items {
        let Some(wait) = read_one(report, item) else { continue };
        if let Some(first) = places.insert(wait.name.clone(), waits.len()) {
            let marks = [(wait.span.clone(), ""), (waits[first].span.clone(), "first named here")];
            let what = format!("{} is named twice in one `after`", quote(&wait.name));
            report.marked(&marks, what, "name it once, with all the bytes that it hands over");
        }
        waits.push(wait);
    }
    waits
}

fn read_one<'a>(report: &mut Report<'a>, item: Entry<'_, 'a>) -> Option<Wait> {
    let DeValue::Table(table) = item.get_ref() else {
        if !matches!(item.get_ref(), DeValue::String(_) | DeValue::Integer(_)) {
            report.text(item, "after", HELP);
            return None;
        }
        let name = report.name(item, "after")?.into_owned();
        return Some(Wait { name, bytes: 0, span: item.span() });
    };
    let fields = Fields::open(report, table, item.span(), &["task", "bytes"]);
    let Some(task) = fields.get("task") else {
        fields.missing(report, "an element of `after` without `task`", HELP);
        return None;
    };
    let bytes = match fields.get("bytes") {
        Some(bytes) => report.size(bytes, "bytes")?,
        None => 0,
    };
    Some(Wait { name: report.name(task, "task")?.into_owned(), bytes, span: task.span() })
}

fn target(
    report: &mut Report<'_>,
    job: &Job,
    known: &Known<'_, '_, '_>,
    listed: &Listed<'_, '_>,
    wait: &Wait,
) -> Option<Target> {
    if let Some(sweep) = known.sweeps.get(wait.name.as_str()) {
        return Some(Target::All(known.listed[*sweep].tasks.clone()));
    }
    if let Some(id) = known.names.find(job, &wait.name) {
        return Some(Target::One(id));
    }
    if listed.is_sweep && placeholder::names(&wait.name).next().is_some() {
        return Some(Target::Point);
    }
    unknown(report, known, &wait.name, &wait.span);
    None
}

fn unknown(report: &mut Report<'_>, known: &Known<'_, '_, '_>, name: &str, span: &Range<usize>) {
    // The search goes over all names: not for what is only counted.
    let near = if report.is_full() {
        None
    } else {
        nearest(name, known.listed.iter().map(|listed| listed.name.as_str()))
    };
    let help = match near {
        Some(near) => format!("did you mean {}?", quote(near)),
        None => "`after` takes the names of tasks and of whole sweeps in this file".to_owned(),
    };
    report.error(span, format!("unknown task {} in `after`", quote(name)), help);
}

/// Gives each task of `listed` its dependencies, each one once, in the order of `targets`.
fn fill(
    report: &mut Report<'_>,
    job: &mut Job,
    known: &Known<'_, '_, '_>,
    listed: &Listed<'_, '_>,
    targets: &[(Target, &Wait)],
) {
    let same_for_all = !targets.iter().any(|(target, _)| matches!(target, Target::Point));
    let mut seen = HashSet::new();
    let mut before: Option<Vec<Dependency>> = None;
    for id in listed.tasks.clone().map(TaskId) {
        if same_for_all && let Some(after) = &before {
            job.tasks[id.index()].after.clone_from(after);
            continue;
        }
        seen.clear();
        let mut after = Vec::with_capacity(targets.len());
        let mut add = |task, bytes| {
            if seen.insert(task) {
                after.push(Dependency { task, bytes });
            }
        };
        for (target, wait) in targets {
            match target {
                Target::One(task) => add(*task, wait.bytes),
                Target::All(range) => range.clone().for_each(|i| add(TaskId(i), wait.bytes)),
                Target::Point => {
                    let name = filled(job, id, &wait.name);
                    match known.names.find(job, &name) {
                        Some(task) => add(task, wait.bytes),
                        None => {
                            // The first one tells it all.
                            unknown(report, known, &name, &wait.span);
                            return;
                        }
                    }
                }
            }
        }
        job.tasks[id.index()].after.clone_from(&after);
        before = Some(after);
    }
}

/// `text` with the parameters of `id`.
fn filled(job: &Job, id: TaskId, text: &str) -> String {
    match job.tasks[id.index()].body {
        TaskBody::Template { template, index } => {
            placeholder::fill(text, &job.templates[template as usize].sweep.point(index))
        }
        TaskBody::Literal(_) => text.to_owned(),
    }
}

/// Reports a ring of tasks that wait for each other, if there is one.
pub(super) fn check_rings(report: &mut Report<'_>, job: &Job, listed: &[Listed<'_, '_>]) {
    const SHOWN: usize = 12;
    let Err(Cycle(ring)) = Graph::new(job) else { return };
    let name = |id: &TaskId| quote(&job.task_name(*id));
    let mut marks: Vec<(Range<usize>, String)> = Vec::new();
    for (i, id) in ring.iter().enumerate().take(4) {
        let previous = &ring[(i + ring.len() - 1) % ring.len()];
        let place = listed.partition_point(|l| l.tasks.end <= id.0);
        let span = listed[place].fields.get("after").map_or(0..0, |after| after.span());
        if marks.iter().all(|(other, _)| *other != span) {
            marks.push((span, format!("{} waits for {}", name(id), name(previous))));
        }
    }
    let marks: Vec<_> = marks.iter().map(|(span, label)| (span.clone(), label.as_str())).collect();
    let what = match ring.as_slice() {
        [only] => format!("{} waits for itself", name(only)),
        _ => {
            let mut shown: Vec<String> = ring.iter().take(SHOWN).map(name).collect();
            if ring.len() > SHOWN {
                shown.push(format!("… ({} more)", ring.len() - SHOWN));
            }
            shown.extend(ring.first().map(name));
            format!("tasks wait for each other in a ring: {}", shown.join(" → "))
        }
    };
    report.marked(&marks, what, "remove one of these dependencies");
}
