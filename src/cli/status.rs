//! `evenkeel status`.

use std::path::Path;

use super::args::StatusArgs;
use super::{Failure, terminal};
use crate::model::{Counts, ExitCode, Standby};
use crate::report;
use crate::run::{self, Status};

pub(super) fn status(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let status = run::status(&args.run_dir)?;
    let standing_by = standing_by(&status, &args.run_dir);
    let said = match args.json {
        true => json(&status, standing_by),
        false => text(&status, &args.run_dir, standing_by),
    };
    terminal::print(&said);
    Ok(if args.exit_code { exit_code(&status) } else { ExitCode::Done })
}

/// How many nodes stand by for a run that goes on.
fn standing_by(status: &Status, folder: &Path) -> usize {
    let goes_on = status.verdict.is_none() && status.alive != Some(false);
    let nodes = run::nodes(folder).filter(|_| goes_on).unwrap_or_default();
    nodes.iter().filter(|node| node.standby == Standby::Now).count()
}

fn exit_code(status: &Status) -> ExitCode {
    match (&status.verdict, status.alive) {
        (Some(verdict), _) => verdict.code,
        (None, Some(false)) => ExitCode::Interrupted,
        (None, _) => ExitCode::Infrastructure,
    }
}

fn state(status: &Status) -> &'static str {
    match (&status.verdict, status.alive) {
        (Some(_), _) => "ended",
        (None, Some(true)) => "running",
        (None, Some(false)) => "cut off",
        (None, None) => "running on another host, or cut off",
    }
}

fn text(status: &Status, folder: &Path, standing_by: usize) -> String {
    let Counts { tasks, done, failed, cancelled, lost_for_good, lost } = status.counts;
    let gone = match lost_for_good {
        0 => String::new(),
        n => format!(", {n} lost for good"),
    };
    let mut text = format!(
        "{}: {}\n{done} of {tasks} tasks done, {failed} failed, {cancelled} cancelled{gone}; \
         {lost} attempts lost\n",
        status.name,
        state(status)
    );
    match standing_by {
        0 => {}
        1 => text += "1 node stands by\n",
        n => text += &format!("{n} nodes stand by\n"),
    }
    if let Some(verdict) = &status.verdict {
        text += &format!("exit code {}: {}\n", verdict.code as u8, verdict.reason);
    }
    if exit_code(status) == ExitCode::Interrupted {
        let program = terminal::program();
        text += &format!("go on with: {program} run --resume {}", folder.display());
    }
    text
}

fn json(status: &Status, standing_by: usize) -> String {
    let Counts { tasks, done, failed, cancelled, lost_for_good, lost } = status.counts;
    let verdict = status.verdict.as_ref().map(report::verdict_to_json);
    let verdict = verdict.and_then(|v| serde_json::from_str::<serde_json::Value>(&v).ok());
    let all = serde_json::json!({
        "version": 1,
        "name": status.name,
        "state": state(status),
        "alive": status.alive,
        "counts": {
            "tasks": tasks, "done": done, "failed": failed, "cancelled": cancelled,
            "lost_for_good": lost_for_good, "lost": lost,
        },
        "standing_by": standing_by,
        "verdict": verdict,
    });
    format!("{all:#}")
}
