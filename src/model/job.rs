//! A job as it is submitted: tasks, what they run, what they wait for.

use std::sync::Arc;

use super::placeholder;
use super::{Name, Request, ResourceNames, Shared, Span, TaskId, Value};

/// A job: tasks in the order of the file, and what they share.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// What the user calls it.
    pub name: String,
    /// The tasks; a [`TaskId`] is a place in this list.
    pub tasks: Vec<Task>,
    /// Templates that tasks refer to, one per sweep.
    pub templates: Vec<Arc<Template>>,
    /// The names of the resources that its requests use.
    pub resources: ResourceNames,
}

/// A vertex of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// How it is called in files, records and messages.
    pub name: TaskName,
    /// What it runs.
    pub body: TaskBody,
    /// The tasks that must be done before it starts.
    pub after: Vec<Dependency>,
    /// How long it is thought to take.
    pub cost: Cost,
    /// What it needs of a node.
    pub request: Arc<Request>,
    /// How it is run.
    pub settings: Arc<Settings>,
    /// Higher starts first; 0 unless the user says otherwise. Before the list heuristic.
    pub priority: i32,
}

/// The name of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskName {
    /// Written out.
    Literal(Name),
    /// From the pattern of the template that its body refers to.
    Template,
}

/// What a task runs.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskBody {
    /// Written out.
    Literal(Arc<Body>),
    /// One point of a sweep: `index` counts its combinations from 0.
    Template {
        /// Which of the job's templates.
        template: u32,
        /// Which combination of its parameters.
        index: u64,
    },
}

/// A command or a kernel. Strings may hold placeholders (see [`placeholder`]), which are
/// filled in where the task runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A program and its arguments, started without a shell.
    Command(Vec<String>),
    /// A registered function.
    Kernel {
        /// The name under which it is registered.
        name: String,
        /// Its arguments; text in them may hold placeholders.
        args: Value,
    },
}

/// A task to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The predecessor.
    pub task: TaskId,
    /// How much it hands over, in bytes, as far as planning is concerned.
    pub bytes: u64,
}

impl From<TaskId> for Dependency {
    fn from(task: TaskId) -> Dependency {
        Dependency { task, bytes: 0 }
    }
}

/// How long a task is thought to take on an otherwise idle node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// The user did not say.
    #[default]
    Unknown,
    /// On a processor of speed 1.
    Uniform(Span),
    /// One per processor class of the platform.
    PerClass(Box<[Span]>),
}

impl Cost {
    /// The cost on a processor of `class` and `speed`; what is unknown costs nothing.
    #[must_use]
    pub fn on(&self, class: usize, speed: f64) -> Span {
        match self {
            Cost::Unknown => Span::ZERO,
            Cost::Uniform(span) => span.scale(1.0 / speed),
            Cost::PerClass(spans) => spans.get(class).copied().unwrap_or_default(),
        }
    }

    /// The mean over the classes; what is unknown costs nothing.
    #[must_use]
    pub fn mean(&self) -> Span {
        match self {
            Cost::Unknown => Span::ZERO,
            Cost::Uniform(span) => *span,
            Cost::PerClass(spans) => {
                let total: u128 = spans.iter().map(|s| u128::from(s.0)).sum();
                Span((total / spans.len().max(1) as u128) as u64)
            }
        }
    }
}

/// How a task is run. Shared by all tasks for which it is the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Variables set for a command, in order, over those of the node.
    pub env: Vec<(String, String)>,
    /// The folder that a command runs in; the run's own if not said.
    pub cwd: Option<String>,
    /// A file for standard input; nothing to read if not said.
    pub stdin: Option<String>,
    /// A file for standard output; the tail in the record if not said.
    pub stdout: Option<String>,
    /// A file for standard error; the tail in the record if not said.
    pub stderr: Option<String>,
    /// An attempt that takes longer is ended.
    pub time_limit: Option<Span>,
    /// A signal some time before an attempt is ended because its time is up.
    pub warning: Option<Warning>,
    /// Between SIGTERM and SIGKILL when an attempt is ended.
    pub grace: Span,
    /// How often a failed attempt is repeated. A lost attempt does not count.
    pub retries: u16,
    /// Whether it is run again when an attempt was lost.
    pub rerun: Rerun,
    /// What kind of task this is, for prediction and reports; empty if not said.
    pub kind: String,
    /// What the user wants carried into the record.
    pub meta: Vec<(String, Value)>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            env: Vec::new(),
            cwd: None,
            stdin: None,
            stdout: None,
            stderr: None,
            time_limit: None,
            warning: None,
            grace: Settings::GRACE,
            retries: 0,
            rerun: Rerun::Always,
            kind: String::new(),
            meta: Vec::new(),
        }
    }
}

impl Settings {
    /// The default time between SIGTERM and SIGKILL.
    pub const GRACE: Span = Span::from_secs(5);
}

/// A signal to the processes of an attempt some time before their time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which.
    pub signal: WarningSignal,
    /// How long before.
    pub before: Span,
}

