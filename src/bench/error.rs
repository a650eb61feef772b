//! Why there are no figures.

use std::{error, fmt, io};

use super::Sizes;

/// Why a workload could not be measured.
#[derive(Debug)]
pub enum BenchError {
    /// A contender has not done what the sequential one does.
    Wrong {
        /// What was measured.
        case: String,
        /// Who was wrong.
        contender: String,
        /// What came of its run, as one number.
        found: u64,
        /// What came of the sequential one.
        expected: u64,
    },
    /// More was asked for than there would be memory or time for.
    TooLarge {
        /// Of which workload.
        workload: &'static str,
        /// What it takes.
        sizes: &'static Sizes,
        /// What was asked for.
        size: u32,
    },
    /// A size was asked for that there is no measure for.
    NoSize {
        /// Of which workload.
        workload: &'static str,
    },
    /// The threads of a pool could not be started.
    Threads {
        /// Whose.
        contender: &'static str,
        /// How many there were to be.
        threads: usize,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BenchError::Wrong { case, contender, found, expected } => write!(
                f,
                "{contender} was wrong in {case:?}: its check sum is {found:#x}, that of the \
                 sequential twin {expected:#x}; figures of it would say nothing, so this is a \
                 fault to be reported"
            ),
            BenchError::TooLarge { workload, sizes: Sizes { measure, most, .. }, size } => write!(
                f,
                "a size of {size} is too large: {workload} takes at most {most} ({measure})"
            ),
            BenchError::NoSize { workload } => {
                write!(f, "{workload} has no size: name its tree by --tree")
            }
            BenchError::Threads { contender, threads, error } => write!(
                f,
                "{contender} could not start {threads} threads: {error}; name fewer by --threads"
            ),
        }
    }
}

impl error::Error for BenchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            BenchError::Threads { error, .. } => Some(error),
            _ => None,
        }
    }
}
