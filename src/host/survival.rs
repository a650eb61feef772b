//! What a run outlives under the launcher that started it.

use super::{LauncherKind, launcher};

/// What a run outlives under the launcher that an environment tells of, in a line for people;
/// each variable is looked up by `env`.
pub fn survival(env: impl Fn(&str) -> Option<String>) -> &'static str {
    let Some(launcher) = launcher(&env) else {
        return "no launcher: all nodes are threads of one process, and end with it; --resume \
                goes on";
    };
    let is_set = |name: &str| env(name).is_some_and(|value| value.trim() == "1");
    match launcher.kind {
        LauncherKind::OpenMpi if is_set("OMPI_MCA_orte_enable_recovery") => {
            "Open MPI with --enable-recovery: a rank or a host that dies costs what it held; the \
             run ends with the host of mpirun and with the first rank, and --resume goes on"
        }
        LauncherKind::OpenMpi if is_set("OMPI_MCA_mpi_ft_enable") => {
            "Open MPI with --with-ft ulfm: a rank that dies costs what it held; the run ends with \
             any host and with the first rank, and --resume goes on"
        }
        LauncherKind::OpenMpi => {
            "Open MPI: the run ends with any rank that dies, and --resume goes on; with \
             --enable-recovery (Open MPI 5: --with-ft ulfm) it would outlive it"
        }
        LauncherKind::Hydra if is_srun(&env) => {
            "srun --mpi=pmi2: with -K0 --no-kill a rank or a host that dies costs what it held, \
             without them all; the run ends with the first rank, and --resume goes on"
        }
        LauncherKind::Hydra => {
            "hydra: the run ends with any rank or host that dies, and --resume goes on"
        }
        LauncherKind::Pmix => {
            "PMIx, as of srun --mpi=pmix: the run ends with any rank that dies, and --resume goes \
             on"
        }
    }
}

/// Whether Slurm started this very process. Under hydra in one of Slurm's jobs there are the
/// variables of the job too, but hydra numbers the ranks of each host.
fn is_srun(env: &impl Fn(&str) -> Option<String>) -> bool {
    env("SLURM_PROCID").is_some() && env("MPI_LOCALRANKID").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_launcher_is_told_apart_with_its_flags() {
        const OMPI: (&str, &str) = ("OMPI_COMM_WORLD_SIZE", "4");
        const RANK: (&str, &str) = ("OMPI_COMM_WORLD_RANK", "0");
        const PMI: [(&str, &str); 2] = [("PMI_SIZE", "4"), ("PMI_RANK", "0")];
        let slurm = ("SLURM_PROCID", "0");
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "no launcher: "),
            (&[OMPI, RANK], "Open MPI: "),
            (&[OMPI, RANK, ("OMPI_MCA_orte_enable_recovery", "1")], "Open MPI with --enable"),
            (&[OMPI, RANK, ("OMPI_MCA_mpi_ft_enable", "1")], "Open MPI with --with-ft"),
            (&PMI, "hydra: "),
            (&[PMI[0], PMI[1], slurm, ("MPI_LOCALRANKID", "0")], "hydra: "),
            (&[PMI[0], PMI[1], slurm], "srun --mpi=pmi2: "),
            (&[("PMIX_RANK", "0"), slurm], "PMIx, "),
        ];
        for (variables, expected) in cases {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let line = survival(|name| find(name).map(|(_, value)| (*value).to_owned()));
            assert!(line.starts_with(expected), "{variables:?}: {line}");
        }
    }
}
