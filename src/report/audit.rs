//! Whether the records of a run say what they must.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use crate::model::{Job, Record, Span, State, TaskId};

/// What is wrong with the records of a run in which every task of `job` is said to be done, in
/// words; nothing if they hold. Each task is done exactly once and after all that it waits for,
/// and was tried before exactly as often as an attempt at it is told to have been lost or to
/// have failed.
#[must_use]
pub fn audit(job: &Job, records: &[impl Borrow<Record>]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut done: BTreeMap<TaskId, &Record> = BTreeMap::new();
    let mut tried: BTreeMap<TaskId, Vec<u16>> = BTreeMap::new();
    for record in records.iter().map(Borrow::borrow) {
        let name = &record.name;
        tried.entry(record.task).or_default().push(record.attempt.0);
        if record.task.index() >= job.tasks.len() {
            faults.push(format!("task `{name}` is not of this job"));
        } else if record.state == State::Cancelled {
            faults.push(format!("task `{name}` was cancelled"));
        } else if record.state == State::Done && done.insert(record.task, record).is_some() {
            faults.push(format!("task `{name}` is done twice"));
        }
    }
    for (task, id) in job.tasks.iter().zip((0..).map(TaskId)) {
        let name = || job.task_name(id);
        let Some(record) = done.get(&id) else {
            faults.push(format!("task `{}` is not done", name()));
            continue;
        };
        // In whatever order they were told: 1, 2, … up to the one that was done.
        let mut attempts = tried.remove(&id).unwrap_or_default();
        attempts.sort_unstable();
        if !attempts.iter().copied().eq(1..=record.attempt.0) {
            let last = record.attempt.0;
            faults.push(format!(
                "task `{}` is done at attempt {last}, and the attempts told are {attempts:?}",
                name()
            ));
        }
        let parents = task.after.iter().filter_map(|parent| done.get(&parent.task));
        if let Some(parent) = parents.into_iter().find(|parent| !follows(record, parent)) {
            faults.push(format!("task `{}` started before `{}` ended", name(), parent.name));
        }
    }
    faults
}

/// Whether `record` started when `parent` had ended, as far as their clocks can tell.
fn follows(record: &Record, parent: &Record) -> bool {
    let (Some(start), Some(end)) = (record.start, parent.end) else { return false };
    start + record.clock + parent.clock + Span(1) >= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, AttemptKey, JobId, Task, Time};

    fn record(id: u32, attempt: u16, state: State, start: u64, end: u64) -> Record {
        let key = AttemptKey {
            job: JobId(0),
            task: TaskId(id),
            attempt: Attempt(attempt),
            epoch: crate::model::Epoch(1),
        };
        let [start, end] = [start, end].map(|s| Some(Time::ZERO + Span::from_secs(s)));
        let name = ["a", "b", "c"][id as usize].to_owned();
        Record { name, start, end, ..Record::new(key, state) }
    }

    fn faults(records: &[Record]) -> String {
        let mut job = Job::new("test");
        let a = job.add(Task::kernel("a", "noop", ()));
        job.add(Task::kernel("b", "noop", ()).after([a]));
        audit(&job, records).join("; ")
    }

    #[test]
    fn what_holds_has_no_fault() {
        let (a, b) = (record(0, 1, State::Done, 0, 1), record(1, 1, State::Done, 1, 2));
        assert_eq!(faults(&[a.clone(), b]), "");
        let lost = record(1, 1, State::Lost, 1, 1);
        let again = record(1, 2, State::Done, 2, 3);
        assert_eq!(faults(&[a, again, lost]), "", "in whatever order they are told");
    }

    #[test]
    fn each_fault_is_told() {
        let (a, b) = (record(0, 1, State::Done, 0, 2), record(1, 1, State::Done, 2, 3));
        assert_eq!(faults(std::slice::from_ref(&a)), "task `b` is not done");
        let twice = faults(&[a.clone(), b.clone(), b.clone()]);
        assert!(twice.starts_with("task `b` is done twice; "), "{twice}");
        let early = record(1, 1, State::Done, 1, 3);
        assert_eq!(faults(&[a.clone(), early]), "task `b` started before `a` ended");
        let unsure = Record { clock: Span::from_secs(1), ..record(1, 1, State::Done, 1, 3) };
        assert_eq!(faults(&[a.clone(), unsure]), "");
        let second = record(1, 2, State::Done, 2, 3);
        let told = "task `b` is done at attempt 2, and the attempts told are [2]";
        assert_eq!(faults(&[a.clone(), second]), told);
        let lost = record(1, 2, State::Lost, 2, 3);
        let told = "task `b` is done at attempt 1, and the attempts told are [1, 2]";
        assert_eq!(faults(&[a.clone(), b.clone(), lost]), told);
        let other = record(2, 1, State::Done, 2, 3);
        assert_eq!(faults(&[a, b, other]), "task `c` is not of this job");
    }
}
