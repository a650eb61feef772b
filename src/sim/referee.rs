//! What must hold of every run, checked as it happens.
//!
//! The referee keeps its own books from what is written to the journal and from what really ran,
//! and shares no code with the scheduler's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    Addition, Attempt, AttemptKey, CoreId, Counts, Dependency, Ending, Epoch, Exit, ExitCode,
    Launch, PeerId, Record, Rerun, Resources, Span, State, Task, TaskId, Time, Value, Verdict,
};
use crate::sched::{Conclusion, Entry};

/// A rule that was broken, in words.
pub(super) type Foul = String;

/// A task, as far as the journal tells.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) task: Task,
    /// How it ended, once that is final.
    fate: Option<State>,
    /// The last attempt that was given out, in which epoch, and whether it has not ended.
    attempt: Attempt,
    epoch: Epoch,
    out: bool,
    failures: u16,
    value: Value,
}

/// An attempt that really ended.
#[derive(Debug)]
struct Ended {
    peer: PeerId,
    cores: Arc<[CoreId]>,
    /// By the master's clock.
    start: Time,
    end: Time,
    ending: Ending,
}

/// The books of a run.
#[derive(Debug, Default)]
pub(super) struct Referee {
    tasks: Vec<Known>,
    sealed: bool,
    closed: bool,
    /// In this epoch: attempts that were started, that ended, records that were published.
    launched: BTreeSet<AttemptKey>,
    ended: BTreeMap<AttemptKey, Ended>,
    published: BTreeMap<(TaskId, Attempt), State>,
    /// What the user cancelled while it was open, and what of it the journal says was out.
    unwanted: BTreeSet<TaskId>,
    called_off: BTreeSet<TaskId>,
    interrupted: bool,
    /// The run has only so much time.
    pub(super) timed: bool,
    /// In any epoch.
    ever_published: BTreeMap<(TaskId, Attempt), State>,
    begun: BTreeMap<TaskId, u16>,
    counts: Counts,
    /// What the journal says that was given out, and did not come back.
    given: BTreeSet<AttemptKey>,
    /// Attempts that may have gone on beside the next one, as it says.
    overlaps: BTreeSet<(TaskId, Attempt)>,
    epoch: Epoch,
    /// The longest that all tasks could take one after the other, tried as often as allowed.
    pub(super) work: Span,
    /// How long a task takes on the slowest node.
    slowest: f64,
}

/// What holds of the node that starts an attempt.
pub(super) struct Place<'a> {
    pub(super) capacity: &'a Resources,
    pub(super) running: Vec<AttemptKey>,
}

/// Whether the journal has this record.
fn is_kept(record: &Record, entries: &[Entry]) -> bool {
    let is_it = |kept: &Record| {
        (kept.task, kept.attempt, kept.state) == (record.task, record.attempt, record.state)
    };
    let mut entries = entries.iter().rev();
    let has_it = |endings: &[Conclusion]| endings.iter().any(|ended| is_it(&ended.record));
    entries.any(|entry| matches!(entry, Entry::Ended(endings) if has_it(endings)))
}

fn foul<T>(text: String) -> Result<T, Foul> {
    Err(text)
}

