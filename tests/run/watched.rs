//! Runs whose records are heard as they come, so that things can be done in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use evenkeel::exec::Registry;
use evenkeel::live::Notice;
use evenkeel::model::{ExitCode, Job, Record, State, TaskId};
use evenkeel::run::{Options, Outcome, Run, RunError, RunHandle};

/// Longer than any run here takes, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

/// A run that goes on.
pub(crate) struct Watched {
    run: Run,
    pub(crate) handle: RunHandle,
    records: Receiver<Record>,
}

impl Watched {
    pub(crate) fn start(job: Job, registry: &Registry, options: &Options) -> Watched {
        let (sender, records) = mpsc::channel();
        let run = Run::start(job, registry, options, move |notice| {
            if let Notice::Records(records) = notice {
                // Nobody listens any more once enough has been heard.
                records.iter().for_each(|record| _ = sender.send(record.clone()));
            }
        })
        .unwrap();
        Watched { handle: run.handle(), run, records }
    }

    /// A run of which nothing is heard but its end.
    pub(crate) fn of(run: Run) -> Watched {
        Watched { handle: run.handle(), run, records: mpsc::channel().1 }
    }

    /// Waits until `n` attempts are on record, from now.
    #[track_caller]
    pub(crate) fn hear(&self, n: usize) {
        for heard in 0..n {
            let record = self.records.recv_timeout(LIMIT);
            assert!(record.is_ok(), "only {heard} of {n} records came");
        }
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(self) -> Outcome {
        self.end().unwrap()
    }

    /// Waits for an end that need not be a good one.
    #[track_caller]
    pub(crate) fn end(self) -> Result<Outcome, RunError> {
        let (sender, ended) = mpsc::sync_channel(1);
        std::thread::spawn(move || drop(sender.send(self.run.wait())));
        ended.recv_timeout(LIMIT).expect("the run ends in time")
    }
}

/// Sees that all tasks of `job` are done, each once, and that what was tried again was lost
/// before. Gives how many attempts were lost.
#[track_caller]
pub(crate) fn expect_all_done(outcome: &Outcome, tasks: usize) -> usize {
    assert_eq!(outcome.verdict.code, ExitCode::Done, "{:?}", outcome.verdict);
    let mut states: BTreeMap<TaskId, Vec<(u16, State)>> = BTreeMap::new();
    for record in &outcome.records {
        states.entry(record.task).or_default().push((record.attempt.0, record.state));
    }
    assert_eq!(states.len(), tasks, "tasks on record");
    let mut lost = 0;
    for (task, mut attempts) in states {
        attempts.sort_by_key(|(attempt, _)| *attempt);
        let (last, earlier) = attempts.split_last().unwrap();
        assert_eq!(last.1, State::Done, "{task}: {attempts:?}");
        assert!(earlier.iter().all(|(_, state)| *state == State::Lost), "{task}: {attempts:?}");
        let numbers: BTreeSet<u16> = attempts.iter().map(|(attempt, _)| *attempt).collect();
        assert_eq!(numbers.len(), attempts.len(), "{task} has an attempt twice: {attempts:?}");
        assert_eq!(usize::from(last.0), attempts.len(), "{task}: {attempts:?}");
        lost += earlier.len();
    }
    assert_eq!(outcome.verdict.counts.lost, lost as u64);
    lost
}
