//! One try at a task, as the node hands it to what runs it, and as it comes back.

use std::sync::Arc;

use super::{
    AttemptKey, Body, CoreId, Exit, Name, PeerId, Request, Settings, Shared, Span, Task, TaskId,
    Time, Usage, Value,
};

/// What an attempt at a task does, wherever that is: made once, and passed on as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What is needed for it.
    pub request: Arc<Request>,
    /// The name of the task.
    pub name: Name,
    /// What to run; placeholders are not filled in yet.
    pub body: Arc<Body>,
    /// The parameters of its sweep, if it comes from one.
    pub parameters: Vec<(String, Value)>,
    /// How to run it.
    pub settings: Arc<Settings>,
    /// What its predecessors gave back, in the order in which the task names them.
    pub inputs: Vec<(TaskId, Value)>,
}

impl Work {
    /// `body` on one core, of no sweep and after nothing.
    #[must_use]
    pub fn new(name: impl Into<Name>, body: Body) -> Work {
        Work {
            request: Request::shared(),
            name: name.into(),
            body: Arc::new(body),
            parameters: Vec::new(),
            settings: Settings::shared(),
            inputs: Vec::new(),
        }
    }
}

/// Everything that is needed to run one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Which attempt.
    pub key: AttemptKey,
    /// The node that runs it.
    pub node: PeerId,
    /// What it does.
    pub work: Arc<Work>,
    /// The cores granted to it; never empty.
    pub cores: Arc<[CoreId]>,
    /// The graphics processors granted to it, by their numbers on the host.
    pub gpus: Vec<u32>,
    /// How long it may take, if there is a limit.
    pub time_left: Option<Span>,
}

/// How an attempt ended, as the one who ran it saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How the program or the kernel ended.
    pub exit: Exit,
    /// Why, in words, where it did not end well.
    pub reason: Option<String>,
    /// What a kernel gave back; nothing from a command.
    pub value: Value,
    /// What it used.
    pub usage: Usage,
    /// The end of what it wrote where no file was named.
    pub tail: String,
    /// The tasks that a kernel added; void unless it ended well.
    pub added: Vec<Addition>,
}

impl Ending {
    /// An ending with this exit and reason, and nothing else to tell.
    #[must_use]
    pub fn new(exit: Exit, reason: Option<String>) -> Ending {
        Ending {
            exit,
            reason,
            value: Value::Unit,
            usage: Usage::default(),
            tail: String::new(),
            added: Vec::new(),
        }
    }
}

/// An attempt that is over where it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Which attempt.
    pub key: AttemptKey,
    /// When it started, by the clock of its node; when its start failed, if it could not.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// How.
    pub ending: Ending,
}

/// A task that a running kernel adds to its job. It becomes part of the job when the attempt
/// that added it is recorded as done; if that attempt is lost or fails, it never was.
#[derive(Clone, Debug, PartialEq)]
pub struct Addition {
    /// The task. Its `after` names tasks that are in the job already, the adding one among
    /// them if its value is wanted.
    pub task: Task,
    /// Further predecessors among the additions of the same attempt, by their order; only
    /// earlier ones. Their values come after those of `task.after`.
    pub siblings: Vec<u32>,
}
