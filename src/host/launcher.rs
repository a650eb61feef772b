//! Which MPI launcher started this process.

use std::fmt;

/// What started this process as one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// Which one.
    pub kind: LauncherKind,
    /// This process's number among all that were started together, from 0.
    pub rank: u32,
    /// How many were started; nothing where the launcher does not say before MPI is asked.
    pub size: Option<u32>,
    /// This process's number among those on its host, from 0, where the launcher says.
    pub local_rank: Option<u32>,
    /// How many are on its host, where the launcher says.
    pub local_size: Option<u32>,
}

/// A kind of launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LauncherKind {
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// Hydra (MPICH, Intel MPI) or another that speaks PMI, such as `srun --mpi=pmi2`.
    Hydra,
    /// One that speaks PMIx and says no more, such as `srun --mpi=pmix` or `prterun`.
    Pmix,
}

impl fmt::Display for LauncherKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LauncherKind::OpenMpi => "Open MPI",
            LauncherKind::Hydra => "hydra",
            LauncherKind::Pmix => "PMIx",
        })
    }
}

/// The launcher that an environment tells of, each variable looked up by `env`; nothing for a
/// process that was started alone.
///
/// The variables of a batch system alone (`SLURM_*`) say nothing: a job's script has them too.
/// A variable that holds no number counts as not set.
///
/// # Examples
/// ```
/// use evenkeel::host::launcher;
///
/// let started_by = launcher(|name| std::env::var(name).ok());
/// # let _ = started_by;
/// ```
pub fn launcher(env: impl Fn(&str) -> Option<String>) -> Option<Launcher> {
    let number = |name: &str| env(name)?.trim().parse::<u32>().ok();
    let launcher = |kind, rank, size, local_rank, local_size| {
        let (local_rank, local_size) = (number(local_rank), number(local_size));
        Launcher { kind, rank, size: Some(size), local_rank, local_size }
    };
    // Open MPI 5 sets PMIX_RANK too, hence first the one that says most.
    if let (Some(size), Some(rank)) =
        (number("OMPI_COMM_WORLD_SIZE"), number("OMPI_COMM_WORLD_RANK"))
    {
        let local = ("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE");
        return Some(launcher(LauncherKind::OpenMpi, rank, size, local.0, local.1));
    }
    if let (Some(size), Some(rank)) = (number("PMI_SIZE"), number("PMI_RANK")) {
        let local = ("MPI_LOCALRANKID", "MPI_LOCALNRANKS");
        return Some(launcher(LauncherKind::Hydra, rank, size, local.0, local.1));
    }
    let rank = number("PMIX_RANK")?;
    let (size, local_rank, local_size) = (None, None, None);
    Some(Launcher { kind: LauncherKind::Pmix, rank, size, local_rank, local_size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Launcher> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        launcher(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn each_launcher_shows_by_its_variables() {
        let open_mpi = of(&[
            ("PMIX_RANK", "3"),
            ("OMPI_COMM_WORLD_SIZE", "8"),
            ("OMPI_COMM_WORLD_RANK", "3"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
        ]);
        let expected = Launcher {
            kind: LauncherKind::OpenMpi,
            rank: 3,
            size: Some(8),
            local_rank: Some(1),
            local_size: Some(2),
        };
        assert_eq!(open_mpi, Some(expected));

        let hydra = of(&[("PMI_SIZE", "4"), ("PMI_RANK", "0"), ("MPI_LOCALRANKID", "0")]).unwrap();
        assert_eq!((hydra.kind, hydra.size), (LauncherKind::Hydra, Some(4)));
        assert_eq!((hydra.local_rank, hydra.local_size), (Some(0), None));

        let pmix = of(&[("PMIX_RANK", "5")]).unwrap();
        assert_eq!((pmix.kind, pmix.rank, pmix.size), (LauncherKind::Pmix, 5, None));
    }

    #[test]
    fn neither_a_batch_script_nor_garbage_is_a_launcher() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "8")]), None);
        assert_eq!(of(&[("PMI_SIZE", "many"), ("PMI_RANK", "0")]), None);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "2")]), None, "a size without a rank");
        assert_eq!(of(&[("PMIX_RANK", "-1")]), None);
    }
}
