//! `evenkeel simulate`.

use super::Failure;
use super::args::SimulateArgs;
use crate::model::ExitCode;

pub(super) fn simulate(_args: &SimulateArgs) -> Result<ExitCode, Failure> {
    Err(Failure::bad_input("not merged"))
}
