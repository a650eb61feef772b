//! How far a run is, while it goes on.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::terminal;
use crate::host::Clock;
use crate::live::Notice;
use crate::model::{Counts, Record, Span, State, TaskId, Time};
use crate::report::Progress;

/// How often the line moves when no task ends.
const TICK: Duration = Duration::from_millis(250);
/// What stands beside the text: the bar, its brackets and a space.
const BAR: usize = 28;

/// Hears what a run tells; shows a line that moves where someone watches, and notes in any case.
pub(super) struct Watcher {
    bar: ProgressBar,
    told: Arc<Mutex<Told>>,
}

/// What was told of the tasks so far.
struct Told {
    counts: Counts,
    /// Those whose last attempt failed: a retry may yet make them good.
    failed: BTreeSet<TaskId>,
    /// When the run will end, as the master said last, and how many stand by.
    end: Option<Time>,
    standing_by: u64,
    clock: Clock,
}

impl Watcher {
    /// For a run that is resumed with these counts.
    pub(super) fn resumed(counts: Counts) -> Arc<Watcher> {
        Watcher::new(counts.tasks)
    }

    /// For a job of so many tasks.
    pub(super) fn new(tasks: u64) -> Arc<Watcher> {
        let told = Arc::new(Mutex::new(Told::new(tasks)));
        let bar =
            if terminal::is_watched() { bar(Arc::clone(&told)) } else { ProgressBar::hidden() };
        Arc::new(Watcher { bar, told })
    }

    pub(super) fn hear(&self, notice: &Notice) {
        match notice {
            Notice::Told => {}
            Notice::Note(text) => self.say(&format!("note: {text}")),
            Notice::Records(records) => records.iter().for_each(|record| self.count(record)),
            // Whoever launched this run shows how far it is.
            Notice::Forecast(forecast) if terminal::is_launched() => {
                terminal::tell_forecast(forecast.left, forecast.standing_by.len() as u64);
            }
            Notice::Forecast(forecast) => {
                self.foresee(forecast.left, forecast.standing_by.len() as u64);
            }
        }
    }

    pub(super) fn count(&self, record: &Record) {
        let counts = self.told.lock().hear(record);
        // Unlocked: drawing the bar reads the same counts.
        self.bar.set_length(counts.tasks);
        self.bar.set_position(counts.ended());
    }

    /// The run takes so much longer, if that can be told, and so many stand by.
    pub(super) fn foresee(&self, left: Option<Span>, standing_by: u64) {
        let mut told = self.told.lock();
        told.end = left.map(|left| told.clock.now() + left);
        told.standing_by = standing_by;
    }

    /// Forgets all that was counted, to count anew.
    pub(super) fn forget(&self) {
        let mut told = self.told.lock();
        told.counts = Counts { tasks: told.counts.tasks, ..Counts::default() };
        told.failed.clear();
    }

    /// A line for people that stays, above the one that moves.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| terminal::say(line));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Told {
    fn new(tasks: u64) -> Told {
        let counts = Counts { tasks, ..Counts::default() };
        let clock = Clock::start();
        Told { counts, failed: BTreeSet::new(), end: None, standing_by: 0, clock }
    }

    fn progress(&self) -> Progress {
        let now = self.clock.now();
        let left = self.end.map(|end| end.since(now)).filter(|_| self.counts.open() > 0);
        let (counts, standing_by) = (self.counts, self.standing_by);
        Progress { counts, elapsed: now.since(Time::ZERO), left, standing_by }
    }

    fn hear(&mut self, record: &Record) -> Counts {
        let task = record.task;
        self.failed.remove(&task);
        match record.state {
            State::Done => self.counts.done += 1,
            State::Failed => drop(self.failed.insert(task)),
            State::Cancelled => self.counts.cancelled += 1,
            State::Lost => {
                self.counts.lost += 1;
                self.counts.lost_for_good += u64::from(record.is_lost_for_good());
            }
        }
        let counts = &mut self.counts;
        counts.failed = self.failed.len() as u64;
        // Tasks that kernels add were not known before.
        counts.tasks = counts.tasks.max(counts.ended());
        *counts
    }
}

fn bar(told: Arc<Mutex<Told>>) -> ProgressBar {
    let tasks = told.lock().counts.tasks;
    let bar = ProgressBar::with_draw_target(Some(tasks), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("[{bar:24}] {line}").expect("the template is right");
    let style = style.with_key("line", move |_: &_, to: &mut dyn std::fmt::Write| {
        let progress = told.lock().progress();
        let room = terminal::columns(io::stderr()).unwrap_or(80).saturating_sub(BAR);
        // A line that is not written is drawn again soon.
        let _ = to.write_str(&progress.line(room));
    });
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, AttemptKey, Epoch, JobId};

    #[test]
    fn a_task_that_is_tried_again_is_counted_once() {
        let mut told = Told::new(2);
        let mut hear = |task, state| {
            let (job, attempt, epoch) = (JobId(0), Attempt(1), Epoch(1));
            let key = AttemptKey { job, task: TaskId(task), attempt, epoch };
            told.hear(&Record::new(key, state))
        };
        hear(0, State::Failed);
        assert_eq!(hear(0, State::Failed).failed, 1);
        assert_eq!(hear(1, State::Lost).lost, 1);
        hear(1, State::Done);
        let counts = hear(0, State::Done);
        assert_eq!(counts, Counts { tasks: 2, done: 2, lost: 1, ..Counts::default() });
        assert_eq!(hear(7, State::Done).tasks, 3, "added by a kernel");
    }
}
