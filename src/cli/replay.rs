//! `evenkeel replay`.

use super::args::FolderArgs;
use super::{Failure, terminal};
use crate::live::{self, ReplayError};
use crate::model::ExitCode;

pub(super) fn replay(args: &FolderArgs) -> Result<ExitCode, Failure> {
    let replayed = live::replay(&args.run_dir).map_err(|error| {
        let code = match error {
            ReplayError::NoRecording(_) | ReplayError::Unreadable(..) => ExitCode::BadInput,
            ReplayError::Differs { .. } => ExitCode::Infrastructure,
        };
        Failure::new(code, error)
    })?;
    for one in &replayed {
        terminal::print(&format!(
            "process {}: {} steps, {} bytes of actions, all the same",
            one.peer, one.steps, one.bytes
        ));
    }
    Ok(ExitCode::Done)
}
