//! `evenkeel status`.

use std::path::Path;

use super::args::StatusArgs;
use super::{Failure, terminal};
use crate::model::{Counts, ExitCode};
use crate::report;
use crate::run::{self, Status};

pub(super) fn status(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let status = run::status(&args.run_dir)?;
    terminal::print(&if args.json { json(&status) } else { text(&status, &args.run_dir) });
    Ok(if args.exit_code { exit_code(&status) } else { ExitCode::Done })
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

fn text(status: &Status, folder: &Path) -> String {
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
    if let Some(verdict) = &status.verdict {
        text += &format!("exit code {}: {}\n", verdict.code as u8, verdict.reason);
    }
    if exit_code(status) == ExitCode::Interrupted {
        let program = terminal::program();
        text += &format!("go on with: {program} run --resume {}", folder.display());
    }
    text
}

fn json(status: &Status) -> String {
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
        "verdict": verdict,
    });
    format!("{all:#}")
}
