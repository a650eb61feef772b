//! `evenkeel completions` and `evenkeel man`.

use std::fs;

use clap::CommandFactory;

use super::args::{Arguments, CompletionsArgs, ManArgs};
use super::{Failure, terminal};
use crate::model::ExitCode;

pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), terminal::program(), &mut script);
    terminal::print(&String::from_utf8_lossy(&script));
    ExitCode::Done
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(command(), &args.dir))
        .map_err(|error| {
            let message = format!("cannot write to {}: {error}", args.dir.display());
            Failure::new(ExitCode::Infrastructure, message)
        })?;
    Ok(ExitCode::Done)
}

/// The command line under the name of this program, which may be a user's own.
fn command() -> clap::Command {
    Arguments::command().name(terminal::program())
}
