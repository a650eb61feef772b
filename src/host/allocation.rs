//! How much time the batch system has left for this process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the allocation lasts that this process runs in, as far as its environment says; each
/// variable is looked up by `env`. Nobody is asked: what no variable tells is not known.
///
/// Slurm (from 22.05 on) says when the job ends. PBS and Torque say how long it may take: it began
/// when `changed` says that its list of nodes was written. LSF says neither.
#[must_use]
pub fn time_left(
    env: impl Fn(&str) -> Option<String>,
    now: SystemTime,
    changed: impl Fn(&str) -> Option<SystemTime>,
) -> Option<Duration> {
    let seconds = |name: &str| env(name)?.trim().parse::<u64>().ok().map(Duration::from_secs);
    let end = match seconds("SLURM_JOB_END_TIME") {
        Some(end) => UNIX_EPOCH.checked_add(end)?,
        None => changed(&env("PBS_NODEFILE")?)?.checked_add(seconds("PBS_WALLTIME")?)?,
    };
    Some(end.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<u64> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let changed = |file: &str| (file == "nodes").then(|| at(900));
        time_left(|name| find(name).map(|(_, value)| (*value).to_owned()), at(1000), changed)
            .map(|left| left.as_secs())
    }

    #[test]
    fn what_the_batch_systems_say_is_understood() {
        assert_eq!(of(&[("SLURM_JOB_END_TIME", "1600")]), Some(600));
        assert_eq!(of(&[("SLURM_JOB_END_TIME", "400")]), Some(0), "it should have ended");
        assert_eq!(of(&[("PBS_NODEFILE", "nodes"), ("PBS_WALLTIME", "3600")]), Some(3500));
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_JOB_ID", "7"), ("SLURM_JOB_END_TIME", "soon")]), None);
        assert_eq!(of(&[("SLURM_JOB_END_TIME", "18446744073709551615")]), None);
        assert_eq!(of(&[("PBS_WALLTIME", "3600")]), None);
        assert_eq!(of(&[("PBS_NODEFILE", "gone"), ("PBS_WALLTIME", "3600")]), None);
    }
}
