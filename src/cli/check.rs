//! `evenkeel check`.

use super::args::CheckArgs;
use super::{Failure, input, terminal};
use crate::exec::Registry;
use crate::model::ExitCode;
use crate::run;
use crate::spec::JobFile;

pub(super) fn check(args: &CheckArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let text = input::Text::read(&args.file)?;
    let JobFile { job, locations, .. } = text.job(1.0)?;
    let options = input::options(&args.nodes)?;
    input::check_nodes(&job, &locations, &run::local_nodes(&options, &job.resources)?)?;
    let (name, tasks) = (job.name.clone(), job.tasks.len());
    let dependencies: usize = job.tasks.iter().map(|task| task.after.len()).sum();
    run::check(job, registry, &options)?;
    let (s, ies) = (if tasks == 1 { "" } else { "s" }, if dependencies == 1 { "y" } else { "ies" });
    terminal::print(&format!(
        "{}: job `{name}` is fine: {tasks} task{s}, {dependencies} dependenc{ies}",
        args.file.display()
    ));
    Ok(ExitCode::Done)
}
