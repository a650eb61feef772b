//! What comes of a simulated run.

use std::fmt;

use super::fault::FaultPlan;
use crate::model::{Record, Span, Verdict};

/// How a simulated run went.
#[derive(Clone, Debug, PartialEq)]
pub struct SimOutcome {
    /// What was published, in order; over all epochs, each once.
    pub records: Vec<Record>,
    /// How it ended.
    pub verdict: Verdict,
    /// From the first process's beginning to the verdict.
    pub makespan: Span,
    /// A checksum over all that happened.
    pub digest: u64,
    /// What it took.
    pub stats: Stats,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How often a process was stepped.
    pub steps: u64,
    /// Frames sent.
    pub frames: u64,
    /// Frames sent that did not arrive.
    pub missed: u64,
    /// Frames that came again, late.
    pub repeated: u64,
    /// How often a process started afresh, by itself or after its death.
    pub restarts: u64,
    /// How often a process came to another parent with attempts in hand.
    pub moves: u64,
    /// Attempts that were lost.
    pub lost: u64,
    /// How often a task began while an earlier attempt at it still ran.
    pub twins: u64,
    /// How often a master died alone, and another followed.
    pub successions: u64,
    /// How often a master was taken for dead that was not.
    pub superseded: u64,
    /// Attempts that were launched behind others, which were launched before and had the cores.
    pub lined_up: u64,
    /// Processes that came in the course of the run.
    pub joined: u64,
    /// How often one that stood by was brought in.
    pub brought_in: u64,
    /// How many masters there were, one after the other.
    pub epochs: u32,
}

/// A rule was broken. Its display is all that is needed to see it again.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// What went wrong on purpose.
    pub faults: FaultPlan,
    /// What went wrong not on purpose.
    pub rule: String,
    /// The last lines of the log.
    pub tail: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.rule)?;
        writeln!(f, "faults:\n{}last of the log:", self.faults)?;
        self.tail.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl std::error::Error for Violation {}
