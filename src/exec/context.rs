//! What a kernel is given.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::host::Clock;
use crate::model::{
    Addition, AttemptKey, Body, CoreId, Launch, PeerId, Span, Task, TaskId, Time, Value,
};
use crate::pool::Team;

use super::holes::Holes;

/// Why a kernel gives up, in words for the user.
///
/// Any error of the standard kind becomes one by `?`, and so does text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    message: String,
}

impl TaskError {
    /// With this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> TaskError {
        TaskError { message: message.into() }
    }

    /// What went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// Not an `Error` itself, so that all of those, text among them, can become one: as text is
// boxed into an error by the standard library, so is it here.
impl<E: Into<Box<dyn Error>>> From<E> for TaskError {
    fn from(error: E) -> TaskError {
        let error = error.into();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        TaskError { message }
    }
}

/// What a kernel is given: its arguments and inputs, its cores, and what it may ask and do
/// while it runs.
pub struct TaskContext<'a> {
    launch: &'a Launch,
    args: Value,
    team: &'a Team,
    clock: Clock,
    deadline: Option<Time>,
    stop: &'a AtomicBool,
    added: Vec<Addition>,
}

impl<'a> TaskContext<'a> {
    pub(super) fn new(
        launch: &'a Launch,
        team: &'a Team,
        clock: Clock,
        start: Time,
        stop: &'a AtomicBool,
    ) -> TaskContext<'a> {
        let args = match &*launch.work.body {
            Body::Kernel { args, .. } => Holes::new(launch).value(args),
            Body::Command(_) => Value::Unit,
        };
        let deadline = launch.time_left.map(|left| start + left);
        TaskContext { launch, args, team, clock, deadline, stop, added: Vec::new() }
    }

    /// The arguments, with all placeholders filled in.
    #[must_use]
    pub fn args(&self) -> &Value {
        &self.args
    }

    /// What the predecessors gave back, with their ids, in the order in which the task names
    /// them.
    #[must_use]
    pub fn inputs(&self) -> &'a [(TaskId, Value)] {
        &self.launch.work.inputs
    }

    /// What the predecessors gave back, in the order in which the task names them.
    pub fn values(&self) -> impl Iterator<Item = &'a Value> {
        self.launch.work.inputs.iter().map(|(_, value)| value)
    }

    /// Which attempt this is.
    #[must_use]
    pub fn key(&self) -> AttemptKey {
        self.launch.key
    }

    /// Which try this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.launch.key.attempt.0
    }

    /// The name of the task.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.launch.work.name
    }

    /// The node that it runs on.
    #[must_use]
    pub fn node(&self) -> PeerId {
        self.launch.node
    }

    /// The cores granted to it; this function runs on the first of them.
    #[must_use]
    pub fn cores(&self) -> &'a [CoreId] {
        &self.launch.cores
    }

    /// The numbers of the graphics processors granted to it.
    #[must_use]
    pub fn gpus(&self) -> &'a [u32] {
        &self.launch.gpus
    }

    /// The workers of the granted cores.
    #[must_use]
    pub fn team(&self) -> &'a Team {
        self.team
    }

    /// The parameters of its sweep, in the order of the file.
    #[must_use]
    pub fn parameters(&self) -> &'a [(String, Value)] {
        &self.launch.work.parameters
    }

    /// The parameter `name` of its sweep.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a Value> {
        self.parameters().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether it was cancelled or its time is up. A kernel cannot be ended from outside: one
    /// that runs long asks this now and then, and returns.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        // Nothing is read on the strength of it, so that relaxed is enough.
        self.stop.load(Ordering::Relaxed) || self.is_over_time()
    }

    /// How much time is left of its limit; `None` if it has none.
    #[must_use]
    pub fn time_left(&self) -> Option<Span> {
        self.deadline.map(|deadline| deadline.since(self.clock.now()))
    }

    /// Whether the time has come at which its task is to be [warned](crate::model::Settings::warning)
    /// that its time is almost up. To a kernel nothing is sent: it asks.
    #[must_use]
    pub fn warned(&self) -> bool {
        let warning = self.launch.work.settings.warning;
        warning.zip(self.time_left()).is_some_and(|(warning, left)| left <= warning.before)
    }

    /// Adds a task to the job, and gives its place among those that this attempt has added, by
    /// which later ones can name it as their sibling. It becomes part of the job when this
    /// attempt ends well, and never was if it does not.
    ///
    /// # Panics
    /// At 2^32 additions.
    pub fn submit(&mut self, addition: impl Into<Addition>) -> u32 {
        let index = u32::try_from(self.added.len()).expect("fewer than 2^32 additions");
        self.added.push(addition.into());
        index
    }

    pub(super) fn is_over_time(&self) -> bool {
        self.time_left() == Some(Span::ZERO)
    }

    pub(super) fn into_added(self) -> Vec<Addition> {
        self.added
    }
}

impl From<Task> for Addition {
    /// Without siblings.
    fn from(task: Task) -> Addition {
        Addition { task, siblings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_errors_become_a_message() {
        fn text() -> Result<(), TaskError> {
            Err("plain")?
        }
        fn owned() -> Result<(), TaskError> {
            Err(format!("n = {}", 1))?
        }
        fn number() -> Result<i32, TaskError> {
            Ok("x".parse::<i32>()?)
        }
        assert_eq!(text().unwrap_err().message(), "plain");
        assert_eq!(owned().unwrap_err().to_string(), "n = 1");
        assert_eq!(number().unwrap_err().message(), "invalid digit found in string");
    }
}
