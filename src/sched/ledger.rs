//! What the master knows of each task: where it stands, what it waits for, what it gave back.
//!
//! One array per fact rather than one struct per task: a task takes some 40 bytes here beside
//! what the user wrote of it, and 8 for each predecessor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::Batch;
use super::message::Dispatch;
use super::ready::Urgency;
use super::tasks::Tasks;
use crate::model::{
    Addition, Attempt, AttemptKey, Counts, Dependency, Epoch, JobId, Name, Record, Request, Rerun,
    Task, TaskBody, TaskId, Template, Time, Value, Work,
};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// For its predecessors.
    Waiting,
    /// May be given out.
    Ready,
    /// Given out.
    Granted,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Not to be run.
    Cancelled,
    /// Lost, and not to be run again.
    Lost,
}

impl Stage {
    /// The ways to end but the good one.
    pub(super) const BAD: [Stage; 3] = [Stage::Failed, Stage::Cancelled, Stage::Lost];

    /// Whether it ended, and not well: what waits for it never starts.
    pub(super) fn is_bad(self) -> bool {
        Stage::BAD.contains(&self)
    }

    fn is_over(self) -> bool {
        self == Stage::Done || self.is_bad()
    }
}

/// The tasks of one job.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    job: JobId,
    tasks: Tasks,
    templates: Vec<Arc<Template>>,
    ranks: Vec<u64>,
    stage: Vec<Stage>,
    /// Predecessors that are not done.
    waits: Vec<u32>,
    attempts: Vec<Attempt>,
    /// In which epoch the last attempt was given out.
    epochs: Vec<Epoch>,
    failures: Vec<u16>,
    ready: Vec<Time>,
    /// Successors that have not ended: as long as there are any, the value is kept.
    uses: Vec<u32>,
    /// The first of a task's edges in `edges`, or none.
    first: Vec<u32>,
    /// A successor, and the next edge of the same predecessor.
    edges: Vec<(TaskId, u32)>,
    values: BTreeMap<TaskId, Value>,
    /// It gave something back that is not kept any more.
    gone: Vec<bool>,
    counts: Counts,
    sealed: bool,
    epoch: Epoch,
    /// How many tasks there were when each epoch began: what an earlier master knew beyond them is
    /// forgotten, and its ids may be others' now.
    begins: Vec<(Epoch, usize)>,
}

const NONE: u32 = u32::MAX;

impl Ledger {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// What is given out from now on is of this epoch.
    pub(super) fn begin(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.begins.push((epoch, self.tasks.len()));
    }

