//! `evenkeel plan`.

use super::args::PlanArgs;
use super::input::{self, Planned};
use super::{Failure, terminal};
use crate::exec::Registry;
use crate::model::ExitCode;
use crate::policy;
use crate::report;

pub(super) fn plan(args: &PlanArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let Planned { job, graph, platform } = input::planned(&args.input, registry)?;
    let schedule = policy::schedule(&job, &graph, &platform).map_err(|policy::Unmet(task)| {
        Failure::bad_input(format!("no node has what task `{}` asks for", job.task_name(task)))
    })?;
    let ranks = policy::upward_ranks(&job, &graph, &platform);
    let bound = policy::lower_bound(&job, &graph, &platform);
    terminal::print(&if args.json {
        report::plan_json(&job, &ranks, bound, &schedule)
    } else {
        let (width, colour) = (terminal::width(), terminal::colour());
        report::plan_table(&job, &ranks, bound, &schedule, width, colour)
    });
    Ok(ExitCode::Done)
}
