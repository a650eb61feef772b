//! The launchers of MPI programs that are there, and what they start.

use std::process::{Command, Stdio};

use crate::scratch::Scratch;

/// The program that is tested.
pub(crate) const EVENKEEL: &str = env!("CARGO_BIN_EXE_evenkeel");

/// `evenkeel run` with `args`.
#[cfg(feature = "mpi")]
pub(crate) fn run<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&[EVENKEEL, "run"], args].concat()
}

/// A kind of launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launcher {
    OpenMpi,
    Mpich,
}

impl Launcher {
    const ALL: [Launcher; 2] = [Launcher::OpenMpi, Launcher::Mpich];

    /// That of the MPI which this program is linked with.
    #[cfg(feature = "mpi")]
    fn of_library(library: &str) -> Option<Launcher> {
        let name = |launcher| match launcher {
            Launcher::OpenMpi => "Open MPI",
            Launcher::Mpich => "MPICH",
        };
        Launcher::ALL.into_iter().find(|launcher| library.starts_with(name(*launcher)))
    }

    /// That of the MPI which this program is linked with, if it is there.
    #[cfg(feature = "mpi")]
    pub(crate) fn linked() -> Option<Launcher> {
        let library = evenkeel::comm::mpi::library();
        let launcher = Launcher::of_library(&library).filter(|one| one.program().is_some());
        if launcher.is_none() {
            eprintln!("skipped: the launcher of {library} is not there");
        }
        launcher
    }

    /// The same, if others live on when one of its ranks dies.
    #[cfg(feature = "mpi")]
    pub(crate) fn linked_and_surviving() -> Option<Launcher> {
        let launcher = Launcher::linked()?;
        if !launcher.outlives_ranks() {
            eprintln!("skipped: under {launcher:?} all ranks end when one dies");
            return None;
        }
        Some(launcher)
    }

    #[cfg(feature = "mpi")]
    pub(crate) fn outlives_ranks(self) -> bool {
        self == Launcher::OpenMpi
    }

    /// All that serve other programs than this one.
    pub(crate) fn foreign() -> Vec<Launcher> {
        #[cfg(feature = "mpi")]
        let own = Launcher::of_library(&evenkeel::comm::mpi::library());
        #[cfg(not(feature = "mpi"))]
        let own = None;
        let foreign = |launcher: &Launcher| own != Some(*launcher) && launcher.program().is_some();
        let launchers: Vec<_> = Launcher::ALL.into_iter().filter(foreign).collect();
        if launchers.is_empty() {
            eprintln!("skipped: there is no launcher that does not serve this program");
        }
        launchers
    }

    /// Its program: the full name says whose it is where both are installed.
    fn program(self) -> Option<&'static str> {
        let (names, word) = match self {
            Launcher::OpenMpi => (["mpirun.openmpi", "mpirun"], "Open MPI"),
            Launcher::Mpich => (["mpiexec.mpich", "mpiexec"], "HYDRA"),
        };
        names.into_iter().find(|name| {
            let said = Command::new(name).arg("--version").stdin(Stdio::null()).output();
            said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(word))
        })
    }

    /// `argv` as so many ranks on this host, which end when one of them dies.
    pub(crate) fn command(self, scratch: &Scratch, ranks: u32, argv: &[&str]) -> Command {
        self.command_with(&[], scratch, ranks, argv)
    }

    /// The same, but that the others live on.
    #[cfg(feature = "mpi")]
    pub(crate) fn surviving(self, scratch: &Scratch, ranks: u32, argv: &[&str]) -> Command {
        assert!(self.outlives_ranks());
        self.command_with(&["--enable-recovery"], scratch, ranks, argv)
    }

    /// The same with `flags` of the launcher's own.
    pub(crate) fn command_with(
        self,
        flags: &[&str],
        scratch: &Scratch,
        ranks: u32,
        argv: &[&str],
    ) -> Command {
        let mut command = scratch.program(self.program().expect("it was there before"));
        command.args(flags).args(["-n", &ranks.to_string()]);
        if self == Launcher::OpenMpi {
            // Ranks may be more than there are cores, and pin their workers themselves.
            command.args(["--oversubscribe", "--bind-to", "none"]);
            command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        }
        command.args(argv);
        command
    }
}
