//! The environment of tasks: what all of them get, and what each gets of its own.

#![forbid(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{Launch, Topology};

use super::holes::Holes;

/// How the variables begin by which an MPI launcher speaks to its ranks. A task that saw those
/// of the launcher that started us would take itself for one of its ranks.
const LAUNCHERS: [&[u8]; 5] = [b"OMPI_", b"PMI", b"HYDRA_", b"HYDI_", b"MPI_LOCAL"];

/// The environment of this process without what belongs to the launcher alone.
pub(super) fn base(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = CString> {
    variables.filter(|(name, _)| !is_launchers(name)).filter_map(|(name, value)| {
        // What came from an environment holds no null byte.
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    })
}

fn is_launchers(name: &OsStr) -> bool {
    LAUNCHERS.iter().any(|prefix| name.as_bytes().starts_with(prefix))
}

/// The variables of one task, in the order in which the later win: those that every task has,
/// the parameters of its sweep, those that the user set.
pub(super) fn own(
    launch: &Launch,
    topology: &Topology,
    holes: &Holes<'_>,
) -> Vec<(String, String)> {
    let key = launch.key;
    let cores = launch.cores.len().to_string();
    let mut all: Vec<(&str, String)> = vec![
        ("EVENKEEL_JOB_ID", key.job.0.to_string()),
        ("EVENKEEL_TASK_ID", key.task.0.to_string()),
        ("EVENKEEL_TASK_NAME", launch.work.name.to_string()),
        ("EVENKEEL_ATTEMPT", key.attempt.0.to_string()),
        ("EVENKEEL_CPUS", list(&units(launch, topology))),
        ("EVENKEEL_NODE", launch.node.0.to_string()),
        ("OMP_NUM_THREADS", cores.clone()),
        ("RAYON_NUM_THREADS", cores),
    ];
    if let Some(left) = launch.time_left {
        all.push(("EVENKEEL_DEADLINE", unix_deadline(left.as_duration()).to_string()));
    }
    if !launch.gpus.is_empty() {
        all.push(("CUDA_VISIBLE_DEVICES", list(&launch.gpus)));
        all.push(("ROCR_VISIBLE_DEVICES", list(&launch.gpus)));
    }
    let parameters =
        launch.work.parameters.iter().map(|(name, value)| (name.clone(), value.to_string()));
    let users = launch.work.settings.env.iter();
    let users = users.map(|(name, value)| (name.clone(), holes.text(value).into_owned()));
    let all = all.into_iter().map(|(name, value)| (name.to_owned(), value));
    all.chain(parameters).chain(users).collect()
}

/// The processing units of the granted cores, in order; those of cores that the node does not
/// have are not there.
pub(super) fn units(launch: &Launch, topology: &Topology) -> Vec<u32> {
    let granted = topology.cores().filter(|core| launch.cores.contains(&core.id));
    let mut units: Vec<u32> = granted.flat_map(|core| core.units.iter().copied()).collect();
    units.sort_unstable();
    units
}

/// Whole seconds since 1970, rounded down; far in the future where it cannot be told.
fn unix_deadline(left: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_add(left).as_secs()
}

fn list(numbers: &[u32]) -> String {
    let texts: Vec<String> = numbers.iter().map(u32::to_string).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_launcher_is_not_handed_on() {
        let names =
            ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_ID", "PMI", "MPI_LOCALNRANKS", "HOME"];
        let all = names.iter().map(|name| (name.into(), "1".into()));
        let kept: Vec<CString> = base(all).collect();
        assert_eq!(kept, [CString::from(c"HOME=1")]);
    }
}
