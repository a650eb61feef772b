//! `evenkeel simulate`.

use super::args::SimulateArgs;
use super::input::{self, Planned};
use super::{Failure, show};
use crate::exec::Registry;
use crate::model::ExitCode;
use crate::run::{self, Conditions};

pub(super) fn simulate(args: &SimulateArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let Planned { job, platform, .. } = input::planned(&args.input, registry)?;
    let conditions = Conditions { seed: args.seed, ..Conditions::default() };
    let (outcome, _) = run::simulate(job, platform, &conditions)?;
    show::show(&outcome, args.json);
    Ok(outcome.verdict.code)
}
