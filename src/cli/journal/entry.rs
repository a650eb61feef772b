//! An entry of a journal as a line, for people or for programs.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{AttemptKey, Job, Name, Record, State, Task, TaskId};
use crate::report;
use crate::sched::{Batch, Conclusion, Entry};

/// So many attempts or tasks are named in a line for people.
const NAMED: usize = 8;

/// Knows what was submitted, so that tasks have names.
pub(super) struct Teller<'a> {
    job: Job,
    /// Only what concerns this task is told.
    only: Option<&'a str>,
    /// Which that is, once it is known.
    wanted: Vec<TaskId>,
    json: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(only: Option<&'a str>, json: bool) -> Teller<'a> {
        Teller { job: Job::default(), only, wanted: Vec::new(), json }
    }

    /// Whether the task that was asked for was met.
    pub(super) fn found(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The lines for an entry, without line breaks, as far as it is asked for: one, or one for each
    /// ending.
    pub(super) fn tell(&mut self, number: u64, entry: Entry) -> Vec<String> {
        match &entry {
            Entry::Submitted(batch) => self.learn(&batch.tasks, batch),
            Entry::Ended(endings) => {
                let added = endings.iter().flat_map(|ended| &ended.added);
                let added: Vec<Task> = added.map(|added| added.task.clone()).collect();
                self.learn(&added, &Batch::default());
            }
            _ => {}
        }
        let lines = |entry| match self.json {
            true => self.json(number, &entry),
            false => self.text(number, &entry),
        };
        self.narrow(entry).map(lines).unwrap_or_default()
    }

    fn learn(&mut self, tasks: &[Task], batch: &Batch) {
        self.job.templates.extend(batch.templates.iter().cloned().map(Arc::new));
        for task in tasks {
            let id = TaskId(self.job.tasks.len() as u32);
            self.job.tasks.push(task.clone());
            let place = id.0.to_string();
            let is_wanted = |only| only == place || self.name(id) == only;
            if self.only.is_some_and(is_wanted) {
                self.wanted.push(id);
            }
        }
    }

    /// What of an entry is asked for.
    fn narrow(&self, entry: Entry) -> Option<Entry> {
        let wanted = |id: TaskId| self.only.is_none() || self.wanted.contains(&id);
        let keys = |mut keys: Vec<AttemptKey>| {
            keys.retain(|key| wanted(key.task));
            (!keys.is_empty()).then_some(keys)
        };
        match entry {
            Entry::Granted { keys: all, outlive } => {
                keys(all).map(|keys| Entry::Granted { keys, outlive })
            }
            Entry::Returned(all) => keys(all).map(Entry::Returned),
            Entry::Unwanted(mut ids) => {
                ids.retain(|id| wanted(*id));
                (!ids.is_empty()).then_some(Entry::Unwanted(ids))
            }
            Entry::Ended(endings) => {
                let mut endings = Arc::unwrap_or_clone(endings);
                endings.retain(|ended| wanted(ended.record.task));
                Some(Entry::Ended(Arc::new(endings)))
            }
            Entry::Opened { .. } | Entry::Submitted(_) | Entry::Sealed | Entry::Closed(_) => {
                self.only.is_none().then_some(entry)
            }
        }
    }

    fn name(&self, id: TaskId) -> Name {
        match self.job.tasks.get(id.index()) {
            Some(task) if task.is_made_of(&self.job.templates) => self.job.task_name(id),
            _ => id.to_string().into(),
        }
    }

    fn text(&self, number: u64, entry: &Entry) -> Vec<String> {
        let some = |names: Vec<String>| {
            let more = names.len().saturating_sub(NAMED);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            vec![names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(" ") + &rest]
        };
        let attempt = |key: &AttemptKey| format!("{}{}", self.name(key.task), key.attempt);
        let (what, texts) = match entry {
            Entry::Opened { run, epoch, .. } => {
                ("opened", vec![format!("epoch {} of run {:016x}", epoch.0, run.0)])
            }
            Entry::Submitted(batch) => {
                ("submitted", vec![format!("{} tasks of `{}`", batch.tasks.len(), batch.name)])
            }
            Entry::Sealed => ("sealed", vec![String::new()]),
            Entry::Granted { keys, .. } => ("granted", some(keys.iter().map(attempt).collect())),
            Entry::Returned(keys) => ("returned", some(keys.iter().map(attempt).collect())),
            Entry::Unwanted(ids) => {
                ("unwanted", some(ids.iter().map(|id| self.name(*id).to_string()).collect()))
            }
            Entry::Ended(endings) => ("ended", endings.iter().map(|e| self.ending(e)).collect()),
            Entry::Closed(verdict) => {
                ("closed", vec![format!("exit code {}: {}", verdict.code as u8, verdict.reason)])
            }
        };
        let line = |text| format!("{number:>6}  {what:<9}  {text}").trim_end().to_owned();
        texts.into_iter().map(line).collect()
    }

    fn ending(&self, Conclusion { record, added }: &Conclusion) -> String {
        let mut text = format!("{}{} {}", self.name(record.task), record.attempt, record.state);
        if let Some(place) = &record.place {
            text += &format!(" on node {} at {}", place.node.0, place.host);
        }
        if let (Some(start), Some(end)) = (record.start, record.end) {
            text += &format!(" from {start} for {}", end.since(start));
        }
        if let Some(reason) = record.reason.as_ref().filter(|_| record.state != State::Done) {
            text += &format!(": {}", reason.replace('\n', " "));
        }
        match added.len() {
            0 => text,
            n => text + &format!("; it added {n} tasks"),
        }
    }

    fn json(&self, number: u64, entry: &Entry) -> Vec<String> {
        let task = |id: TaskId| json!({ "task": self.name(id).as_str(), "index": id.0 });
        let attempts = |keys: &[AttemptKey]| {
            let attempt = |key: &AttemptKey| {
                let AttemptKey { task, attempt, .. } = *key;
                json!({ "task": self.name(task).as_str(), "index": task.0, "attempt": attempt.0 })
            };
            keys.iter().map(attempt).collect::<Value>()
        };
        let part = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let line = |what: &str, key: &str, value: Value| json!({ "entry": number, "kind": what, key: value });
        let ended = |Conclusion { record, added }: &Conclusion| {
            let record = part(&report::record_to_json(&self.described(record)));
            let mut line = line("ended", "record", record);
            line["added"] = added.len().into();
            line.to_string()
        };
        let line = match entry {
            Entry::Ended(endings) => return endings.iter().map(ended).collect(),
            Entry::Opened { run, epoch, .. } => {
                let master = json!({ "run": format!("{:016x}", run.0), "epoch": epoch.0 });
                line("opened", "master", master)
            }
            Entry::Submitted(batch) => {
                let job = json!({ "name": batch.name, "tasks": batch.tasks.len() });
                line("submitted", "job", job)
            }
            Entry::Sealed => line("sealed", "job", Value::Null),
            Entry::Granted { keys, .. } => line("granted", "attempts", attempts(keys)),
            Entry::Returned(keys) => line("returned", "attempts", attempts(keys)),
            Entry::Unwanted(ids) => {
                line("unwanted", "tasks", ids.iter().map(|id| task(*id)).collect())
            }
            Entry::Closed(verdict) => {
                line("closed", "verdict", part(&report::verdict_to_json(verdict)))
            }
        };
        vec![line.to_string()]
    }

    fn described(&self, record: &Record) -> Record {
        let mut record = record.clone();
        match self.job.tasks.get(record.task.index()) {
            Some(task) => record.describe(task, self.name(record.task)),
            None => record.name = record.task.to_string().into(),
        }
        record
    }
}
