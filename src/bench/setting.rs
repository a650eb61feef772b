//! How a workload is to be run.

/// How large, with how many threads, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What the workload counts its size in: [`Workload::measure`](super::Workload::measure).
    pub size: u32,
    /// The threads of each contender but the sequential one, the calling thread included where
    /// it takes part.
    pub threads: usize,
    /// How often each contender runs, after one run that does not count.
    pub rounds: u32,
}
