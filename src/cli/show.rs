//! The closing table of a run, real or simulated.

use super::terminal;
use crate::model::ExitCode;
use crate::report::{self, Summary};
use crate::run::Outcome;

/// Prints what came of a run.
pub(super) fn show(outcome: &Outcome, json: bool) {
    let bound = Some(outcome.lower_bound);
    let mut summary = Summary::new(&outcome.name, &outcome.records, &outcome.nodes, bound);
    // Tasks of which nothing is on record yet count too.
    summary.counts = outcome.verdict.counts;
    if json {
        let part = |text: &str| serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
        let all = serde_json::json!({
            "version": 1,
            "verdict": part(&report::verdict_to_json(&outcome.verdict)),
            "summary": part(&summary.to_json()),
            "folder": outcome.folder.as_ref().map(|folder| folder.display().to_string()),
        });
        return terminal::print(&format!("{all:#}"));
    }
    terminal::print(&summary.table(terminal::width(), terminal::colour()));
    terminal::print(&format!("{}: {}", verdict_word(outcome), outcome.verdict.reason));
    if let Some(folder) = &outcome.folder {
        let folder = terminal::path(folder);
        terminal::print(&format!("records in {folder}"));
        // Who launched the run says how it is launched again.
        if outcome.verdict.code == ExitCode::Interrupted && !terminal::is_launched() {
            terminal::print(&format!("go on with: {} run --resume {folder}", terminal::program()));
        }
    }
}

fn verdict_word(outcome: &Outcome) -> &'static str {
    match outcome.verdict.code {
        ExitCode::Done => "done",
        ExitCode::TaskFailed => "failed",
        ExitCode::BadInput => "refused",
        ExitCode::Infrastructure => "given up",
        ExitCode::Interrupted => "interrupted",
    }
}
