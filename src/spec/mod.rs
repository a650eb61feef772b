//! Job, platform and host files, turned into the nouns of [`model`](crate::model).
//!
//! Nothing here opens a file: the caller reads it and says what to call it. What is wrong
//! comes back as [`Errors`], each with the line it is about and how to mend it.
//!
//! # Job files
//!
//! ```
//! # use evenkeel::spec::{ReadOptions, Source, read_job};
//! let text = r#"
//! name = "study"                        # the file's name if not given
//! platform = "cluster.toml"             # to plan it on; a file beside this, or "4 nodes x core:8"
//! shell = ["bash", "-euc"]              # ["sh", "-c"] if not given
//!
//! [defaults]                            # for all tasks that do not say otherwise
//! time_limit = "1h30m"                  # 90, "90s", "HH:MM:SS", "D-HH:MM:SS"
//! env = { LANG = "C" }                  # merged by name, as is meta
//!
//! [[task]]
//! name = "prepare"                      # or id = 1; task-N if not given
//! command = "make mesh > mesh.txt"      # a line for the shell, or ["program", "argument"]
//!
//! [[sweep]]                             # one task for each combination
//! name = "solve"
//! task_name = "solve-%{mode}-%{n}"      # "solve-%{n}-%{mode}" if not given
//! product = { n = { from = 0, to = 10, step = 5 }, mode = ["a", "b"] }   # or zip = { … }
//! command = ["solve", "--n", "%{n}", "--mode", "%{mode}"]
//! after = [{ task = "prepare", bytes = "18MB" }]
//! stdout = "out/%{TASK_NAME}.txt"       # likewise stdin, stderr, cwd
//! cost = 30                             # seconds, or one per processor class: [14, 16, 9]
//! request = [{ cores = 2, gpus = 1 }, { cores = 8, memory = "4GiB" }]   # the preferred first
//! retries = 2
//! grace = "10s"                         # between SIGTERM and SIGKILL
//! warning = "USR1@5m"                   # a signal so long before its time is up
//! rerun = "never"                       # not even when its node dies; it ends as lost
//!
//! [[task]]
//! name = "reduce"
//! kernel = "noop"                       # a registered function, with its args
//! args = { tolerance = 1e-6 }
//! after = ["solve", "prepare"]          # a whole sweep, a task, or a point: "solve-a-0"
//! cores = 4                             # likewise memory, gpus, nodes
//! resources = { licence = 1 }
//! priority = 1                          # higher starts first
//! kind = "reduction"                    # for prediction and reports
//! meta = { author = "me" }              # carried into the records
//! "#;
//! let file = read_job(Source { name: "study.toml", text }, &ReadOptions::default())?;
//! assert_eq!(file.job.tasks.len(), 8);
//! assert_eq!(file.job.task_name(file.job.tasks[7].after[0].task), "solve-a-0");
//! # Ok::<(), evenkeel::spec::Errors>(())
//! ```
//!
//! In the `after` of a sweep, `"mesh-%{n}"` is the task whose name that becomes for each of its
//! own. Placeholders are those of [`placeholder`](crate::model::placeholder).
//!
//! # Platform files
//!
//! ```
//! # use evenkeel::spec::{Source, read_platform};
//! let text = r#"
//! classes = ["cpu", "fat"]              # in the order of the costs of tasks
//! link = { latency = "5us", bandwidth = "12.5GB/s" }    # between subclusters
//!
//! [[subcluster]]
//! count = 2                             # 1 if not given, as for nodes
//! link = { latency = "1us", bandwidth = "25GB/s" }      # between its nodes
//! node = [
//!     { count = 16, cores = 64, numa = 4, memory = "256GiB" },
//!     { class = "fat", cores = 32, speed = 1.5, gpus = 4, resources = { nvme = 1 } },
//! ]
//! "#;
//! let platform = read_platform(Source { name: "cluster.toml", text })?;
//! assert_eq!(platform.nodes().count(), 34);
//! # Ok::<(), evenkeel::spec::Errors>(())
//! ```
#![forbid(unsafe_code)]

mod after;
mod body;
mod capacity;
mod entries;
mod error;
mod fields;
mod hostfile;
mod job;
mod json;
mod names;
mod nearest;
mod platform;
mod request;
mod settings;
mod sweep;
mod synthetic;
mod units;
mod values;
mod wfformat;

pub use capacity::{Locations, check_capacity};
pub use error::{Diagnostic, Errors, Source};
pub use hostfile::read_hostfile;
pub use platform::read_platform;
pub use synthetic::parse_platform_string;
pub use units::{UnitError, parse_duration, parse_size};

use crate::model::Job;

/// How a job file is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadOptions {
    /// Recorded run times of WfFormat are multiplied by this; other files are read as they
    /// are. Finite and not negative.
    pub time_scale: f64,
}

impl Default for ReadOptions {
    /// Recorded times as they are.
    fn default() -> Self {
        ReadOptions { time_scale: 1.0 }
    }
}

/// How large a job may become, checked before memory is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tasks, those of sweeps included; 2^32 - 1 count at most.
    pub tasks: u64,
    /// Dependencies, those on each task of a sweep included; 2^32 - 1 count at most.
    pub dependencies: u64,
}

impl Default for Limits {
    /// A hundred million tasks (about 12 GB of memory), a thousand million dependencies
    /// (16 GB).
    fn default() -> Self {
        Limits { tasks: 100_000_000, dependencies: 1_000_000_000 }
    }
}

/// A job, and where its tasks stand in its file.
#[derive(Clone, Debug)]
pub struct JobFile<'a> {
    /// The job.
    pub job: Job,
    /// The platform to plan it on, if the file says: a path from the file's folder, or a
    /// description as for [`parse_platform_string`].
    pub platform: Option<String>,
    /// Where its tasks stand, for [`check_capacity`].
    pub locations: Locations<'a>,
}

/// Reads a job: TOML as this project writes it, or WfFormat 1.5 where the first character
/// that is not blank is `{`.
///
/// # Errors
/// All that is wrong with it, as far as one pass can tell.
pub fn read_job<'a>(source: Source<'a>, options: &ReadOptions) -> Result<JobFile<'a>, Errors> {
    read_job_within(source, options, Limits::default())
}

/// The same, with limits on how large the job may become.
///
/// # Errors
/// Those of [`read_job`], and where a limit is passed.
pub fn read_job_within<'a>(
    source: Source<'a>,
    options: &ReadOptions,
    limits: Limits,
) -> Result<JobFile<'a>, Errors> {
    let ids = u64::from(u32::MAX);
    let limits =
        Limits { tasks: limits.tasks.min(ids), dependencies: limits.dependencies.min(ids) };
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    let source = Source { text, ..source };
    if u32::try_from(text.len()).is_err() {
        let what = "a file of 4 GiB or more";
        return Err(Diagnostic::new(source.name, what, "say it as a [[sweep]], or split it").into());
    }
    if text.trim_start().starts_with('{') {
        wfformat::read(source, options.time_scale, limits)
    } else {
        job::read(source, limits)
    }
}