/// A signal by which a program can be warned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningSignal {
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGTERM.
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl WarningSignal {
    /// All of them.
    pub const ALL: [WarningSignal; 5] = [
        WarningSignal::Hup,
        WarningSignal::Int,
        WarningSignal::Term,
        WarningSignal::Usr1,
        WarningSignal::Usr2,
    ];

    /// Its name without `SIG`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WarningSignal::Hup => "HUP",
            WarningSignal::Int => "INT",
            WarningSignal::Term => "TERM",
            WarningSignal::Usr1 => "USR1",
            WarningSignal::Usr2 => "USR2",
        }
    }
}

/// Whether a task is run again when it is not known how far an attempt at it came: its node died
/// or was lost sight of, or it was ended before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rerun {
    /// As often as it takes.
    #[default]
    Always,
    /// Not once: what it did may not be done twice. The task ends as lost. What came back without
    /// having started is given out again all the same.
    Never,
}

/// A task with holes, and the values that fill them: one task for each combination.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The pattern of the tasks' names.
    pub name: String,
    /// What each of them runs.
    pub body: Arc<Body>,
    /// The parameters.
    pub sweep: Sweep,
}

/// Named lists of values, combined.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The parameters in the order of the file, each with its values.
    pub parameters: Vec<(String, Vec<Value>)>,
    /// How the lists are combined.
    pub combine: Combine,
}

/// How the lists of a sweep are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// Each value of the first with each of the second and so on; the last varies fastest.
    #[default]
    Product,
    /// The first of each, the second of each and so on; the lists are equally long.
    Zip,
}

impl Sweep {
    /// How many combinations there are; `None` if they cannot be counted in 64 bits.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        let mut lengths = self.parameters.iter().map(|(_, values)| values.len() as u64);
        match self.combine {
            Combine::Product => lengths.try_fold(1u64, u64::checked_mul),
            Combine::Zip => Some(lengths.min().unwrap_or(0)),
        }
    }

    /// Whether there is no combination at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The combination `index`: each parameter with its value.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn point(&self, index: u64) -> Vec<(String, Value)> {
        let mut rest = index;
        let mut point: Vec<(String, Value)> = Vec::with_capacity(self.parameters.len());
        for (name, values) in self.parameters.iter().rev() {
            let n = values.len() as u64;
            let at = match self.combine {
                Combine::Zip => index,
                Combine::Product => {
                    let at = rest % n;
                    rest /= n;
                    at
                }
            };
            point.push((name.clone(), values[at as usize].clone()));
        }
        point.reverse();
        point
    }
}

impl Job {
    /// An empty job.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Job {
        Job { name: name.into(), ..Job::default() }
    }

    /// Adds a task and gives its id.
    ///
    /// # Panics
    /// At 2^32 tasks.
    pub fn add(&mut self, mut task: Task) -> TaskId {
        let id = u32::try_from(self.tasks.len()).expect("a job holds fewer than 2^32 tasks");
        // Many in a row often run the same: it is there once.
        if let Some(last) = self.tasks.last().filter(|last| last.body == task.body) {
            task.body.clone_from(&last.body);
        }
        self.tasks.push(task);
        TaskId(id)
    }

    /// The name of a task, filled in if it comes from a template.
    ///
    /// # Panics
    /// If the task is not of this job, as everywhere here.
    #[must_use]
    pub fn task_name(&self, id: TaskId) -> Name {
        self.tasks[id.index()].resolved_name(&self.templates)
    }
}

impl Task {
    /// A task that calls `kernel` with `args`, on one core, after nothing.
    #[must_use]
    pub fn kernel(name: impl Into<Name>, kernel: &str, args: impl Into<Value>) -> Task {
        Task::new(name, Body::Kernel { name: kernel.to_owned(), args: args.into() })
    }

    /// A task that starts a program with arguments, on one core, after nothing.
    #[must_use]
    pub fn command<S: Into<String>>(
        name: impl Into<Name>,
        argv: impl IntoIterator<Item = S>,
    ) -> Task {
        Task::new(name, Body::Command(argv.into_iter().map(Into::into).collect()))
    }

    /// A task that runs `body`, on one core, after nothing.
    #[must_use]
    pub fn new(name: impl Into<Name>, body: Body) -> Task {
        Task {
            name: TaskName::Literal(name.into()),
            body: TaskBody::Literal(Arc::new(body)),
            after: Vec::new(),
            cost: Cost::Unknown,
            request: Request::shared(),
            settings: Settings::shared(),
            priority: 0,
        }
    }

    /// The same, to start only when `tasks` are done.
    #[must_use]
    pub fn after(mut self, tasks: impl IntoIterator<Item = TaskId>) -> Task {
        self.after.extend(tasks.into_iter().map(Dependency::from));
        self
    }

    /// The same, thought to take `cost`.
    #[must_use]
    pub fn cost(mut self, cost: Span) -> Task {
        self.cost = Cost::Uniform(cost);
        self
    }

    /// The same, on `cores` cores.
    #[must_use]
    pub fn cores(mut self, cores: u64) -> Task {
        self.request = Arc::new(Request::of(super::Resources::cores(cores)));
        self
    }

