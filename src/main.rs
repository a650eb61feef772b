//! The `evenkeel` command.

use std::process::ExitCode;

use evenkeel::exec::Registry;

fn main() -> ExitCode {
    evenkeel::main(Registry::default())
}
