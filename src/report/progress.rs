//! How far a run is, in a line.

use crate::model::{Counts, Span};

use super::table::clip;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What became of the tasks so far.
    pub counts: Counts,
    /// How many of them had ended when the clock began to run: those of a run that was resumed.
    pub before: u64,
    /// Since the start of the run, or since it was resumed.
    pub elapsed: Span,
}

impl Progress {
    /// Tasks that have ended, well or not.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.counts.ended()
    }

    /// How much longer it takes if the rest goes on as it did so far; nothing until a task has
    /// ended, and after the last.
    #[must_use]
    pub fn remaining(&self) -> Option<Span> {
        let ended = self.ended().saturating_sub(self.before);
        let open = self.counts.tasks.saturating_sub(self.ended());
        (ended > 0 && open > 0).then(|| self.elapsed.scale(open as f64 / ended as f64))
    }

    /// `412/1000 done, 1 failed, 12.30 s, about 17.55 s left`, in at most `width` characters.
    #[must_use]
    pub fn line(&self, width: usize) -> String {
        let Counts { tasks, done, failed, cancelled, lost, .. } = self.counts;
        let mut line = format!("{done}/{tasks} done");
        let others = [(failed, "failed"), (cancelled, "cancelled"), (lost, "lost")];
        for (n, word) in others.into_iter().filter(|(n, _)| *n > 0) {
            line += &format!(", {n} {word}");
        }
        line += &format!(", {}", self.elapsed);
        if let Some(remaining) = self.remaining() {
            line += &format!(", about {remaining} left");
        }
        clip(&line, width)
    }
}
