//! The command line: arguments in, exit codes out.
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
mod check;
mod demo;
mod follow;
mod input;
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

/// The whole command line, with the kernels of `registry`: the body of a user's own `main`.
///
/// ```no_run
/// use evenkeel::exec::Registry;
///
/// fn main() -> std::process::ExitCode {
///     let mut registry = Registry::default();
///     registry.register("answer", |_| Ok(42.into()));
///     evenkeel::main(registry)
/// }
/// ```
#[must_use]
pub fn main(registry: Registry) -> process::ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(args) => run::run(&args, &registry),
        Command::Launch(args) => launch::launch(&args),
        Command::Plan(args) => plan::plan(&args, &registry),
        Command::Simulate(args) => simulate::simulate(&args, &registry),
        Command::Replay(args) => replay::replay(&args),
        Command::Topo(args) => topo::topo(&args),
        Command::Check(args) => check::check(&args, &registry),
        Command::Status(args) => status::status(&args),
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
