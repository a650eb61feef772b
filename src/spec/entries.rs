//! The tasks and sweeps of a job file, one by one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::body::{self, Holes};
use super::error::{Report, quote};
use super::fields::{Entry, Fields};
use super::names::{Names, SweepNames};
use super::{Limits, request, settings, sweep};
use crate::model::{
    Body, Cost, Job, Request, Settings, Shared, Span, Sweep, Task, TaskBody, TaskId, TaskName,
    Template,
};

/// Keys that both tasks and defaults have, besides those of settings and requests.
pub(super) const SHARED_KEYS: [&str; 2] = ["cost", "priority"];
const TASK_KEYS: [&str; 3] = ["id", "name", "after"];
const SWEEP_KEYS: [&str; 3] = ["name", "task_name", "after"];

/// A `[[task]]` or `[[sweep]]` that has been read, but for its `after`.
pub(super) struct Listed<'t, 'a> {
    /// Of the task or of the whole sweep.
    pub(super) name: String,
    /// Where the name stands, or where the table begins.
    pub(super) span: Range<usize>,
    pub(super) fields: Fields<'t, 'a>,
    pub(super) is_sweep: bool,
    /// The tasks that it became.
    pub(super) tasks: Range<u32>,
}

/// What a task has unless it says otherwise.
#[derive(Clone, Default)]
pub(super) struct Defaults {
    pub(super) cost: Cost,
    pub(super) priority: i32,
    pub(super) request: Arc<Request>,
    pub(super) settings: Arc<Settings>,
}

/// Reads tasks and sweeps into a job.
pub(super) struct Reader<'t, 'a> {
    pub(super) report: Report<'a>,
    pub(super) job: Job,
    pub(super) names: Names,
    pub(super) listed: Vec<Listed<'t, 'a>>,
    pub(super) defaults: Defaults,
    pub(super) shell: Vec<String>,
    limits: Limits,
    requests: HashMap<Request, Arc<Request>>,
    /// Those of the last task that had its own: tasks written by a program are often alike.
    settings: Arc<Settings>,
    /// The first list of costs per class, and how long it is.
    classes: Option<(Range<usize>, usize)>,
}

impl<'t, 'a> Reader<'t, 'a> {
    pub(super) fn new(report: Report<'a>, limits: Limits) -> Reader<'t, 'a> {
        Reader {
            report,
            job: Job::default(),
            names: Names::default(),
            listed: Vec::new(),
            defaults: Defaults::default(),
            shell: ["sh", "-c"].map(str::to_owned).into(),
            limits,
            requests: HashMap::new(),
            settings: Settings::shared(),
            classes: None,
        }
    }

    /// Reads a `[[task]]`.
    pub(super) fn task(&mut self, table: &'t DeTable<'a>, span: Range<usize>) {
        let known =
            [&TASK_KEYS[..], &body::KEYS, &SHARED_KEYS, &request::KEYS, &settings::KEYS].concat();
        let fields = Fields::open(&mut self.report, table, span.clone(), &known);
        let Some((name, span)) = self.task_name(&fields, span) else { return };
        let body = body::read(&mut self.report, &fields, &self.shell, Holes::AT_RUN);
        let defaults = self.overlay(&fields, Holes::AT_RUN);
        let (Some(body), Some(())) = (body, self.room(1, &span)) else {
            // Its name is known all the same: one mistake, one message.
            let task = Task::new(name.as_str(), Body::Command(Vec::new()));
            return self.add(task, name, span, fields);
        };
        let task = Task {
            name: TaskName::Literal(name.as_str().into()),
            body: TaskBody::Literal(Arc::new(body)),
            after: Vec::new(),
            cost: defaults.cost,
            request: defaults.request,
            settings: defaults.settings,
            priority: defaults.priority,
        };
        self.add(task, name, span, fields);
    }

    /// Adds a task that is written out.
    fn add(&mut self, task: Task, name: String, span: Range<usize>, fields: Fields<'t, 'a>) {
        let id = self.job.add(task);
        if let Err(other) = self.names.insert(&self.job, &name, id) {
            self.duplicate(&name, &span, other);
        }
        self.list(name, span, fields, false, id.0);
    }

