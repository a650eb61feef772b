//! How a workload is to be run.

use super::uts::Tree;

/// How large, with how many threads, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How large it is, by the [measure](super::Sizes::measure) of the workload if it has one.
    pub size: u32,
    /// The tree of `uts`; if none, a flat one and a deep one.
    pub tree: Option<&'static Tree>,
    /// The threads of each contender but the sequential one, the calling thread included where
    /// it takes part.
    pub threads: usize,
    /// How often each contender runs, after one run that does not count.
    pub rounds: u32,
}
