//! Job and platform files, turned into the nouns of [`model`](crate::model).
//!
//! Nothing here opens a file: the caller reads it and says what to call it. What is wrong
//! comes back as [`Errors`], each with the line it is about and how to mend it.
#![forbid(unsafe_code)]

mod after;
mod body;
mod capacity;
mod entries;
mod error;
mod fields;
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
mod wfformat;

pub use capacity::{Locations, check_capacity};
pub use error::{Diagnostic, Errors, Source};
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
