//! The result of a run as the content of `verdict.json`.

use serde::{Deserialize, Serialize};

use super::{Unreadable, seconds};
use crate::model::{Counts, ExitCode, Span, Verdict};

/// The form of `verdict.json` that this version writes and reads.
pub const VERDICT_VERSION: u32 = 1;

/// The content of `verdict.json`: one object and a line break.
#[must_use]
pub fn verdict_to_json(verdict: &Verdict) -> String {
    let Verdict { code, reason, counts, elapsed } = verdict;
    let form = Form {
        version: VERDICT_VERSION,
        exit_code: *code as u8,
        reason: reason.clone(),
        elapsed: *elapsed,
        counts: *counts,
    };
    let mut text = serde_json::to_string_pretty(&form).expect("a verdict has only text as keys");
    text.push('\n');
    text
}

/// The verdict that `verdict.json` holds.
///
/// # Errors
/// If it is not JSON, of another version, or lacks something.
pub fn verdict_from_json(text: &str) -> Result<Verdict, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let unreadable = |problem: String| Unreadable { expected: "a verdict", problem };
    let broken = |e: serde_json::Error| unreadable(e.to_string());
    let Version { version } = serde_json::from_str(text).map_err(broken)?;
    if version != VERDICT_VERSION {
        let known = VERDICT_VERSION;
        return Err(unreadable(format!("it has version {version}, and this is for {known}")));
    }
    let form: Form = serde_json::from_str(text).map_err(broken)?;
    let code = ExitCode::from_number(form.exit_code)
        .ok_or_else(|| unreadable(format!("no run ends with exit code {}", form.exit_code)))?;
    Ok(Verdict { code, reason: form.reason, counts: form.counts, elapsed: form.elapsed })
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    exit_code: u8,
    reason: String,
    #[serde(with = "seconds")]
    elapsed: Span,
    #[serde(with = "CountsForm")]
    counts: Counts,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Counts")]
pub(super) struct CountsForm {
    tasks: u64,
    done: u64,
    failed: u64,
    cancelled: u64,
    #[serde(default)]
    lost_for_good: u64,
    lost: u64,
}
