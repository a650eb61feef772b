//! Runs of real workflows as WfCommons publishes them: WfFormat 1.5, in JSON.
//!
//! Each recorded task becomes a `spin` kernel on one core for as long as the task ran: a
//! recorded `coreCount` is not asked for, since `spin` keeps one core busy. Predecessors are
//! the union of what `parents` and `children` say. What a predecessor hands over is the size
//! of the files that it writes and the task reads; files without a size count nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::error::{Diagnostic, Errors, Source, quote};
use super::job::stem;
use super::json;
use super::nearest::nearest;
use super::{JobFile, Limits, Locations};
use crate::model::{
    Body, Cycle, Dependency, Graph, Job, Settings, Span, Task, TaskId, TaskName, Value,
};

const TASKS: &str = "/workflow/specification/tasks";

/// Reads a recorded workflow, with its run times multiplied by `time_scale`.
pub(super) fn read<'a>(
    source: Source<'a>,
    time_scale: f64,
    limits: Limits,
) -> Result<JobFile<'a>, Errors> {
    if !time_scale.is_finite() || time_scale < 0.0 {
        let what = format!("run times cannot be multiplied by {time_scale}");
        let help = "give a time scale that is finite and not negative, such as 0.001";
        return Err(Diagnostic::new(source.name, what, help).into());
    }
    let document: Json = serde_json::from_str(source.text).map_err(|e| syntax(source, &e))?;
    let mut reader = Reader { source, errors: Errors::default() };
    let job = reader.job(&Node::root(&document), time_scale, limits);
    match job {
        Some(job) if reader.errors.count() == 0 => {
            let locations = Locations::new(source, Vec::new());
            Ok(JobFile { job, platform: None, locations })
        }
        _ => Err(reader.errors),
    }
}

/// What `serde_json` says, with the place shown.
fn syntax(source: Source<'_>, error: &serde_json::Error) -> Errors {
    let lines = source.text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let offset = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    let help = match error.classify() {
        serde_json::error::Category::Eof => "the file ends too early: was it copied in full?",
        _ if told.contains("recursion") => "nest less deeply: WfFormat needs no more than 6 levels",
        _ => "see https://json.org for how JSON is written; there is no comma after the last",
    };
    Diagnostic::new(source.name, format!("not JSON: {told}"), help)
        .mark(source.text, &(offset..offset + 1), "")
        .pointer(json::pointer_at(source.text, offset))
        .into()
}

/// A value of the document and the way to it.
#[derive(Clone, Copy)]
struct Node<'p, 'v> {
    value: &'v Json,
    from: Option<(&'p Node<'p, 'v>, Step)>,
}

#[derive(Clone, Copy)]
enum Step {
    Key(&'static str),
    Index(usize),
}

impl<'p, 'v> Node<'p, 'v> {
    fn root(value: &'v Json) -> Node<'p, 'v> {
        Node { value, from: None }
    }

    fn get(&'p self, key: &'static str) -> Option<Node<'p, 'v>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node { value, from: Some((self, Step::Key(key))) })
    }

    fn items(&'p self) -> impl Iterator<Item = Node<'p, 'v>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(i, value)| Node { value, from: Some((self, Step::Index(i))) })
    }

    fn pointer(&self) -> String {
        match self.from {
            None => String::new(),
            Some((node, Step::Key(key))) => format!("{}/{}", node.pointer(), json::escape(key)),
            Some((node, Step::Index(i))) => format!("{}/{i}", node.pointer()),
        }
    }

    fn kind(&self) -> &'static str {
        match self.value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "text",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

struct Reader<'a> {
    source: Source<'a>,
    errors: Errors,
}

/// What the run recorded of a task.
struct Recorded<'v> {
    seconds: f64,
    program: Option<&'v str>,
}

