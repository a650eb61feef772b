//! The command line: arguments in, exit codes out.
//!
//! # On a cluster
//!
//! ```text
//! evenkeel launch -n 4 run job.toml                        in an allocation, or on this host
//! evenkeel launch -n 4 --hosts a:1,b:1,c:1,d:1 run job.toml     on hosts that ssh reaches
//! sbatch cluster/slurm.sh job.toml                         by Slurm; beside it PBS and LSF
//! evenkeel run --nodes 4 job.toml                          without MPI, on this host
//! ```
//!
//! `launch` finds the launcher of the MPI that the program is linked with, gives it the flags
//! under which most survives, keeps its noise in a log and ends with the exit code of the run.
//! Each rank is a node; those of one host divide its cores, and are a subcluster unless
//! `--subclusters` says otherwise. One process on each host is best. The first rank alone reads
//! the job; working folders, files of tasks and the folder of the run are on a file system that
//! all hosts share.
//!
//! The result is `verdict.json` in the folder of the run, published last. If it is not there, the
//! run was cut off, and `launch -n 4 run --resume` goes on from the journal, on as many ranks as
//! you like. SIGUSR1, as batch systems send it before the time is up, ends a run in order: what
//! runs is finished, nothing more is started, exit code 4. What survives the death of a rank
//! depends on the launcher; `cluster/README.md` has the table.
//!
//! # With kernels of your own
//!
//! A job file names functions as well as commands. They are registered before [`main`] takes over,
//! and the same binary is launched:
//!
//! ```no_run
//! use evenkeel::exec::Registry;
//!
//! fn main() -> std::process::ExitCode {
//!     let mut registry = Registry::default();
//!     registry.register("answer", |_| Ok(42.into()));
//!     evenkeel::main(registry)
//! }
//! ```
//!
//! ```text
//! target/release/yours launch -n 4 run job.toml
//! ```
//!
//! # Exit codes
//!
//! | exit code | |
//! | --- | --- |
//! | 0 | every task is done |
//! | 1 | a task failed or was cancelled |
//! | 2 | the job, or an argument, cannot be understood or met |
//! | 3 | what the run stands on gave way |
//! | 4 | interrupted; `--resume` goes on |
#![forbid(unsafe_code)]

mod args;
mod bench;
mod check;
mod demo;
mod follow;
mod input;
mod join;
mod journal;
mod launch;
mod launcher;
mod marked;
mod plan;
mod progress;
mod replay;
mod run;
mod running;
mod shell;
mod show;
mod simulate;
mod status;
mod terminal;
mod topo;

use std::fmt;
use std::process;

use clap::Parser;

use crate::exec::Registry;
use crate::model::ExitCode;
use crate::run::World;
use args::{Arguments, Command};

/// Why a command ended without doing what it should.
#[derive(Debug)]
struct Failure {
    code: ExitCode,
    message: String,
}

impl Failure {
    fn new(code: ExitCode, message: impl fmt::Display) -> Failure {
        Failure { code, message: message.to_string() }
    }

    fn bad_input(message: impl fmt::Display) -> Failure {
        Failure::new(ExitCode::BadInput, message)
    }
}

impl From<crate::run::RunError> for Failure {
    fn from(error: crate::run::RunError) -> Failure {
        Failure::new(error.exit_code(), error)
    }
}

/// The whole command line, with the kernels of `registry`: the body of a user's own `main`, as
/// [`cli`](self) shows.
#[must_use]
pub fn main(registry: Registry) -> process::ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(args) => run::run(&args, &registry),
        Command::Join(args) => join::join(&args, &registry),
        Command::Drain(args) => join::drain(&args),
        Command::Launch(args) => launch::launch(&args),
        Command::Plan(args) => plan::plan(&args, &registry),
        Command::Simulate(args) => simulate::simulate(&args, &registry),
        Command::Replay(args) => replay::replay(&args),
        Command::Topo(args) => topo::topo(&args),
        Command::Check(args) => check::check(&args, &registry),
        Command::Status(args) => status::status(&args),
        Command::Journal(command) => journal::journal(&command),
        Command::Bench(args) => bench::bench(&args),
        Command::Demo(args) => demo::demo(&args, &registry),
        Command::Completions(args) => Ok(shell::completions(&args)),
        Command::Man(args) => shell::man(&args),
    };
    let code = done.unwrap_or_else(|failure| {
        let message = failure.message.trim_end();
        if message.is_empty() {
            return failure.code;
        }
        // Messages about files begin with the word themselves.
        let prefix = if message.starts_with("error") { "" } else { "error: " };
        terminal::say(&format!("{prefix}{message}"));
        failure.code
    });
    terminal::tell_exit_code(code);
    World::leave(code);
    process::ExitCode::from(code as u8)
}