impl Referee {
    /// `slowest` is the longest that a task of cost 1 can take.
    pub(super) fn new(slowest: f64) -> Referee {
        Referee { slowest, ..Referee::default() }
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.index()).map(|known| &known.task)
    }

    pub(super) fn lost(&self) -> u64 {
        self.counts.lost
    }

    /// A new epoch begins with what survived of the journal. `alone`: all processes are new.
    pub(super) fn resume(&mut self, entries: &[Entry], alone: bool) -> Result<(), Foul> {
        let mut former = std::mem::replace(self, Referee::new(self.slowest));
        self.ever_published = std::mem::take(&mut former.ever_published);
        self.begun = std::mem::take(&mut former.begun);
        self.timed = former.timed;
        entries.iter().for_each(|entry| self.apply(entry));
        self.closed = false;
        if !alone {
            // What others run and ran is theirs still.
            (self.launched, self.ended) = (former.launched, former.ended);
        }
        for (at, state) in &self.ever_published {
            let is_it = |Conclusion { record, .. }: &Conclusion| {
                (record.task, record.attempt) == *at && record.state == *state
            };
            let kept = entries
                .iter()
                .any(|entry| matches!(entry, Entry::Ended(endings) if endings.iter().any(is_it)));
            if !kept {
                return foul(format!("{}{} was published {state}, then forgotten", at.0, at.1));
            }
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, tasks: &[TaskId]) {
        let open = |id: &&TaskId| self.tasks.get(id.index()).is_some_and(|k| k.fate.is_none());
        self.unwanted.extend(tasks.iter().filter(open).copied().collect::<Vec<_>>());
    }

    /// The master was told of tasks that are cancelled: a resume will know of it.
    pub(super) fn judge_cancel(&self, tasks: &[TaskId]) -> Result<(), Foul> {
        let open = |id: &TaskId| self.tasks.get(id.index()).is_some_and(|k| k.fate.is_none());
        let forgotten = tasks.iter().find(|id| open(id) && !self.called_off.contains(id));
        match forgotten.filter(|_| !self.closed) {
            Some(id) => foul(format!("{id} was cancelled, and the journal does not know")),
            None => Ok(()),
        }
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    // ---- the journal ---------------------------------------------------------------------

    pub(super) fn wrote(&mut self, entry: &Entry) -> Result<(), Foul> {
        match entry {
            Entry::Granted { keys, .. } => {
                keys.iter().try_for_each(|key| self.judge_grant(*key))?;
            }
            Entry::Ended(endings) => {
                for Conclusion { record, added } in &**endings {
                    self.judge_end(record)?;
                    self.end(record, added);
                }
                return Ok(());
            }
            Entry::Unwanted(ids) => {
                if let Some(id) = ids.iter().find(|id| !self.unwanted.contains(id)) {
                    return foul(format!("{id} was called off, but nobody had cancelled it"));
                }
            }
            Entry::Closed(_) if self.closed => return foul("the run was closed twice".to_owned()),
            _ => {}
        }
        self.apply(entry);
        Ok(())
    }

    fn known(&self, id: TaskId) -> Result<&Known, Foul> {
        self.tasks.get(id.index()).ok_or_else(|| format!("there is no task {id}"))
    }

    fn judge_grant(&self, key: AttemptKey) -> Result<(), Foul> {
        let known = self.known(key.task)?;
        if let Some(fate) = known.fate {
            return foul(format!("{key} was given out, but the task is {fate}"));
        }
        self.judge_predecessors(known, key)?;
        if self.unwanted.contains(&key.task) && !known.out {
            return foul(format!("{key} was given out, but the task was cancelled"));
        }
        // Said again, when it may go to others than was thought.
        let again = known.out && (key.attempt, key.epoch) == (known.attempt, known.epoch);
        let next = !known.out && key.attempt.0 == known.attempt.0.saturating_add(1);
        if again || next {
            return Ok(());
        }
        foul(format!("{key} was given out after {} (out: {})", known.attempt, known.out))
    }

    fn judge_predecessors(&self, known: &Known, key: AttemptKey) -> Result<(), Foul> {
        for before in &known.task.after {
            if self.known(before.task)?.fate != Some(State::Done) {
                return foul(format!("{key} was given out before {} was done", before.task));
            }
        }
        Ok(())
    }

    fn judge_end(&self, record: &Record) -> Result<(), Foul> {
        let Record { job, task, attempt, state, .. } = *record;
        let known = self.known(task)?;
        let key = AttemptKey { job, task, attempt, epoch: known.epoch };
        if let Some(fate) = known.fate {
            return foul(format!("{key} was recorded {state}, but the task is {fate} already"));
        }
        if self.unwanted.contains(&task) && state != State::Cancelled {
            return foul(format!("{key} was recorded {state}, but it had been cancelled"));
        }
        if record.overlap && (state != State::Lost || known.task.settings.rerun == Rerun::Never) {
            return foul(format!("{key} was recorded {state}, and there is no next attempt"));
        }
        if attempt.0 > 0 && (!known.out || attempt != known.attempt) {
            return foul(format!("{key} was recorded {state}, but {} was out", known.attempt));
        }
        match state {
            State::Cancelled => self.judge_cancelled(known, key),
            State::Done | State::Failed => self.judge_ending(record, key),
            State::Lost if attempt.0 == 0 => foul(format!("{key} was lost without being tried")),
            State::Lost => Ok(()),
        }
    }

    fn judge_cancelled(&self, known: &Known, key: AttemptKey) -> Result<(), Foul> {
        let stranded = known.task.after.iter().any(|before| {
            let fate = self.tasks.get(before.task.index()).and_then(|k| k.fate);
            matches!(fate, Some(State::Failed | State::Cancelled | State::Lost))
        });
        // Of tasks that are cancelled in one go, a later one can come before its predecessor.
        let coming = known.task.after.iter().any(|before| self.is_doomed(before.task));
        if stranded || coming || self.unwanted.contains(&key.task) {
            return Ok(());
        }
        foul(format!("{key} was cancelled for no reason"))
    }

    fn is_doomed(&self, id: TaskId) -> bool {
        self.tasks.get(id.index()).is_some_and(|known| {
            matches!(known.fate, Some(State::Failed | State::Cancelled | State::Lost))
                || self.unwanted.contains(&id)
                || (known.fate.is_none()
                    && known.task.after.iter().any(|before| self.is_doomed(before.task)))
        })
    }

    /// What is recorded is what happened, where and when it happened.
    fn judge_ending(&self, record: &Record, key: AttemptKey) -> Result<(), Foul> {
        let Some(ended) = self.ended.get(&key) else {
            return foul(format!("{key} was recorded {}, but it has not ended", record.state));
        };
        // One that adds what wants a value that is gone has failed, however it ended.
        let refused =
            ended.ending.added.iter().flat_map(|a| &a.task.after).any(|d| self.is_gone(d.task));
        let exit = match ended.ending.exit {
            exit if exit.is_success() && refused => Exit::Code(1),
            exit => exit,
        };
        let good = exit.is_success() == (record.state == State::Done);
        if !good || record.exit != Some(exit) || record.value != ended.ending.value {
            return foul(format!("{key} ended {:?} and was recorded {record:?}", ended.ending));
        }
        let place = record.place.as_ref().map(|place| (place.node, &place.cores));
        if place != Some((ended.peer, &ended.cores)) {
            return foul(format!("{key} ran on {}, not {:?}", ended.peer, record.place));
        }
        let off = |told: Option<Time>, real: Time| {
            let told = told.unwrap_or_default();
            told.since(real).max(real.since(told)) > record.clock + Span::from_micros(1)
        };
        if off(record.start, ended.start) || off(record.end, ended.end) {
            return foul(format!(
                "{key} ran from {} to {} by the master's clock; recorded is {:?} to {:?}, give or \
                 take {}",
                ended.start.0, ended.end.0, record.start, record.end, record.clock
            ));
        }
        Ok(())
    }

    /// A task gave something back, and all that were to use it have ended.
    fn is_gone(&self, id: TaskId) -> bool {
        let uses = |known: &Known| known.task.after.iter().any(|d| d.task == id);
        let Some(known) = self.tasks.get(id.index()) else { return false };
        known.value != Value::Unit
            && !self.tasks.iter().any(|other| other.fate.is_none() && uses(other))
    }

    /// Takes an entry into the books.
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Opened { epoch, .. } => self.epoch = *epoch,
            Entry::Submitted(batch) => {
                batch.tasks.iter().for_each(|task| self.push(task.clone()));
            }
            Entry::Sealed => self.sealed = true,
            Entry::Granted { keys, .. } => {
                for key in keys {
                    self.given.insert(*key);
                    if let Some(known) = self.tasks.get_mut(key.task.index()) {
                        (known.attempt, known.epoch) = (key.attempt, key.epoch);
                        known.out = true;
                    }
                }
            }
            Entry::Returned(keys) => {
                for key in keys {
                    self.given.remove(key);
                    if let Some(known) = self.tasks.get_mut(key.task.index()) {
                        known.attempt.0 = key.attempt.0 - 1;
                        known.out = false;
                    }
                }
            }
            Entry::Unwanted(ids) => {
                self.unwanted.extend(ids);
                self.called_off.extend(ids);
            }
            Entry::Ended(endings) => endings.iter().for_each(|e| self.end(&e.record, &e.added)),
            Entry::Closed(_) => self.closed = true,
        }
    }

    fn push(&mut self, task: Task) {
        let tries = f64::from(task.settings.retries) + 1.0;
        self.work += task.cost.mean().scale(self.slowest * tries);
        self.counts.tasks += 1;
        self.tasks.push(Known {
            task,
            fate: None,
            attempt: Attempt(0),
            epoch: Epoch(0),
            out: false,
            failures: 0,
            value: Value::Unit,
        });
    }

    fn end(&mut self, record: &Record, added: &[Addition]) {
        let Some(known) = self.tasks.get_mut(record.task.index()) else { return };
        known.out = false;
        known.attempt = known.attempt.max(record.attempt);
        if record.overlap {
            self.overlaps.insert((record.task, record.attempt));
        }
        match record.state {
            State::Done => {
                known.fate = Some(State::Done);
                known.value.clone_from(&record.value);
                self.counts.done += 1;
            }
            State::Failed => {
                known.failures += 1;
                if known.failures > known.task.settings.retries {
                    known.fate = Some(State::Failed);
                    self.counts.failed += 1;
                }
            }
            State::Lost => {
                self.counts.lost += 1;
                if known.task.settings.rerun == Rerun::Never {
                    known.fate = Some(State::Lost);
                    self.counts.lost_for_good += 1;
                }
            }
            State::Cancelled => {
                known.fate = Some(State::Cancelled);
                self.counts.cancelled += 1;
            }
        }
        let first = self.tasks.len() as u32;
        for Addition { task, siblings } in added {
            let mut task = task.clone();
            task.after.extend(siblings.iter().map(|n| Dependency::from(TaskId(first + n))));
            self.push(task);
        }
    }

    // ---- what runs -----------------------------------------------------------------------

    /// Whether the records say that an attempt may have gone on beside the next one.
    pub(super) fn may_overlap(&self, key: AttemptKey) -> bool {
        self.overlaps.contains(&(key.task, key.attempt))
    }

    /// Whether an attempt was given out by a former master in its last moments, of which nothing
    /// came into the journal.
    pub(super) fn is_forgotten(&self, key: AttemptKey) -> bool {
        key.epoch < self.epoch && !self.given.contains(&key)
    }

    pub(super) fn launches(&mut self, launch: &Launch, place: &Place<'_>) -> Result<(), Foul> {
        let key = launch.key;
        let known = self.known(key.task)?;
        let is_it = (known.attempt, known.epoch) == (key.attempt, key.epoch);
        let current = known.fate.is_none() && known.out && is_it;
        if !current {
            let Known { fate, attempt, out, .. } = known;
            return foul(format!("{key} starts, but {attempt} is (out: {out}, fate: {fate:?})"));
        }
        let inputs: Vec<(TaskId, Value)> = known
            .task
            .after
            .iter()
            .map(|d| Ok((d.task, self.known(d.task)?.value.clone())))
            .collect::<Result<_, Foul>>()?;
        if launch.work.inputs != inputs {
            return foul(format!("{key} is given {:?} instead of {inputs:?}", launch.work.inputs));
        }
        self.judge_resources(launch, place)?;
        let (rerun, failures) = (known.task.settings.rerun, known.failures);
        if !self.launched.insert(key) {
            return foul(format!("{key} starts a second time"));
        }
        let begun = self.begun.entry(key.task).or_default();
        *begun += 1;
        if rerun == Rerun::Never && *begun > failures + 1 {
            return foul(format!("{key} is begun, and may have run before"));
        }
        Ok(())
    }

    /// It had not begun, and may start elsewhere.
    pub(super) fn withdrawn(&mut self, key: AttemptKey) {
        if self.launched.remove(&key)
            && let Some(begun) = self.begun.get_mut(&key.task)
        {
            *begun -= 1;
        }
    }

    /// What the node runs at one time, it has.
    fn judge_resources(&self, launch: &Launch, place: &Place<'_>) -> Result<(), Foul> {
        let mut free = place.capacity.clone();
        for key in place.running.iter().chain([&launch.key]) {
            let request = &self.known(key.task)?.task.request;
            let Some(asked) = request.met_by(place.capacity) else {
                return foul(format!("{key} starts on a node that cannot meet it"));
            };
            if !asked.fits(&free) {
                return foul(format!("{key} starts, but its node runs {:?}", place.running));
            }
            free.take(asked);
        }
        Ok(())
    }

    pub(super) fn ended(
        &mut self,
        key: AttemptKey,
        peer: PeerId,
        cores: Arc<[CoreId]>,
        (start, end): (Time, Time),
        ending: Ending,
    ) {
        self.ended.insert(key, Ended { peer, cores, start, end, ending });
    }

    // ---- what is told to the user --------------------------------------------------------

    /// Whether it was not published in this or an earlier epoch.
    pub(super) fn is_new(&self, record: &Record) -> bool {
        !self.ever_published.contains_key(&(record.task, record.attempt))
    }

    pub(super) fn published(&mut self, record: &Record, durable: &[Entry]) -> Result<(), Foul> {
        let at = (record.task, record.attempt);
        let (task, attempt, state) = (record.task, record.attempt, record.state);
        if !is_kept(record, durable) {
            return foul(format!("{task}{attempt} was published {state} before it was durable"));
        }
        if self.published.insert(at, state).is_some() {
            return foul(format!("{task}{attempt} was published twice"));
        }
        match self.ever_published.insert(at, state) {
            Some(before) if before != state => {
                foul(format!("{task}{attempt} was published {before}, and now {state}"))
            }
            _ => Ok(()),
        }
    }

    /// What a master says that does not know yet that it is none any more was durable before.
    pub(super) fn published_late(&self, record: &Record, durable: &[Entry]) -> Result<(), Foul> {
        let Record { task, attempt, state, .. } = *record;
        if is_kept(record, durable) {
            return Ok(());
        }
        foul(format!("{task}{attempt} was published {state} by a former master alone"))
    }

    /// The run is over: the verdict is right, and every task has one final record. `healthy` are
    /// the capacities of the nodes that were there all the while that the master waits for nodes.
    pub(super) fn finished(&self, verdict: &Verdict, healthy: &[Resources]) -> Result<(), Foul> {
        if verdict.counts != self.counts {
            return foul(format!("counted {:?}, told {:?}", self.counts, verdict.counts));
        }
        let open = self.counts.open() > 0 || !self.sealed;
        let right = match verdict.code {
            ExitCode::Done => !open && self.counts.done == self.counts.tasks,
            ExitCode::TaskFailed => !open && self.counts.done < self.counts.tasks,
            ExitCode::BadInput => false,
            ExitCode::Interrupted => open && (self.interrupted || self.timed),
            ExitCode::Infrastructure => open && self.tasks.iter().any(|k| self.lacks(k, healthy)),
        };
        if !right {
            return foul(format!("the verdict is {:?} with {:?}", verdict.code, self.counts));
        }
        let told = self.published.values();
        let done = told.clone().filter(|state| **state == State::Done).count() as u64;
        let cancelled = told.filter(|state| **state == State::Cancelled).count() as u64;
        if (done, cancelled) != (self.counts.done, self.counts.cancelled) {
            return foul(format!("{done} done and {cancelled} cancelled were published"));
        }
        for (i, known) in self.tasks.iter().enumerate() {
            let last = self.published.get(&(TaskId(i as u32), known.attempt));
            if known.fate == Some(State::Failed) && last != Some(&State::Failed) {
                return foul(format!("the failure of {} was not published", TaskId(i as u32)));
            }
        }
        Ok(())
    }

    /// A task that may start, and that no healthy node can run.
    fn lacks(&self, known: &Known, healthy: &[Resources]) -> bool {
        let done = |id: TaskId| self.tasks[id.index()].fate == Some(State::Done);
        known.fate.is_none()
            && known.task.after.iter().all(|before| done(before.task))
            && healthy.iter().all(|capacity| known.task.request.met_by(capacity).is_none())
    }
}
