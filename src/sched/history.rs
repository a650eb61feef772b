//! Whether the entries of a journal make sense together: the story of each attempt, task by task.

use super::event::{Batch, Conclusion, Entry};
use super::message::RunId;
use crate::model::{Attempt, AttemptKey, Epoch, Record, Rerun, State, Task, TaskId};

/// Reads the entries of a journal in order and finds what no master could have written.
#[derive(Debug, Default)]
pub struct History {
    run: Option<RunId>,
    epoch: Epoch,
    closed: bool,
    tasks: Vec<Told>,
}

/// What was told of a task.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The last attempt that is not taken back.
    tried: Attempt,
    out: bool,
    failures: u16,
    retries: u16,
    rerun: Rerun,
    over: bool,
}

impl History {
    /// How many tasks were told of so far.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Takes in the next entry and says what is wrong with it; nothing if it makes sense. In what
    /// is `compacted` attempts may end of which it is not told any more that they were given out.
    pub fn take(&mut self, entry: &Entry, compacted: bool) -> Vec<String> {
        let mut problems = Vec::new();
        // That no more tasks come is also said of a job that was refused.
        if self.closed && !matches!(entry, Entry::Opened { .. } | Entry::Sealed) {
            problems.push("it comes after the verdict".to_owned());
        }
        match entry {
            Entry::Opened { run, epoch, .. } => problems.extend(self.opened(*run, *epoch)),
            Entry::Submitted(batch) => problems.extend(self.submitted(batch)),
            Entry::Sealed => {}
            Entry::Granted { keys, .. } => {
                problems.extend(keys.iter().filter_map(|k| self.granted(*k)));
            }
            Entry::Returned(keys) => problems.extend(keys.iter().filter_map(|k| self.returned(*k))),
            Entry::Unwanted(ids) => {
                let unknown = ids.iter().filter(|id| id.index() >= self.tasks.len());
                problems.extend(unknown.map(|id| format!("there is no task {id}")));
            }
            Entry::Ended(endings) => {
                for Conclusion { record, added } in &**endings {
                    problems.extend(self.ended(record, compacted));
                    added.iter().for_each(|addition| self.add(&addition.task));
                }
            }
            Entry::Closed(_) => self.closed = true,
        }
        problems
    }

    fn opened(&mut self, run: RunId, epoch: Epoch) -> Option<String> {
        self.closed = false;
        let known = *self.run.get_or_insert(run);
        let before = std::mem::replace(&mut self.epoch, epoch);
        if known != run {
            return Some(format!("it is of run {}, what came before of run {}", run.0, known.0));
        }
        (epoch <= before).then(|| format!("epoch {} comes after epoch {}", epoch.0, before.0))
    }

    fn submitted(&mut self, batch: &Batch) -> Option<String> {
        batch.tasks.iter().for_each(|task| self.add(task));
        let unknown = |task: &Task| task.after.iter().any(|d| d.task.index() >= self.tasks.len());
        let bad = batch.tasks.iter().filter(|task| unknown(task)).count();
        (bad > 0).then(|| format!("{bad} tasks wait for tasks that there are not"))
    }

    fn add(&mut self, task: &Task) {
        let (retries, rerun) = (task.settings.retries, task.settings.rerun);
        self.tasks.push(Told { retries, rerun, ..Told::default() });
    }

    fn task(&mut self, id: TaskId) -> Result<&mut Told, String> {
        self.tasks.get_mut(id.index()).ok_or_else(|| format!("there is no task {id}"))
    }

    fn granted(&mut self, key: AttemptKey) -> Option<String> {
        let task = match self.task(key.task) {
            Ok(task) => task,
            Err(problem) => return Some(problem),
        };
        let before = *task;
        (task.tried, task.out) = (key.attempt, true);
        if before.over {
            Some(format!("{key} is given out after the task has ended"))
        } else if before.out && before.tried == key.attempt {
            // Said again, since it may go to others than was thought.
            None
        } else if before.out {
            Some(format!("{key} is given out while {} is", before.tried))
        } else if key.attempt.0 != before.tried.0.saturating_add(1) {
            Some(format!("{key} is given out, and the one before it was {}", before.tried))
        } else {
            None
        }
    }

    fn returned(&mut self, key: AttemptKey) -> Option<String> {
        let task = match self.task(key.task) {
            Ok(task) => task,
            Err(problem) => return Some(problem),
        };
        if !task.out || task.tried != key.attempt {
            return Some(format!("{key} comes back and is not out"));
        }
        (task.tried.0, task.out) = (task.tried.0.saturating_sub(1), false);
        None
    }