    /// The name, filled in if it comes from one of `templates`.
    #[must_use]
    pub fn resolved_name(&self, templates: &[Arc<Template>]) -> Name {
        match (&self.name, &self.body) {
            (TaskName::Literal(name), _) => name.clone(),
            (TaskName::Template, TaskBody::Template { template, index }) => {
                let template = &templates[*template as usize];
                let point = template.sweep.point(*index);
                placeholder::fill(&template.name, &point).into()
            }
            (TaskName::Template, TaskBody::Literal(_)) => Name::default(),
        }
    }

    /// Whether `templates` has all that it is made of: its template, and its place in the sweep of
    /// that. Others have neither a name nor a body.
    #[must_use]
    pub fn is_made_of(&self, templates: &[Arc<Template>]) -> bool {
        match (&self.body, &self.name) {
            (TaskBody::Literal(_), name) => matches!(name, TaskName::Literal(_)),
            (TaskBody::Template { template, index }, _) => {
                let sweep = templates.get(*template as usize).map(|t| &t.sweep);
                sweep.is_some_and(|sweep| sweep.len().is_some_and(|n| *index < n))
            }
        }
    }

    /// What it runs, with the holes that are in it.
    #[must_use]
    pub fn unresolved_body<'a>(&'a self, templates: &'a [Arc<Template>]) -> &'a Body {
        self.shared_body(templates)
    }

    fn shared_body<'a>(&'a self, templates: &'a [Arc<Template>]) -> &'a Arc<Body> {
        match &self.body {
            TaskBody::Literal(body) => body,
            TaskBody::Template { template, .. } => &templates[*template as usize].body,
        }
    }

    /// What it runs, and the parameters that fill the holes in that.
    #[must_use]
    pub fn resolved_body(&self, templates: &[Arc<Template>]) -> (Arc<Body>, Vec<(String, Value)>) {
        let parameters = match &self.body {
            TaskBody::Literal(_) => Vec::new(),
            TaskBody::Template { template, index } => {
                templates[*template as usize].sweep.point(*index)
            }
        };
        (Arc::clone(self.shared_body(templates)), parameters)
    }

    /// The arguments of the kernel that it calls, with its parameters filled in; nothing for a
    /// command.
    #[must_use]
    pub fn kernel_args(&self, templates: &[Arc<Template>]) -> Option<Value> {
        let (body, point) = self.resolved_body(templates);
        match &*body {
            Body::Kernel { args, .. } => Some(placeholder::fill_value(args, &point)),
            Body::Command(_) => None,
        }
    }
}

impl TaskName {
    /// The name where it is written out.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self {
            TaskName::Literal(name) => Some(name),
            TaskName::Template => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(combine: Combine) -> Sweep {
        let values = |n: i64| (0..n).map(Value::Int).collect::<Vec<_>>();
        Sweep { parameters: vec![("a".into(), values(3)), ("b".into(), values(3))], combine }
    }

    #[test]
    fn the_last_parameter_of_a_product_varies_fastest() {
        let sweep = sweep(Combine::Product);
        assert_eq!(sweep.len(), Some(9));
        let point = |i| sweep.point(i).iter().map(|(_, v)| v.as_i64().unwrap()).collect::<Vec<_>>();
        assert_eq!([point(0), point(1), point(3), point(8)], [[0, 0], [0, 1], [1, 0], [2, 2]]);
    }

    #[test]
    fn a_zip_walks_its_lists_together() {
        let sweep = sweep(Combine::Zip);
        assert_eq!(sweep.len(), Some(3));
        assert!(sweep.point(2).iter().all(|(_, v)| *v == Value::Int(2)));
    }

    #[test]
    fn a_template_names_its_tasks() {
        let mut job = Job::new("sweep");
        let body = Body::Command(vec!["echo".into(), "%{a}".into()]);
        let template = Template {
            name: "run-%{a}-%{b}".into(),
            body: Arc::new(body),
            sweep: sweep(Combine::Zip),
        };
        job.templates.push(Arc::new(template));
        let mut task = Task::command("", ["x"]);
        task.name = TaskName::Template;
        task.body = TaskBody::Template { template: 0, index: 1 };
        let id = job.add(task);
        assert_eq!(job.task_name(id), "run-1-1");
    }

    #[test]
    fn the_arguments_of_a_kernel_hold_the_parameters_of_its_sweep() {
        let args = Value::List(vec!["%{a}".into(), "%{NODE}".into(), 7.into()]);
        let body = Body::Kernel { name: "k".into(), args };
        let template =
            Template { name: "k-%{a}".into(), body: Arc::new(body), sweep: sweep(Combine::Zip) };
        let mut task = Task::kernel("", "other", ());
        task.body = TaskBody::Template { template: 0, index: 2 };
        let filled = Value::List(vec![2.into(), "%{NODE}".into(), 7.into()]);
        assert_eq!(task.kernel_args(&[Arc::new(template)]), Some(filled));
        assert_eq!(Task::command("c", ["true"]).kernel_args(&[]), None);
    }
}