    fn list(
        &mut self,
        name: String,
        span: Range<usize>,
        fields: Fields<'t, 'a>,
        is_sweep: bool,
        first: u32,
    ) {
        let tasks = first..self.job.tasks.len() as u32;
        self.listed.push(Listed { name, span, fields, is_sweep, tasks });
    }

    /// The name of a task and where it stands; its place in the file if it has none.
    fn task_name(
        &mut self,
        fields: &Fields<'t, 'a>,
        span: Range<usize>,
    ) -> Option<(String, Range<usize>)> {
        let (key, value) = match (fields.get("id"), fields.get("name")) {
            (Some(id), Some(name)) => {
                let marks = [(name.span(), ""), (id.span(), "the id is here")];
                let what = "both `id` and `name` are given: they are the same";
                self.report.marked(&marks, what, "keep the one that `after` refers to");
                return None;
            }
            (None, None) => return Some((format!("task-{}", self.job.tasks.len() + 1), span)),
            (Some(id), None) => ("id", id),
            (None, Some(name)) => ("name", name),
        };
        let name = self.report.name(value, key)?.into_owned();
        Holes { parameters: &[], at_run: false }.check(&mut self.report, &name, &value.span());
        Some((name, value.span()))
    }

    /// Reads a `[[sweep]]`.
    pub(super) fn sweep(&mut self, table: &'t DeTable<'a>, span: Range<usize>) {
        let own = [&SWEEP_KEYS[..], &sweep::KEYS].concat();
        let known = [&own[..], &body::KEYS, &SHARED_KEYS, &request::KEYS, &settings::KEYS].concat();
        let fields = Fields::open(&mut self.report, table, span.clone(), &known);
        let (name, span) = match fields.get("name") {
            Some(value) => match self.report.name(value, "name") {
                Some(name) => {
                    let holes = Holes { parameters: &[], at_run: false };
                    holes.check(&mut self.report, &name, &value.span());
                    (name.into_owned(), value.span())
                }
                None => return,
            },
            None => {
                let what = "a sweep without `name`";
                let help = "write name = \"…\": other tasks wait for the whole sweep by it";
                return fields.missing(&mut self.report, what, help);
            }
        };
        let first = self.job.tasks.len() as u32;
        // Its name is known also where it cannot be read: one mistake, one message.
        let _ = self.sweep_tasks(&fields, &name, &span);
        self.list(name, span, fields, true, first);
    }

    fn sweep_tasks(
        &mut self,
        fields: &Fields<'t, 'a>,
        name: &str,
        span: &Range<usize>,
    ) -> Option<()> {
        let room = self.limits.tasks.saturating_sub(self.job.tasks.len() as u64);
        let (sweep, count) = sweep::read(&mut self.report, fields, room)?;
        let holes = Holes { parameters: &sweep.parameters, at_run: true };
        let pattern = self.pattern(fields, name, &sweep)?;
        let body = body::read(&mut self.report, fields, &self.shell, holes);
        let defaults = self.overlay(fields, holes);
        let body = body?;
        let template = self.job.templates.len() as u32;
        self.job.templates.push(Arc::new(Template { name: pattern, body: Arc::new(body), sweep }));
        let mut names = SweepNames::new(&self.job.templates[template as usize]);
        self.job.tasks.reserve(count as usize);
        for index in 0..count {
            let id = self.job.add(Task {
                name: TaskName::Template,
                body: TaskBody::Template { template, index },
                after: Vec::new(),
                cost: defaults.cost.clone(),
                request: Arc::clone(&defaults.request),
                settings: Arc::clone(&defaults.settings),
                priority: defaults.priority,
            });
            let name = names.name(index);
            if let Err(other) = self.names.insert(&self.job, name, id) {
                // One tells it all; the rest would be the same again.
                let at = fields.get("task_name").map_or(span.clone(), |value| value.span());
                self.duplicate(name, &at, other);
                return None;
            }
        }
        Some(())
    }

