//! Runs a registered kernel on the worker that called.

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::time::{ClockId, clock_gettime};

use crate::host::Clock;
use crate::model::{Ending, Exit, Launch, Span, Time, Usage, Value};
use crate::pool::Team;

use super::context::{TaskContext, TaskError};
use super::lot::Part;
use super::registry::Registry;

/// The most that a kernel may give back, in bytes as [`Value::size`] counts them.
pub const VALUE_LIMIT: usize = 64 << 10;

/// Calls the kernel and says how the attempt ended.
pub(super) fn run(part: &Part, team: &Team, clock: Clock, start: Time) -> Ending {
    let Part { launch, kernel, stop } = part;
    let mut context = TaskContext::new(launch, team, clock, start, stop);
    let before = thread_time();
    // What a panic may leave half done is the context, of which only the additions are looked
    // at, and those of a failed attempt are dropped.
    let result = catch_unwind(AssertUnwindSafe(|| kernel(&mut context)));
    // The time of one thread is that of the kernel only where it had one core.
    let cpu = if launch.cores.len() == 1 { thread_time() - before } else { Span::ZERO };
    let is_over_time = context.is_over_time();
    let mut ending = match result {
        _ if is_over_time => over_time(launch),
        Ok(Ok(value)) if value.size() > VALUE_LIMIT => failed(too_large(&value)),
        Ok(Ok(value)) => {
            let added = context.into_added();
            Ending { value, added, ..Ending::new(Exit::Code(0), None) }
        }
        Ok(Err(error)) => failed(TaskError::message(&error).to_owned()),
        Err(panic) => failed(format!("the kernel panicked: {}", panic_message(&*panic))),
    };
    ending.usage = Usage { max_rss: 0, cpu };
    ending
}

/// The ending of an attempt that was stopped while it waited for its core.
pub(super) fn never_began() -> Ending {
    let reason = "stopped from outside before it started";
    Ending::new(Exit::CouldNotStart, Some(reason.to_owned()))
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

/// Processor time of this thread.
fn thread_time() -> Span {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Span::from_secs(time.tv_sec.unsigned_abs()) + Span(time.tv_nsec.unsigned_abs())
}
