//! What is kept of a run: one record an attempt, one verdict.

use std::fmt;
use std::sync::Arc;

use super::{
    Attempt, AttemptKey, CoreId, JobId, Name, PeerId, Rerun, Span, SubclusterId, Task, TaskId,
    Time, Value,
};

/// What became of one attempt, or of a task that was never tried (attempt 0).
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The job.
    pub job: JobId,
    /// The task in it.
    pub task: TaskId,
    /// The task's name in the file.
    pub name: Name,
    /// The try, from 1; 0 for a task that never started.
    pub attempt: Attempt,
    /// How it ended.
    pub state: State,
    /// Why, where it was not done.
    pub reason: Option<String>,
    /// How the program or kernel ended, where one ran.
    pub exit: Option<Exit>,
    /// Where it ran; nothing for a task that never started.
    pub place: Option<Place>,
    /// When its predecessors were done.
    pub ready: Option<Time>,
    /// When it started, mapped to the master's clock.
    pub start: Option<Time>,
    /// When it ended, mapped to the master's clock.
    pub end: Option<Time>,
    /// How far `start` and `end` may be off.
    pub clock: Span,
    /// What it used, where that was measured.
    pub usage: Usage,
    /// The end of what it wrote where no file was named.
    pub tail: String,
    /// Whether the task is run again after an attempt that was lost.
    pub rerun: Rerun,
    /// Nobody has seen the end of the lost attempt, only silence: it may have gone on beside the
    /// next one.
    pub overlap: bool,
    /// The task's kind, empty if none was said.
    pub kind: String,
    /// What the user wanted carried.
    pub meta: Vec<(String, Value)>,
    /// What a kernel gave back.
    pub value: Value,
}

impl Record {
    /// That `key` ended in `state`, and nothing else to tell.
    #[must_use]
    pub fn new(key: AttemptKey, state: State) -> Record {
        Record {
            job: key.job,
            task: key.task,
            name: Name::default(),
            attempt: key.attempt,
            state,
            reason: None,
            exit: None,
            place: None,
            ready: None,
            start: None,
            end: None,
            clock: Span::ZERO,
            usage: Usage::default(),
            tail: String::new(),
            rerun: Rerun::Always,
            overlap: false,
            kind: String::new(),
            meta: Vec::new(),
            value: Value::Unit,
        }
    }

    /// Fills in what the job knows of the task, which is called `name`.
    pub fn describe(&mut self, task: &Task, name: Name) {
        self.name = name;
        self.rerun = task.settings.rerun;
        self.kind.clone_from(&task.settings.kind);
        self.meta.clone_from(&task.settings.meta);
    }

    /// Whether the task ends by this: what was lost is not run again.
    #[must_use]
    pub fn is_lost_for_good(&self) -> bool {
        self.state == State::Lost && self.rerun == Rerun::Never
    }
}

/// Where an attempt ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The subcluster.
    pub subcluster: SubclusterId,
    /// The node.
    pub node: PeerId,
    /// The name of its host.
    pub host: Arc<str>,
    /// The cores that were granted, where that is known.
    pub cores: Arc<[CoreId]>,
}

/// How an attempt or a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Well.
    Done,
    /// Badly, by itself.
    Failed,
    /// With the node that ran it, or by a recall; tried again unless the task says never, and no
    /// retry used up.
    Lost,
    /// By the user, or since a task that it waits for was not done.
    Cancelled,
}

impl State {
    /// The word used in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Failed => "failed",
            State::Lost => "lost",
            State::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a program or a kernel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself with this code; a kernel that gave a value back ends with 0, one that gave an
    /// error or panicked with 1.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By us, when its time was up.
    TimeLimit,
    /// It could not be started at all.
    CouldNotStart,
}

impl Exit {
    /// Whether it ended well.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Exit::Code(0))
    }

    /// Whether it is how programs end that were asked to: by SIGINT, SIGTERM or SIGUSR1, or as a
    /// shell says that of what it ran.
    #[must_use]
    pub const fn is_by_request(self) -> bool {
        /// Where the signals of users have numbers of their own.
        const USR1: i32 =
            if cfg!(any(target_os = "linux", target_os = "android")) { 10 } else { 30 };
        /// What shells add.
        const SHELL: i32 = 128;
        match self {
            Exit::Signal(signal) => matches!(signal, 2 | 15 | USR1),
            Exit::Code(code) => matches!(code - SHELL, 2 | 15 | USR1),
            Exit::TimeLimit | Exit::CouldNotStart => false,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::TimeLimit => f.write_str("time limit"),
            Exit::CouldNotStart => f.write_str("could not start"),
        }
    }
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most memory that its processes held at once, in bytes; 0 for kernels.
    pub max_rss: u64,
    /// Processor time, user and system. That of a kernel is known to within 20 µs; that of one on
    /// several cores is not, and 0.
    pub cpu: Span,
}

/// How a run ended, in the order of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// Every task is done.
    Done = 0,
    /// At least one task failed, was cancelled, or was lost and is not to be run again.
    TaskFailed = 1,
    /// The job, or an argument, cannot be understood or met.
    BadInput = 2,
    /// What the run stands on gave way: no node left, no disk, no peer.
    Infrastructure = 3,
    /// Ended from outside; `--resume` goes on from here.
    Interrupted = 4,
}

impl ExitCode {
    /// The exit code that is this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<ExitCode> {
        use ExitCode::{BadInput, Done, Infrastructure, Interrupted, TaskFailed};
        let codes = [Done, TaskFailed, BadInput, Infrastructure, Interrupted];
        codes.into_iter().find(|code| *code as u8 == number)
    }
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code of the run.
    pub code: ExitCode,
    /// Why, in a line.
    pub reason: String,
    /// How many tasks ended in each state.
    pub counts: Counts,
    /// From the start of the run (its last resume) to its end.
    pub elapsed: Span,
}

/// How many tasks of a run are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All there are.
    pub tasks: u64,
    /// Ended well.
    pub done: u64,
    /// Ended badly.
    pub failed: u64,
    /// Not to be run any more.
    pub cancelled: u64,
    /// Lost, and not to be run again.
    pub lost_for_good: u64,
    /// Attempts lost, whether they were made again or not.
    pub lost: u64,
}

impl Counts {
    /// Tasks that have ended.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.done + self.failed + self.cancelled + self.lost_for_good
    }

    /// Tasks that have not ended.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.tasks - self.ended()
    }
}