    /// The pattern of the names of a sweep's tasks.
    fn pattern(&mut self, fields: &Fields<'t, 'a>, name: &str, sweep: &Sweep) -> Option<String> {
        let Some(value) = fields.get("task_name") else {
            let holes = sweep.parameters.iter().map(|(name, _)| format!("-%{{{name}}}"));
            return Some(name.to_owned() + &holes.collect::<String>());
        };
        let pattern = self.report.name(value, "task_name")?.into_owned();
        let holes = Holes { parameters: &sweep.parameters, at_run: false };
        holes.check(&mut self.report, &pattern, &value.span());
        Some(pattern)
    }

    fn duplicate(&mut self, name: &str, span: &Range<usize>, other: TaskId) {
        let place = self.listed.partition_point(|l| l.tasks.end <= other.0);
        // The other one may come from the very sweep that is being read.
        let first = self.listed.get(place).map(|listed| listed.span.clone());
        let (mark, help) = match first {
            Some(first) => ((first, "first used here"), "give each task a name of its own"),
            None => (
                (span.clone(), ""),
                "name every parameter in `task_name`, each with something between, and list no \
                 value twice",
            ),
        };
        let marks = [(span.clone(), ""), mark];
        let marks = if marks[1].0 == *span { &marks[..1] } else { &marks[..] };
        self.report.marked(marks, format!("two tasks are called {}", quote(name)), help);
    }

    /// Reports a job that grows by `count` tasks beyond what is allowed.
    fn room(&mut self, count: u64, span: &Range<usize>) -> Option<()> {
        let limit = self.limits.tasks;
        if self.job.tasks.len() as u64 + count <= limit {
            return Some(());
        }
        let what = format!("more than {limit} tasks in one job");
        self.report.error(span, what, "split the job");
        None
    }

    /// What `fields` says, over the defaults. What is wrong in it is reported, and then it
    /// matters no more what it is.
    pub(super) fn overlay(&mut self, fields: &Fields<'t, 'a>, holes: Holes<'_>) -> Defaults {
        let mut defaults = self.defaults.clone();
        if let Some(value) = fields.get("cost") {
            defaults.cost = self.cost(value).unwrap_or_default();
        }
        if let Some(value) = fields.get("priority") {
            let range = i128::from(i32::MIN)..=i128::from(i32::MAX);
            defaults.priority = self.report.whole(value, "priority", range).map_or(0, |n| n as i32);
        }
        if fields.any(&request::KEYS) {
            let names = &mut self.job.resources;
            let request = request::read(&mut self.report, fields, names, &defaults.request);
            defaults.request = self.shared(request.unwrap_or_default());
        }
        if fields.any(&settings::KEYS) {
            let base = &defaults.settings;
            let settings = settings::read(&mut self.report, fields, base, holes);
            if settings != *self.settings {
                self.settings = Arc::new(settings);
            }
            defaults.settings = Arc::clone(&self.settings);
        }
        defaults
    }

    /// One allocation for all requests that are the same.
    fn shared(&mut self, request: Request) -> Arc<Request> {
        let shared = self.requests.entry(request).or_insert_with_key(|r| Arc::new(r.clone()));
        Arc::clone(shared)
    }

    /// Seconds or a duration, or a list of them with one per processor class.
    fn cost(&mut self, value: Entry<'t, 'a>) -> Option<Cost> {
        let DeValue::Array(list) = value.get_ref() else {
            return self.report.duration(value, "cost").map(Cost::Uniform);
        };
        let spans: Option<Vec<Span>> =
            list.iter().map(|item| self.report.duration(item, "cost")).collect();
        let spans = spans?;
        if spans.is_empty() {
            let what = "`cost` is an empty list";
            let help = "give one cost per processor class, or one number for all";
            self.report.error(&value.span(), what, help);
            return None;
        }
        let (first, classes) = self.classes.get_or_insert((value.span(), spans.len()));
        if *classes != spans.len() {
            let label = format!("{classes} classes here");
            let marks = [(value.span(), ""), (first.clone(), label.as_str())];
            let what = format!("`cost` has {} classes, others have {classes}", spans.len());
            let help = "give every task one cost per processor class, in the same order";
            self.report.marked(&marks, what, help);
            return None;
        }
        Some(Cost::PerClass(spans.into()))
    }
}
