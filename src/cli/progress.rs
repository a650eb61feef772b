//! How far a run is, while it goes on.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::terminal;
use crate::host::Clock;
use crate::live::Notice;
use crate::model::{Counts, State, Time};
use crate::report::Progress;

/// Hears what a run tells; shows a line that moves where someone watches, and notes in any case.
pub(super) struct Watcher {
    bar: ProgressBar,
    clock: Clock,
    counts: Mutex<Counts>,
}

impl Watcher {
    /// For a job of so many tasks.
    pub(super) fn new(tasks: u64) -> Arc<Watcher> {
        let target = if terminal::is_watched() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(tasks), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:24}] {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let counts = Mutex::new(Counts { tasks, ..Counts::default() });
        Arc::new(Watcher { bar, clock: Clock::start(), counts })
    }

    pub(super) fn hear(&self, notice: &Notice) {
        match notice {
            Notice::Told => {}
            Notice::Note(text) => self.bar.suspend(|| terminal::say(&format!("note: {text}"))),
            Notice::Record(record) => {
                let mut counts = self.counts.lock();
                match record.state {
                    State::Done => counts.done += 1,
                    State::Failed => counts.failed += 1,
                    State::Cancelled => counts.cancelled += 1,
                    State::Lost => counts.lost += 1,
                }
                // Retries and tasks that kernels add were not known before.
                counts.tasks = counts.tasks.max(counts.done + counts.failed + counts.cancelled);
                let counts = *counts;
                if !self.bar.is_hidden() {
                    self.draw(counts);
                }
            }
        }
    }

    fn draw(&self, counts: Counts) {
        let elapsed = self.clock.now().since(Time::ZERO);
        let progress = Progress { counts, running: 0, elapsed };
        self.bar.set_length(counts.tasks);
        self.bar.set_position(progress.ended());
        self.bar.set_message(progress.line(terminal::width().saturating_sub(28)));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
