//! `evenkeel simulate`.

use super::args::SimulateArgs;
use super::input::{self, Planned};
use super::{Failure, show};
use crate::exec::Registry;
use crate::model::ExitCode;
use crate::run;

pub(super) fn simulate(args: &SimulateArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let Planned { job, platform, .. } = input::planned(&args.input, registry)?;
    let (outcome, _) = run::simulate(job, platform, args.seed)?;
    show::show(&outcome, args.json);
    Ok(outcome.verdict.code)
}
