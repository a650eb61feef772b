//! How far a run is, in a line.

use crate::model::{Counts, Span};

use super::table::clip;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What became of the tasks so far.
    pub counts: Counts,
    /// Since the start of the run, or since it was resumed.
    pub elapsed: Span,
    /// How much longer it takes, as far as its master can tell.
    pub left: Option<Span>,
    /// How many nodes stand by.
    pub standing_by: u64,
}

impl Progress {
    /// `412/1000 done, 1 failed, 12.30 s, about 17.55 s left, 2 stand by`, in at most `width`
    /// characters.
    #[must_use]
    pub fn line(&self, width: usize) -> String {
        let Counts { tasks, done, failed, cancelled, lost, .. } = self.counts;
        let mut line = format!("{done}/{tasks} done");
        let others = [(failed, "failed"), (cancelled, "cancelled"), (lost, "lost")];
        for (n, word) in others.into_iter().filter(|(n, _)| *n > 0) {
            line += &format!(", {n} {word}");
        }
        line += &format!(", {}", self.elapsed);
        if let Some(left) = self.left {
            line += &format!(", about {left} left");
        }
        match self.standing_by {
            0 => {}
            1 => line += ", 1 stands by",
            n => line += &format!(", {n} stand by"),
        }
        clip(&line, width)
    }
}
