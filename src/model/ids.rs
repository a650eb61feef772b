//! Small numbers that name things. All are dense or counted from a fixed start, so that
//! arrays can be indexed by them and frames stay short.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The number as an index into an array.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A job of a run, counted from 0 in the order of submission.
    JobId(u32), "j");
id!(
    /// A vertex of a job, dense from 0 in the order of the file.
    TaskId(u32), "t");
id!(
    /// One try at a task, counted from 1; 0 stands for "never tried".
    Attempt(u16), "#");
id!(
    /// How often a process has started afresh; a peer that was declared dead comes back
    /// with the next one.
    Incarnation(u32), "i");
id!(
    /// Which master speaks: each resume of a run, and each take-over, is a new epoch.
    Epoch(u32), "e");
id!(
    /// A process of ours in a run. Never an MPI rank: peers come from several worlds.
    PeerId(u32), "p");
id!(
    /// A group of nodes under one sub-master.
    SubclusterId(u32), "s");
id!(
    /// A physical core of a host, numbered as the operating system numbers its first
    /// processing unit.
    CoreId(u32), "c");

/// One try at one task of one job: what is granted, run, reported and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The job.
    pub job: JobId,
    /// The task in it.
    pub task: TaskId,
    /// The try, from 1.
    pub attempt: Attempt,
    /// That of the master who gave it out. What one gave out in its last moments its successor may
    /// not know of, and give out again under the same number.
    pub epoch: Epoch,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.job, self.task, self.attempt)
    }
}