    fn ended(&mut self, record: &Record, compacted: bool) -> Option<String> {
        let key = AttemptKey {
            job: record.job,
            task: record.task,
            attempt: record.attempt,
            epoch: self.epoch,
        };
        let task = match self.task(key.task) {
            Ok(task) => task,
            Err(problem) => return Some(problem),
        };
        let before = *task;
        task.out = false;
        task.tried = task.tried.max(key.attempt);
        task.failures += u16::from(record.state == State::Failed);
        task.over = match record.state {
            State::Done | State::Cancelled => true,
            State::Failed => task.failures > task.retries,
            State::Lost => before.over || task.rerun == Rerun::Never,
        };
        let is_next = key.attempt.0 == before.tried.0.saturating_add(1);
        let was_out = before.out && before.tried == key.attempt;
        let never_tried = record.state == State::Cancelled && key.attempt == Attempt(0);
        if before.over {
            Some(format!("{key} ends, {}, after the task has ended", record.state))
        } else if was_out || (never_tried && !before.out) || (compacted && is_next && !before.out) {
            None
        } else {
            Some(format!("{key} ends, {}, and is not out", record.state))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{State, Verdict};
    use crate::sched::event::told::{ended, granted, key};

    fn opened(epoch: u32) -> Entry {
        Entry::Opened { run: RunId(7), epoch: Epoch(epoch), outlived: crate::model::Span::ZERO }
    }

    fn submitted(tasks: u32) -> Entry {
        let tasks = (0..tasks).map(|n| Task::kernel(n.to_string(), "noop", ())).collect();
        Entry::Submitted(Arc::new(Batch { tasks, ..Batch::default() }))
    }

    fn closed() -> Entry {
        let code = crate::model::ExitCode::Interrupted;
        let (reason, counts) = (String::new(), crate::model::Counts::default());
        Entry::Closed(Verdict { code, reason, counts, elapsed: crate::model::Span::ZERO })
    }

    /// What is wrong with the last of the entries; nothing is with those before.
    fn last(entries: &[Entry], compacted: bool) -> Vec<String> {
        let mut history = History::default();
        let found = entries.iter().map(|entry| history.take(entry, compacted));
        let mut found: Vec<Vec<String>> = found.collect();
        let last = found.pop().expect("there are some");
        assert_eq!(found.concat(), [""; 0]);
        last
    }

    #[test]
    fn a_story_that_makes_sense_passes() {
        let story = [
            opened(1),
            submitted(3),
            Entry::Sealed,
            granted(vec![key(0, 1), key(1, 1)]),
            Entry::Returned(vec![key(1, 1)]),
            granted(vec![key(1, 1)]),
            ended(0, 1, State::Lost),
            Entry::Unwanted(vec![TaskId(1)]),
            closed(),
            opened(3),
            ended(1, 1, State::Cancelled),
            ended(2, 0, State::Cancelled),
            granted(vec![key(0, 2)]),
            ended(0, 2, State::Done),
        ];
        for n in 1..=story.len() {
            assert_eq!(last(&story[..n], false), [""; 0]);
        }
    }

    #[test]
    fn what_no_master_writes_is_found() {
        let granted = |task, attempt| granted(vec![key(task, attempt)]);
        let begun = |rest: &[Entry]| [&[opened(1), submitted(2)], rest].concat();
        for (entries, found) in [
            (vec![ended(9, 1, State::Done)], "there is no task t9"),
            (vec![ended(0, 1, State::Done)], "is not out"),
            (vec![granted(0, 2)], "the one before it was #0"),
            (vec![granted(0, 1), granted(0, 2)], "is given out while #1 is"),
            (vec![granted(0, 1), ended(0, 1, State::Done), granted(0, 2)], "after the task has"),
            (vec![granted(0, 1), ended(0, 1, State::Done), ended(0, 1, State::Done)], "ended"),
            (vec![Entry::Returned(vec![key(0, 1)])], "is not out"),
            (vec![Entry::Unwanted(vec![TaskId(2)])], "there is no task t2"),
            (vec![closed(), granted(0, 1)], "after the verdict"),
            (vec![opened(1)], "epoch 1 comes after epoch 1"),
            (
                vec![Entry::Opened {
                    run: RunId(8),
                    epoch: Epoch(2),
                    outlived: crate::model::Span::ZERO,
                }],
                "of run 8",
            ),
        ] {
            let problems = last(&begun(&entries), false);
            assert!(problems.len() == 1 && problems[0].contains(found), "{found}: {problems:?}");
        }
    }

    #[test]
    fn in_what_is_compacted_attempts_end_that_were_not_given_out() {
        let story = [opened(1), submitted(1), ended(0, 1, State::Lost), ended(0, 2, State::Done)];
        assert_eq!(last(&story, true), [""; 0]);
        let gap = [opened(1), submitted(1), ended(0, 2, State::Done)];
        assert_eq!(last(&gap, true).len(), 1);
    }
}
