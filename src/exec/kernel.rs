//! Runs a registered kernel on the worker that called.

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

use crate::host::Clock;
use crate::model::{AttemptKey, Ending, Exit, Finish, Launch, Time, Usage, Value};
use crate::pool::Team;

use super::context::{TaskContext, TaskError};
use super::lot::Part;
use super::registry::{Kernel, Registry};
use super::stopwatch::{Lap, Stopwatch};

/// The most that a kernel may give back, in bytes as [`Value::size`] counts them.
pub const VALUE_LIMIT: usize = 64 << 10;

/// Runs kernels one after the other on the same cores.
pub(super) struct Runner<'a> {
    team: &'a Team,
    clock: Clock,
    stopwatch: Stopwatch,
}

impl<'a> Runner<'a> {
    /// The first kernel starts now.
    pub(super) fn new(team: &'a Team, clock: Clock) -> Runner<'a> {
        let stopwatch = Stopwatch::start(clock, team.len() == 1);
        Runner { team, clock, stopwatch }
    }

    /// When the kernel started that is next.
    pub(super) fn started(&self) -> Time {
        self.stopwatch.started()
    }

    /// Calls the kernel and says how the attempt ended.
    pub(super) fn run(&mut self, part: Part<'_>) -> Finish {
        let Part { launch, kernel, stop } = part;
        let key = launch.key;
        let mut ending = call(kernel, &launch, self.team, self.clock, self.started(), stop);
        // To free what it was given is a part of it, and not of the next.
        drop(launch);
        let lap = self.stopwatch.lap();
        ending.usage = Usage { max_rss: 0, cpu: lap.cpu };
        finish(key, &lap, ending)
    }

    /// Ends an attempt that was stopped while it waited for its core.
    pub(super) fn pass_over(&mut self, launch: &Launch) -> Finish {
        let reason = "stopped from outside before it started";
        let ending = Ending::new(Exit::CouldNotStart, Some(reason.to_owned()));
        finish(launch.key, &self.stopwatch.lap(), ending)
    }
}

fn finish(key: AttemptKey, lap: &Lap, ending: Ending) -> Finish {
    Finish { key, start: lap.start, end: lap.end, ending }
}

fn call(
    kernel: &Kernel,
    launch: &Launch,
    team: &Team,
    clock: Clock,
    start: Time,
    stop: &AtomicBool,
) -> Ending {
    let mut context = TaskContext::new(launch, team, clock, start, stop);
    // What a panic may leave half done is the context, of which only the additions are looked
    // at, and those of a failed attempt are dropped.
    let result = catch_unwind(AssertUnwindSafe(|| kernel(&mut context)));
    let is_over_time = context.is_over_time();
    match result {
        _ if is_over_time => over_time(launch),
        Ok(Ok(value)) if value.size() > VALUE_LIMIT => failed(too_large(&value)),
        Ok(Ok(value)) => {
            let added = context.into_added();
            Ending { value, added, ..Ending::new(Exit::Code(0), None) }
        }
        Ok(Err(error)) => failed(TaskError::message(&error).to_owned()),
        Err(panic) => failed(format!("the kernel panicked: {}", panic_message(&*panic))),
    }
}

/// Why an attempt that names a kernel which is not there cannot start.
pub(super) fn unknown(name: &str, registry: &Registry) -> String {
    let names: Vec<&str> = registry.names().collect();
    format!("no kernel is registered as `{name}`; there are: {}", names.join(", "))
}

fn failed(reason: String) -> Ending {
    Ending::new(Exit::Code(1), Some(reason))
}

fn over_time(launch: &Launch) -> Ending {
    let limit = launch.time_left.unwrap_or_default();
    Ending::new(Exit::TimeLimit, Some(format!("over its time limit of {limit}")))
}

fn too_large(value: &Value) -> String {
    let size = value.size();
    format!(
        "the value that the kernel gave back takes {size} bytes, over the limit of {VALUE_LIMIT}; \
         write it to a file and give back the path"
    )
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "without a message",
    }
}
