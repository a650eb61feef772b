//! `evenkeel simulate`.

use super::args::SimulateArgs;
use super::input::{self, Planned};
use super::{Failure, show};
use crate::model::ExitCode;
use crate::run;

pub(super) fn simulate(args: &SimulateArgs) -> Result<ExitCode, Failure> {
    let Planned { job, platform, .. } = input::planned(&args.input)?;
    let (outcome, _) = run::simulate(job, platform, args.seed)?;
    show::show(&outcome, args.json);
    Ok(outcome.verdict.code)
}