impl Reader<'_> {
    fn error(&mut self, node: &Node<'_, '_>, what: impl Into<String>, help: impl Into<String>) {
        self.error_at(node.pointer(), what, help);
    }

    fn error_at(&mut self, pointer: String, what: impl Into<String>, help: impl Into<String>) {
        let Source { name, text } = self.source;
        self.errors.push(|| {
            let mut diagnostic = Diagnostic::new(name, what, help);
            if let Some(span) = json::span_of(text, &pointer) {
                diagnostic = diagnostic.mark(text, &span, "");
            }
            diagnostic.pointer(pointer)
        });
    }

    fn required<'p, 'v>(
        &mut self,
        node: &'p Node<'p, 'v>,
        key: &'static str,
    ) -> Option<Node<'p, 'v>> {
        let found = node.get(key);
        if found.is_none() {
            let what = format!("`{key}` is missing");
            self.error(node, what, "WfFormat 1.5 has it here: see https://wfcommons.org/format");
        }
        found
    }

    fn wrong_kind(&mut self, node: &Node<'_, '_>, expected: &str) {
        let what = format!("{} where {expected} is expected", node.kind());
        self.error(node, what, "see https://wfcommons.org/format for what stands here");
    }

    fn list(&mut self, node: &Node<'_, '_>) -> Option<()> {
        if !node.value.is_array() {
            self.wrong_kind(node, "a list");
            return None;
        }
        Some(())
    }

    fn text<'v>(&mut self, node: &Node<'_, 'v>) -> Option<&'v str> {
        let text = node.value.as_str();
        if text.is_none() {
            self.wrong_kind(node, "text");
        }
        text
    }

    fn job(&mut self, root: &Node<'_, '_>, time_scale: f64, limits: Limits) -> Option<Job> {
        self.version(root)?;
        let name = match root.get("name") {
            Some(name) => self.text(&name)?.to_owned(),
            None => stem(self.source.name),
        };
        let workflow = self.required(root, "workflow")?;
        let specification = self.required(&workflow, "specification")?;
        let tasks = self.required(&specification, "tasks")?;
        let execution = self.required(&workflow, "execution")?;
        self.list(&tasks)?;
        let nodes: Vec<Node<'_, '_>> = tasks.items().collect();
        if nodes.len() as u64 > limits.tasks {
            self.error(&tasks, format!("more than {} tasks", limits.tasks), "split the job");
            return None;
        }
        if nodes.is_empty() {
            let what = "a workflow without tasks";
            self.error(&tasks, what, "see https://wfcommons.org/format for what stands here");
        }
        let ids = self.ids(&nodes)?;
        let recorded = self.recorded(&execution, &ids, nodes.len())?;
        let mut job = self.tasks(name, &nodes, &recorded, time_scale)?;
        self.edges(&mut job, &specification, &nodes, &ids, limits)?;
        if let Err(Cycle(ring)) = Graph::new(&job) {
            self.ring(&job, &ring);
        }
        Some(job)
    }

    fn version(&mut self, root: &Node<'_, '_>) -> Option<()> {
        let help = "a JSON job is a recorded workflow in WfFormat 1.5, with \
                    \"schemaVersion\": \"1.5\"; jobs of your own are written in TOML";
        let Some(version) = root.get("schemaVersion") else {
            self.error(root, "not WfFormat: `schemaVersion` is missing", help);
            return None;
        };
        if version.value.as_str() != Some("1.5") {
            let found = version.value.as_str().map_or("?".to_owned(), quote);
            self.error(&version, format!("WfFormat {found}, where `1.5` is read"), help);
            return None;
        }
        Some(())
    }

    /// Tasks by id.
    fn ids<'v>(&mut self, nodes: &[Node<'_, 'v>]) -> Option<HashMap<&'v str, u32>> {
        let mut ids = HashMap::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            let Some(id) = self.required(node, "id") else { continue };
            let Some(text) = id.value.as_str() else {
                self.wrong_kind(&id, "text");
                continue;
            };
            if let Some(first) = ids.insert(text, i as u32) {
                let what = format!("two tasks have the id {}", quote(text));
                let help = format!("the first is {TASKS}/{first}: give each an id of its own");
                self.error(&id, what, help);
            }
        }
        (self.errors.count() == 0).then_some(ids)
    }

    fn find(&mut self, node: &Node<'_, '_>, ids: &HashMap<&str, u32>) -> Option<u32> {
        let name = self.text(node)?;
        let found = ids.get(name).copied();
        if found.is_none() {
            let near = match self.errors.is_full() {
                true => None,
                // In an order that does not depend on the hash.
                false => {
                    nearest(name, ids.keys().copied().collect::<std::collections::BTreeSet<_>>())
                }
            };
            let help = match near {
                Some(near) => format!("did you mean {}?", quote(near)),
                None => format!("{TASKS} has no task with this id"),
            };
            self.error(node, format!("unknown task {}", quote(name)), help);
        }
        found
    }

    /// What was recorded of each task.
    fn recorded<'v>(
        &mut self,
        execution: &Node<'_, 'v>,
        ids: &HashMap<&str, u32>,
        count: usize,
    ) -> Option<Vec<Option<Recorded<'v>>>> {
        let list = self.required(execution, "tasks")?;
        self.list(&list)?;
        let mut recorded: Vec<Option<Recorded<'v>>> = Vec::new();
        recorded.resize_with(count, || None);
        for node in list.items() {
            let Some(id) = self.required(&node, "id") else { continue };
            let Some(place) = self.find(&id, ids) else { continue };
            let Some(runtime) = self.required(&node, "runtimeInSeconds") else { continue };
            let seconds = runtime.value.as_f64().filter(|s| s.is_finite() && *s >= 0.0);
            if seconds.is_none() {
                let what = format!("a run time of {}", quote(&runtime.value.to_string()));
                self.error(&runtime, what, "give seconds as a number that is not negative");
            }
            let program = node.value.get("command").and_then(|command| command.get("program"));
            recorded[place as usize] = Some(Recorded {
                seconds: seconds.unwrap_or(0.0),
                program: program.and_then(Json::as_str),
            });
        }
        Some(recorded)
    }

    fn tasks(
        &mut self,
        name: String,
        nodes: &[Node<'_, '_>],
        recorded: &[Option<Recorded<'_>>],
        time_scale: f64,
    ) -> Option<Job> {
        let mut job = Job::new(name);
        let mut settings: HashMap<String, Arc<Settings>> = HashMap::new();
        for (node, recorded) in nodes.iter().zip(recorded) {
            let id = node.value.get("id").and_then(Json::as_str).unwrap_or_default();
            let Some(recorded) = recorded else {
                let what = format!("no run time was recorded for {}", quote(id));
                let help = "add it to /workflow/execution/tasks, with its `runtimeInSeconds`";
                self.error(node, what, help);
                continue;
            };
            let seconds = recorded.seconds * time_scale;
            let args = Value::Map(vec![("seconds".to_owned(), Value::Float(seconds))]);
            let body = Body::Kernel { name: "spin".to_owned(), args };
            let kind = kind(recorded.program, id);
            let shared = settings.entry(kind).or_insert_with_key(|kind| {
                Arc::new(Settings { kind: kind.clone(), ..Settings::default() })
            });
            let mut task = Task::new("", body).cost(Span::from_secs_f64(seconds));
            task.name = TaskName::Literal(id.into());
            task.settings = Arc::clone(shared);
            job.add(task);
        }
        (self.errors.count() == 0).then_some(job)
    }

    fn edges(
        &mut self,
        job: &mut Job,
        specification: &Node<'_, '_>,
        nodes: &[Node<'_, '_>],
        ids: &HashMap<&str, u32>,
        limits: Limits,
    ) -> Option<()> {
        let mut edges: HashSet<(u32, u32)> = HashSet::new();
        for key in ["parents", "children"] {
            for (i, node) in nodes.iter().enumerate() {
                let Some(list) = node.get(key) else { continue };
                let Some(()) = self.list(&list) else { continue };
                for other in list.items() {
                    let Some(other) = self.find(&other, ids) else { continue };
                    let task = i as u32;
                    let (parent, child) =
                        if key == "parents" { (other, task) } else { (task, other) };
                    if edges.insert((parent, child)) {
                        let after = &mut job.tasks[child as usize].after;
                        after.push(Dependency::from(TaskId(parent)));
                    }
                }
                if edges.len() as u64 > limits.dependencies {
                    let what = format!("more than {} dependencies", limits.dependencies);
                    self.error(&list, what, "split the job");
                    return None;
                }
            }
        }
        self.bytes(job, specification, nodes)
    }

    /// Sets how much each task takes over from each of its predecessors.
    fn bytes(
        &mut self,
        job: &mut Job,
        specification: &Node<'_, '_>,
        nodes: &[Node<'_, '_>],
    ) -> Option<()> {
        let mut sizes: HashMap<&str, u64> = HashMap::new();
        if let Some(files) = specification.get("files") {
            self.list(&files)?;
            for file in files.items() {
                let Some(id) = self.required(&file, "id") else { continue };
                let Some(name) = self.text(&id) else { continue };
                let Some(size) = file.get("sizeInBytes") else { continue };
                let Some(bytes) = size.value.as_u64() else {
                    self.wrong_kind(&size, "a whole number of bytes");
                    continue;
                };
                sizes.insert(name, bytes);
            }
        }
        let files = |reader: &mut Self, node: &Node<'_, '_>, key: &'static str| -> Option<()> {
            let Some(list) = node.get(key) else { return Some(()) };
            reader.list(&list)?;
            list.items().try_for_each(|file| reader.text(&file).map(|_| ()))
        };
        for node in nodes {
            files(self, node, "outputFiles")?;
            files(self, node, "inputFiles")?;
        }
        let outputs: Vec<HashSet<&str>> = nodes.iter().map(|n| names(n, "outputFiles")).collect();
        for (task, node) in job.tasks.iter_mut().zip(nodes) {
            let inputs = names(node, "inputFiles");
            for dependency in &mut task.after {
                let written = &outputs[dependency.task.index()];
                let common = inputs.iter().filter(|file| written.contains(*file));
                dependency.bytes = common
                    .filter_map(|file| sizes.get(file))
                    .fold(0, |sum, bytes| sum.saturating_add(*bytes));
            }
        }
        Some(())
    }

    fn ring(&mut self, job: &Job, ring: &[TaskId]) {
        const SHOWN: usize = 12;
        let name = |id: &TaskId| quote(&job.task_name(*id));
        let Some(first) = ring.first() else { return };
        let mut shown: Vec<String> = ring.iter().take(SHOWN).map(name).collect();
        if ring.len() > SHOWN {
            shown.push(format!("… ({} more)", ring.len() - SHOWN));
        }
        shown.push(name(first));
        let what = format!("tasks wait for each other in a ring: {}", shown.join(" → "));
        let help = "remove one of these dependencies from `parents` and `children`";
        self.error_at(format!("{TASKS}/{}", first.0), what, help);
    }
}

/// The files under `key` of a task, without those that are not text.
fn names<'v>(node: &Node<'_, 'v>, key: &str) -> HashSet<&'v str> {
    let list = node.value.get(key).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The kind of a task: its program where that is one word, else its id without its number.
fn kind(program: Option<&str>, id: &str) -> String {
    let word = program
        .filter(|program| !program.contains(char::is_whitespace))
        .and_then(|program| program.rsplit('/').next());
    let without_number =
        || id.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches("_ID");
    let kind = word.unwrap_or_else(without_number).trim_end_matches(['_', '-', '.']);
    if kind.is_empty() { id.to_owned() } else { kind.to_owned() }
}