    pub(super) fn seal(&mut self) {
        self.sealed = true;
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    pub(super) fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id.index()]
    }

    /// Whether every task has ended and no more can come.
    pub(super) fn is_over(&self) -> bool {
        self.sealed && self.counts.open() == 0
    }

    pub(super) fn stage(&self, id: TaskId) -> Stage {
        self.stage[id.index()]
    }

    pub(super) fn request(&self, id: TaskId) -> &Arc<Request> {
        &self.tasks[id.index()].request
    }

    pub(super) fn rerun(&self, id: TaskId) -> Rerun {
        self.tasks[id.index()].settings.rerun
    }

    pub(super) fn name(&self, id: TaskId) -> Name {
        self.tasks[id.index()].resolved_name(&self.templates)
    }

    pub(super) fn ready_at(&self, id: TaskId) -> Time {
        self.ready[id.index()]
    }

    pub(super) fn urgency(&self, id: TaskId) -> Urgency {
        let rank = self.ranks[id.index()];
        Urgency::new(self.tasks[id.index()].priority, rank, self.job, id)
    }

    pub(super) fn key(&self, id: TaskId) -> AttemptKey {
        let (attempt, epoch) = (self.attempts[id.index()], self.epochs[id.index()]);
        AttemptKey { job: self.job, task: id, attempt, epoch }
    }

    /// Whether `key` is the attempt that is out now.
    pub(super) fn is_out(&self, key: AttemptKey) -> bool {
        let known = key.job == self.job && key.task.index() < self.tasks.len();
        known && self.stage(key.task) == Stage::Granted && self.key(key.task) == key
    }

    /// Whether `key` may be an attempt that a former master gave out and had no time to write down:
    /// the next one of a task that waits to be given out.
    pub(super) fn may_be_out(&self, key: AttemptKey) -> bool {
        let AttemptKey { job, task, attempt, epoch } = key;
        let after = self.begins.iter().find(|(begun, _)| *begun > epoch);
        let same = after.is_some_and(|(_, tasks)| task.index() < *tasks) && job == self.job;
        let next = || self.attempts[task.index()].0.saturating_add(1);
        same && self.stage(task) == Stage::Ready && attempt.0 == next()
    }

    /// Tasks in the given stage, by id.
    pub(super) fn in_stage(&self, stage: Stage) -> Vec<TaskId> {
        let ids = self.stage.iter().enumerate().filter(|(_, s)| **s == stage);
        ids.map(|(i, _)| TaskId(i as u32)).collect()
    }

    /// Fills in what a record in the journal leaves out.
    pub(super) fn describe(&self, record: &mut Record) {
        record.describe(&self.tasks[record.task.index()], self.name(record.task));
    }

    /// Takes tasks in; those that wait for nothing come back.
    ///
    /// # Errors
    /// If the batch does not make sense: an unknown predecessor, a rank too few, a template that
    /// is not there. Nothing is taken in then.
    pub(super) fn submit(&mut self, batch: &Arc<Batch>, now: Time) -> Result<Vec<TaskId>, String> {
        let end = self.tasks.len() + batch.tasks.len();
        if u32::try_from(end).is_err() || batch.ranks.len() != batch.tasks.len() {
            return Err(format!("a batch of {} tasks does not fit", batch.tasks.len()));
        }
        let mut templates = self.templates.clone();
        templates.extend(batch.templates.iter().cloned().map(Arc::new));
        for task in &batch.tasks {
            check(task, end, &templates)?;
            self.check_values(task)?;
        }
        self.templates = templates;
        let first = self.tasks.len();
        self.tasks.submit(Arc::clone(batch));
        batch.ranks.iter().for_each(|rank| self.push(*rank));
        Ok(self.link(first, now))
    }

    /// Takes in what a task that is done has added; those that may start come back.
    ///
    /// # Errors
    /// If they do not make sense; nothing is taken in then.
    pub(super) fn add(&mut self, added: Vec<Addition>, now: Time) -> Result<Vec<TaskId>, String> {
        self.check_additions(&added)?;
        let first = self.tasks.len();
        for Addition { mut task, siblings } in added {
            task.after.extend(siblings.iter().map(|n| Dependency::from(TaskId(first as u32 + n))));
            let rank = task.cost.mean().0;
            self.tasks.add(task);
            self.push(rank);
        }
        Ok(self.link(first, now))
    }

    /// Whether additions make sense.
    pub(super) fn check_additions(&self, added: &[Addition]) -> Result<(), String> {
        for (n, addition) in added.iter().enumerate() {
            check(&addition.task, self.tasks.len(), &self.templates)?;
            self.check_values(&addition.task)?;
            if addition.siblings.iter().any(|s| *s as usize >= n) {
                return Err(format!("added task {n} waits for one that was added after it"));
            }
        }
        Ok(())
    }

    /// Whether what the predecessors of a new task gave back is still there for it.
    fn check_values(&self, task: &Task) -> Result<(), String> {
        let gone = |d: &&Dependency| self.gone.get(d.task.index()).is_some_and(|gone| *gone);
        match task.after.iter().find(gone) {
            None => Ok(()),
            Some(d) => Err(format!(
                "task {} waits for `{}`, which is done, and whose value is not kept any more: all \
                 that were to use it have ended",
                task.name.literal().unwrap_or("of a sweep"),
                self.name(d.task)
            )),
        }
    }

    fn push(&mut self, rank: u64) {
        self.ranks.push(rank);
        self.stage.push(Stage::Waiting);
        self.waits.push(0);
        self.attempts.push(Attempt(0));
        self.epochs.push(Epoch(0));
        self.failures.push(0);
        self.ready.push(Time::ZERO);
        self.uses.push(0);
        self.gone.push(false);
        self.first.push(NONE);
        self.counts.tasks += 1;
    }

    /// Ties the tasks from `first` on to their predecessors.
    fn link(&mut self, first: usize, now: Time) -> Vec<TaskId> {
        let mut ready = Vec::new();
        for i in first..self.tasks.len() {
            let id = TaskId(i as u32);
            let after: Vec<TaskId> = self.tasks[i].after.iter().map(|d| d.task).collect();
            for before in after {
                let edge = self.edges.len() as u32;
                self.edges.push((id, self.first[before.index()]));
                self.first[before.index()] = edge;
                self.uses[before.index()] += 1;
                self.waits[i] += u32::from(self.stage(before) != Stage::Done);
            }
            if self.waits[i] == 0 {
                self.make_ready(id, now);
                ready.push(id);
            }
        }
        ready
    }

    fn make_ready(&mut self, id: TaskId, now: Time) {
        self.stage[id.index()] = Stage::Ready;
        self.ready[id.index()] = now;
    }

    fn successors(&self, id: TaskId) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut at = self.first[id.index()];
        while at != NONE {
            let (to, next) = self.edges[at as usize];
            found.push(to);
            at = next;
        }
        found.reverse();
        found
    }

    /// A task is given out, as its next attempt.
    pub(super) fn grant(&mut self, id: TaskId) -> AttemptKey {
        let attempt = &mut self.attempts[id.index()];
        attempt.0 = attempt.0.saturating_add(1);
        self.epochs[id.index()] = self.epoch;
        self.stage[id.index()] = Stage::Granted;
        self.key(id)
    }

    /// What a node needs to run the attempt that is out.
    pub(super) fn dispatch(&self, id: TaskId) -> Dispatch {
        let task = &self.tasks[id.index()];
        let (body, parameters) = task.resolved_body(&self.templates);
        let value = |before: TaskId| self.values.get(&before).cloned().unwrap_or_default();
        let work = Work {
            request: Arc::clone(&task.request),
            name: self.name(id),
            body,
            parameters,
            settings: Arc::clone(&task.settings),
            inputs: task.after.iter().map(|d| (d.task, value(d.task))).collect(),
        };
        Dispatch { key: self.key(id), urgency: self.urgency(id), work: Arc::new(work) }
    }

    /// A task is done; those that may start now come back.
    pub(super) fn done(&mut self, id: TaskId, value: Value, now: Time) -> Vec<TaskId> {
        self.stage[id.index()] = Stage::Done;
        self.counts.done += 1;
        if value != Value::Unit {
            match self.uses[id.index()] {
                0 => self.gone[id.index()] = true,
                _ => drop(self.values.insert(id, value)),
            }
        }
        self.release_inputs(id);
        let mut ready = Vec::new();
        for next in self.successors(id) {
            let waits = &mut self.waits[next.index()];
            *waits -= 1;
            if *waits == 0 && self.stage(next) == Stage::Waiting {
                self.make_ready(next, now);
                ready.push(next);
            }
        }
        ready
    }

    /// A task has ended: the values that only it still needed are dropped.
    fn release_inputs(&mut self, id: TaskId) {
        for i in 0..self.tasks[id.index()].after.len() {
            let before = self.tasks[id.index()].after[i].task;
            let uses = &mut self.uses[before.index()];
            *uses = uses.saturating_sub(1);
            if *uses == 0 && self.values.remove(&before).is_some() {
                self.gone[before.index()] = true;
            }
        }
    }

    /// An attempt has failed; whether the task is tried again.
    pub(super) fn failed(&mut self, id: TaskId) -> bool {
        let failures = &mut self.failures[id.index()];
        *failures = failures.saturating_add(1);
        if *failures <= self.tasks[id.index()].settings.retries {
            self.stage[id.index()] = Stage::Ready;
            return true;
        }
        self.stage[id.index()] = Stage::Failed;
        self.counts.failed += 1;
        self.release_inputs(id);
        false
    }

    /// An attempt was lost with its node; whether the task is run again.
    pub(super) fn lost(&mut self, id: TaskId) -> bool {
        self.counts.lost += 1;
        if self.tasks[id.index()].settings.rerun == Rerun::Always {
            self.stage[id.index()] = Stage::Ready;
            return true;
        }
        self.stage[id.index()] = Stage::Lost;
        self.counts.lost_for_good += 1;
        self.release_inputs(id);
        false
    }

    /// An attempt came back without having started: it was none.
    pub(super) fn returned(&mut self, id: TaskId) {
        self.attempts[id.index()].0 -= 1;
        self.stage[id.index()] = Stage::Ready;
    }

    /// A task that has not ended is not to be run any more.
    pub(super) fn cancel(&mut self, id: TaskId) {
        self.stage[id.index()] = Stage::Cancelled;
        self.counts.cancelled += 1;
        self.release_inputs(id);
    }

    /// What can never start since `id` will not be done, directly or not, and has not ended.
    pub(super) fn stranded_by(&self, id: TaskId) -> Vec<TaskId> {
        let mut stranded = BTreeSet::new();
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let open = self.successors(id).into_iter().filter(|next| !self.stage(*next).is_over());
            todo.extend(open.filter(|next| stranded.insert(*next)));
        }
        stranded.into_iter().collect()
    }

    /// What ended badly before tasks from `first` on came that wait for it.
    pub(super) fn bars(&self, first: usize) -> BTreeSet<TaskId> {
        let before = self.tasks.from(first).flat_map(|task| &task.after).map(|d| d.task);
        before.filter(|id| self.stage(*id).is_bad()).collect()
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The task exists.
    pub(super) fn knows(&self, id: TaskId) -> bool {
        id.index() < self.tasks.len()
    }

    /// The task exists and has not ended.
    pub(super) fn is_open(&self, id: TaskId) -> bool {
        self.knows(id) && !self.stage(id).is_over()
    }

    /// The journal says that an attempt was given out. The first is 1.
    pub(super) fn replay_granted(&mut self, key: AttemptKey) {
        if self.knows(key.task) && key.attempt > Attempt(0) {
            self.replay_tried(key.task, key.attempt);
            self.epochs[key.task.index()] = key.epoch;
            if self.stage(key.task) == Stage::Ready {
                self.stage[key.task.index()] = Stage::Granted;
            }
        }
    }

    /// The journal says that there was such an attempt at a task: the next one counts on from it.
    pub(super) fn replay_tried(&mut self, id: TaskId, attempt: Attempt) {
        let last = &mut self.attempts[id.index()];
        *last = (*last).max(attempt);
    }
}

