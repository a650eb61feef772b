//! Why a run could not be.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::exec::ExecError;
use crate::host::{HostError, Launcher};
use crate::model::{ExitCode, PeerId};
use crate::sim::Violation;
use crate::store::StoreError;

/// Why a run could not be started, or has no verdict.
#[derive(Debug)]
pub enum RunError {
    /// Tasks wait for each other in a ring: their names, each waiting for the one before it.
    Cycle(Vec<String>),
    /// A task waits for one that the job does not have.
    UnknownDependency {
        /// The task.
        task: String,
    },
    /// A task calls a kernel that is not registered.
    UnknownKernel {
        /// The task.
        task: String,
        /// What it calls.
        kernel: String,
        /// What is registered.
        known: Vec<String>,
    },
    /// No node has what a task asks for.
    Unmeetable {
        /// The task.
        task: String,
        /// What it asks for, in words.
        asks: String,
        /// What the nodes have, in words.
        have: String,
    },
    /// The options contradict each other.
    Options(String),
    /// A folder holds a journal to which no job was ever submitted.
    NothingSubmitted(PathBuf),
    /// A journal that was written by something else.
    Garbled {
        /// Its folder.
        folder: PathBuf,
        /// Which entry, from 1.
        entry: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The host could not be made out.
    Host(HostError),
    /// A node could not start what runs its tasks.
    Exec(ExecError),
    /// The run folder.
    Store(StoreError),
    /// The operating system refused something.
    Io {
        /// What was to be done.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// A simulated run broke a rule that holds of every run: a fault of this library.
    Violation(Box<Violation>),
    /// A launcher started several processes, and each of them is alone.
    WrongLauncher {
        /// What started them.
        launcher: Launcher,
        /// What the linked MPI library calls itself; nothing if there is none.
        linked: Option<String>,
    },
    /// MPI failed.
    Mpi(String),
    /// A rank says nothing.
    Silent {
        /// Its node.
        node: PeerId,
    },
    /// A rank runs another version of this program.
    OtherVersion(&'static str),
    /// The process with the master ended before the run did.
    MasterDied {
        /// The node that was left behind.
        node: PeerId,
    },
    /// Others cannot come to the run where they were to.
    Listen(String),
    /// This process cannot come to a run.
    Join(String),
    /// The master was killed: there is no verdict, and the run can be resumed from its folder.
    MasterKilled,
}

impl RunError {
    /// The exit code that a program should end with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            RunError::Cycle(_)
            | RunError::UnknownDependency { .. }
            | RunError::UnknownKernel { .. }
            | RunError::Unmeetable { .. }
            | RunError::Options(_)
            | RunError::Listen(_)
            | RunError::NothingSubmitted(_)
            | RunError::Store(
                StoreError::NoRun(_) | StoreError::HoldsRun(_) | StoreError::NotEmpty(_),
            )
            | RunError::Host(_) => ExitCode::BadInput,
            RunError::Garbled { .. }
            | RunError::Exec(_)
            | RunError::Store(_)
            | RunError::Io { .. }
            | RunError::Violation(_)
            | RunError::WrongLauncher { .. }
            | RunError::Mpi(_)
            | RunError::Silent { .. }
            | RunError::Join(_)
            | RunError::OtherVersion(_)
            | RunError::MasterDied { .. }
            | RunError::MasterKilled => ExitCode::Infrastructure,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Cycle(names) => {
                let ring = names.iter().chain(names.first()).map(String::as_str);
                let ring = ring.collect::<Vec<_>>().join(" -> ");
                write!(f, "tasks wait for each other in a ring: {ring}")
            }
            RunError::UnknownDependency { task } => {
                write!(f, "task `{task}` waits for a task that the job does not have")
            }
            RunError::UnknownKernel { task, kernel, known } => write!(
                f,
                "task `{task}` calls kernel `{kernel}`, which is not registered; there are: {}",
                known.join(", ")
            ),
            RunError::Unmeetable { task, asks, have } => write!(
                f,
                "task `{task}` asks for {asks}, which no node has (the largest has {have})"
            ),
            RunError::Options(problem) | RunError::Listen(problem) => f.write_str(problem),
            RunError::Join(problem) => write!(f, "cannot come to the run: {problem}"),
            RunError::NothingSubmitted(folder) => write!(
                f,
                "{}: the run ended before its job was written down; run the job anew in another \
                 folder",
                folder.display()
            ),
            RunError::Garbled { folder, entry, problem } => write!(
                f,
                "{}: entry {entry} of the journal cannot be read: {problem}",
                folder.display()
            ),
            RunError::Host(error) => error.fmt(f),
            RunError::Exec(error) => error.fmt(f),
            RunError::Store(error) => error.fmt(f),
            RunError::Io { what, error } => write!(f, "cannot {what}: {error}"),
            RunError::Violation(violation) => violation.fmt(f),
            RunError::WrongLauncher { launcher, linked } => {
                wrong_launcher(f, launcher, linked.as_deref())
            }
            RunError::Mpi(problem) => write!(f, "MPI: {problem}"),
            RunError::Silent { node } => write!(
                f,
                "rank {} says nothing: its process hangs, or has died; start the run again",
                node.0
            ),
            RunError::OtherVersion(problem) => write!(
                f,
                "a rank runs another version of this program ({problem}): start the same one on \
                 all hosts"
            ),
            RunError::MasterDied { node } => {
                write!(f, "node {node} ends: the process with the master is gone")
            }
            RunError::MasterKilled => {
                f.write_str("the master was killed; the run can be resumed from its folder")
            }
        }
    }
}

fn wrong_launcher(
    f: &mut fmt::Formatter<'_>,
    launcher: &Launcher,
    linked: Option<&str>,
) -> fmt::Result {
    let kind = launcher.kind;
    match launcher.size {
        Some(size) => write!(f, "this is one of {size} processes that {kind} started, ")?,
        None => write!(f, "this process was started by {kind}, ")?,
    }
    match linked {
        Some(linked) => write!(
            f,
            "but it is linked with {linked}, which that launcher does not serve, so that each of \
             them is alone: start it with the launcher of that MPI, or build it with the MPI of \
             this launcher (MPICC=... cargo build --features mpi)"
        )?,
        None => f.write_str(
            "but it was built without MPI, so that each of them is alone: build it with the MPI of \
             this launcher (MPICC=... cargo build --features mpi)",
        )?,
    }
    f.write_str("; to run each process by itself all the same, say --single")
}

impl std::error::Error for RunError {}

impl From<HostError> for RunError {
    fn from(error: HostError) -> Self {
        RunError::Host(error)
    }
}

impl From<ExecError> for RunError {
    fn from(error: ExecError) -> Self {
        RunError::Exec(error)
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        RunError::Store(error)
    }
}