/// What a batch may contain; a job that `spec` has read always passes.
fn check(task: &Task, tasks: usize, templates: &[Arc<Template>]) -> Result<(), String> {
    let name = task.name.literal().unwrap_or("of a sweep");
    if let Some(d) = task.after.iter().find(|d| d.task.index() >= tasks) {
        return Err(format!("task {name} waits for task {}, which there is not", d.task));
    }
    if task.request.variants.iter().all(|v| v.nodes != 1) {
        return Err(format!(
            "task {name} asks for several nodes at once, which is not possible yet"
        ));
    }
    match &task.body {
        _ if task.is_made_of(templates) => Ok(()),
        TaskBody::Literal(_) => {
            Err("a task has its name from a sweep but is not of one".to_owned())
        }
        TaskBody::Template { .. } => Err(format!("task {name} is of a sweep that there is not")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Body;

    #[test]
    fn a_value_is_kept_until_the_last_task_that_uses_it_has_ended() {
        let user = |name: &str| Task::kernel(name, "noop", ()).after([TaskId(0)]);
        let tasks = vec![Task::kernel("source", "noop", ()), user("done"), user("cancelled")];
        let mut ledger = Ledger::default();
        let ranks = vec![0; tasks.len()];
        let batch = Arc::new(Batch { tasks, ranks, ..Batch::default() });
        assert_eq!(ledger.submit(&batch, Time::ZERO), Ok(vec![TaskId(0)]));
        ledger.grant(TaskId(0));
        assert_eq!(ledger.done(TaskId(0), Value::Int(5), Time::ZERO), [1, 2].map(TaskId));
        ledger.grant(TaskId(1));
        assert_eq!(ledger.dispatch(TaskId(1)).work.inputs, [(TaskId(0), Value::Int(5))]);
        ledger.done(TaskId(1), Value::Int(6), Time::ZERO);
        assert_eq!(ledger.values.len(), 1, "one still needs the source; nobody needs the 6");
        ledger.cancel(TaskId(2));
        assert!(ledger.values.is_empty());
    }

    /// Bytes of one element of an array, without naming its type again.
    fn each<T>(_: &[T]) -> usize {
        size_of::<T>()
    }

    #[test]
    fn a_task_takes_no_more_than_200_bytes_beside_the_strings_of_the_user() {
        let Ledger {
            ranks,
            stage,
            waits,
            attempts,
            epochs,
            failures,
            ready,
            uses,
            first,
            gone,
            ..
        } = Ledger::default();
        let columns = each(&ranks) + each(&stage) + each(&waits) + each(&attempts) + each(&epochs);
        let columns =
            columns + each(&failures) + each(&ready) + each(&uses) + each(&first) + each(&gone);
        assert!(columns <= 40, "{columns} bytes beside the task itself");
        let edge = each(&Ledger::default().edges) + size_of::<Dependency>();
        let whole = columns + size_of::<Task>() + size_of::<Body>() + edge;
        assert!(whole <= 256, "{whole} bytes with a body of its own and one predecessor");
        let of_a_sweep = columns + size_of::<Task>();
        assert!(of_a_sweep <= 200, "{of_a_sweep} bytes for a task of a sweep");
    }
}
