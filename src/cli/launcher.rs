//! Which launcher starts the ranks of a run, and what it has to be told.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fmt};

use clap::ValueEnum;

use super::Failure;
use super::args::LaunchArgs;
use crate::model::ExitCode;
use crate::run::World;

/// A launcher by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// Open MPI's `mpirun`
    Openmpi,
    /// Hydra, the `mpiexec` of MPICH and its relatives
    Mpich,
    /// Slurm's
    Srun,
}

/// What a launcher understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Open MPI, with the first number of its version.
    OpenMpi(u32),
    Hydra,
    /// With the interface over which ranks find each other; where there is none the site chooses.
    Srun(Option<&'static str>),
}

/// A launcher that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Launcher {
    program: PathBuf,
    kind: Kind,
}

/// What launchers of MPI are called. In a folder the names that say whose they are come first:
/// `mpirun` and `mpiexec` are whatever was installed last.
const PROGRAMS: [&str; 5] =
    ["mpirun.openmpi", "mpiexec.mpich", "mpiexec.hydra", "mpirun", "mpiexec"];

/// What an Open MPI that is started by root wants to find in its environment. Who starts a run
/// as root has been asked once already.
const AS_ROOT: [&str; 4] = [
    "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
    "PRTE_ALLOW_RUN_AS_ROOT",
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM",
];

/// Where there are more ranks than cores Open MPI would have each of its calls that finds nothing
/// give the core away. Where all cores compute that is for many milliseconds, in which leases
/// run out.
const YIELD: (&str, &str) = ("OMPI_MCA_mpi_yield_when_idle", "0");

/// The launcher of the MPI that this program is linked with, if it is linked with one.
fn linked() -> Option<Name> {
    let library = World::library()?;
    // All others come from MPICH, and are started as that is.
    Some(if library.starts_with("Open MPI") { Name::Openmpi } else { Name::Mpich })
}

impl Launcher {
    /// The one that is asked for, or else that of our own MPI, or else any that is there.
    pub(super) fn find(asked: Option<Name>) -> Result<Launcher, Failure> {
        let in_slurm = env::var_os("SLURM_JOB_ID").is_some();
        choose(asked, linked(), in_slurm, on_path(), srun()).ok_or_else(|| {
            let missing = missing(asked.or(linked()));
            Failure::new(ExitCode::Infrastructure, missing)
        })
    }

    /// Whether ranks live on when another dies.
    pub(super) fn outlives_ranks(&self) -> bool {
        self.kind != Kind::Hydra
    }

    /// Its command line up to the program that it starts.
    pub(super) fn command(&self, args: &LaunchArgs) -> Result<Command, Failure> {
        let mut command = Command::new(&self.program);
        command.args(self.arguments(args)?);
        if matches!(self.kind, Kind::OpenMpi(_)) {
            command.env(YIELD.0, YIELD.1);
            if rustix::process::geteuid().is_root() {
                command.envs(AS_ROOT.map(|name| (name, "1")));
            }
        }
        Ok(command)
    }

    fn arguments(&self, args: &LaunchArgs) -> Result<Vec<OsString>, Failure> {
        // A rank that dies is to cost what it held and nothing more, and more ranks than cores
        // are no mistake. Ranks pin their workers themselves.
        let flags: &[&str] = match self.kind {
            Kind::OpenMpi(..5) => &["--enable-recovery", "--bind-to", "none", "--oversubscribe"],
            Kind::OpenMpi(_) => &["--with-ft", "ulfm", "--bind-to", "none", "--oversubscribe"],
            Kind::Hydra => &[],
            Kind::Srun(_) => &["-K0", "--no-kill", "--cpu-bind=none"],
        };
        let (hosts, hostfile) = match self.kind {
            Kind::OpenMpi(_) => ("--host", "--hostfile"),
            Kind::Hydra => ("-hosts", "-f"),
            Kind::Srun(_) => ("--nodelist", "--nodefile"),
        };
        let mut all: Vec<OsString> = vec!["-n".into(), args.ranks.to_string().into()];
        all.extend(flags.iter().map(OsString::from));
        if let Kind::Srun(Some(interface)) = self.kind {
            all.push(format!("--mpi={interface}").into());
        }
        if !args.hosts.is_empty() {
            let counted = args.hosts.iter().find(|host| host.contains(':'));
            if let (Kind::Srun(_), Some(host)) = (self.kind, counted) {
                return Err(Failure::bad_input(format!(
                    "--hosts: srun divides the ranks among the hosts itself: `{host}` may not \
                     say how many it gets"
                )));
            }
            all.extend([hosts.into(), args.hosts.join(",").into()]);
        }
        if let Some(file) = &args.hostfile {
            all.extend([hostfile.into(), file.into()]);
        }
        Ok(all)
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.program.display().fmt(f)
    }
}

/// Chooses among the launchers of MPI that are `there`, the preferred first, and Slurm's.
fn choose(
    asked: Option<Name>,
    linked: Option<Name>,
    in_slurm: bool,
    mut there: impl Iterator<Item = Launcher>,
    srun: Option<PathBuf>,
) -> Option<Launcher> {
    let wanted = asked.or(linked);
    let fits = |launcher: &Launcher| match wanted {
        None => true,
        Some(Name::Openmpi) => matches!(launcher.kind, Kind::OpenMpi(_)),
        Some(Name::Mpich) => launcher.kind == Kind::Hydra,
        Some(Name::Srun) => false,
    };
    let interface = linked.and_then(|name| match name {
        Name::Openmpi => Some("pmix"),
        Name::Mpich => Some("pmi2"),
        Name::Srun => None,
    });
    let srun = srun.map(|program| Launcher { program, kind: Kind::Srun(interface) });
    if asked == Some(Name::Srun) {
        return srun;
    }
    let srun = srun.filter(|_| asked.is_none() && in_slurm);
    there.find(fits).or(srun)
}

fn folders() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// The launchers of MPI on the search path, folder by folder: what a module put in front of it
/// comes before what the system has.
fn on_path() -> impl Iterator<Item = Launcher> {
    let paths = folders().into_iter().flat_map(|folder| PROGRAMS.map(|name| folder.join(name)));
    paths.filter(|path| path.is_file()).filter_map(|program| {
        let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let kind = kind(&String::from_utf8_lossy(&output.stdout))?;
        Some(Launcher { program, kind })
    })
}

fn srun() -> Option<PathBuf> {
    folders().into_iter().map(|folder| folder.join("srun")).find(|path| path.is_file())
}

/// What a launcher of MPI is by what it says of its version.
fn kind(version: &str) -> Option<Kind> {
    if ["(OpenRTE)", "(Open MPI)"].iter().any(|name| version.contains(name)) {
        let number = |word: &str| word.split_once('.')?.0.parse().ok();
        return version.split_whitespace().find_map(number).map(Kind::OpenMpi);
    }
    ["HYDRA", "Intel(R) MPI"].iter().any(|name| version.contains(name)).then_some(Kind::Hydra)
}

fn missing(wanted: Option<Name>) -> &'static str {
    match wanted {
        Some(Name::Openmpi) => {
            "there is no launcher of Open MPI on the search path: install `openmpi-bin` (Debian, \
             Ubuntu) or `openmpi` (Fedora, SUSE), or load its module (`module load openmpi`)"
        }
        Some(Name::Mpich) => {
            "there is no launcher of MPICH on the search path: install `mpich`, or load its \
             module (`module load mpich`)"
        }
        Some(Name::Srun) => {
            "there is no `srun` on the search path: it is there where Slurm is, or after \
             `module load slurm`"
        }
        None => {
            "there is no MPI launcher on the search path: install `openmpi-bin` or `mpich` \
             (Debian, Ubuntu), or load a module (`module load openmpi`)"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use clap::Parser;

    use super::*;
    use crate::cli::args::{self, Arguments};

    const VERSIONS: [(&str, &str, Kind); 5] = [
        ("mpirun.openmpi", "mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs", Kind::OpenMpi(4)),
        ("mpirun", "mpirun (Open MPI) 5.0.11\n", Kind::OpenMpi(5)),
        ("mpiexec.mpich", "HYDRA build details:\n    Version:            4.0.2\n", Kind::Hydra),
        (
            "mpiexec",
            "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307\n",
            Kind::Hydra,
        ),
        ("mpiexec.hydra", "HYDRA build details:\n", Kind::Hydra),
    ];

    fn launcher(program: &str, kind: Kind) -> Launcher {
        Launcher { program: program.into(), kind }
    }

    #[test]
    fn a_launcher_is_known_by_what_it_says() {
        for (program, version, expected) in VERSIONS {
            assert_eq!(kind(version), Some(expected), "{program}");
        }
        assert_eq!(kind("mpirun 1.0 of somebody else"), None);
    }

    /// Chooses where all of `there` are, and are what they are called.
    fn chosen(
        asked: Option<Name>,
        linked: Option<Name>,
        in_slurm: bool,
        there: &[&str],
    ) -> Option<String> {
        let known = |name: &&str| {
            let (program, _, kind) = VERSIONS.iter().find(|(program, ..)| program == name)?;
            Some(launcher(program, *kind))
        };
        let srun = there.contains(&"srun").then(|| "srun".into());
        let chosen = choose(asked, linked, in_slurm, there.iter().filter_map(known), srun)?;
        let interface = match chosen.kind {
            Kind::Srun(Some(interface)) => format!(" {interface}"),
            _ => String::new(),
        };
        Some(format!("{chosen}{interface}"))
    }

    #[test]
    fn the_launcher_is_that_of_the_mpi_that_is_linked() {
        use Name::{Mpich, Openmpi, Srun};
        const ALL: &[&str] = &["mpirun.openmpi", "mpiexec.mpich", "mpirun", "mpiexec", "srun"];
        let cases: [(_, _, bool, &[&str], _); 13] = [
            (None, None, true, ALL, Some("mpirun.openmpi")),
            (None, Some(Mpich), true, ALL, Some("mpiexec.mpich")),
            (Some(Mpich), Some(Openmpi), false, ALL, Some("mpiexec.mpich")),
            (None, Some(Openmpi), false, &["mpirun", "mpirun.openmpi"], Some("mpirun")),
            (None, Some(Openmpi), false, &["mpirun", "mpiexec"], Some("mpirun")),
            (None, Some(Mpich), false, &["mpirun", "mpiexec"], Some("mpiexec")),
            (None, Some(Mpich), true, &["mpirun", "srun"], Some("srun pmi2")),
            (None, Some(Openmpi), true, &["srun"], Some("srun pmix")),
            (Some(Srun), Some(Openmpi), false, ALL, Some("srun pmix")),
            (Some(Srun), None, true, ALL, Some("srun")),
            (None, None, false, &["srun"], None),
            (Some(Mpich), None, true, &["mpirun", "srun"], None),
            (Some(Srun), None, true, &["mpirun"], None),
        ];
        for (asked, linked, in_slurm, there, expected) in cases {
            let chosen = chosen(asked, linked, in_slurm, there);
            let case = format!("{asked:?} {linked:?} {in_slurm} {there:?}");
            assert_eq!(chosen.as_deref(), expected, "{case}");
        }
    }

    /// The arguments that a launcher of a kind gets for `launch -n 4` and what is in `more`.
    fn told(kind: Kind, more: &[&str]) -> Result<String, String> {
        let line = [&["evenkeel", "launch", "-n", "4"], more, &["run", "job.toml"]].concat();
        let args::Command::Launch(args) = Arguments::try_parse_from(line).unwrap().command else {
            panic!("it is a launch")
        };
        let told = launcher("it", kind).arguments(&args).map_err(|failure| failure.message)?;
        Ok(told.join(OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn each_launcher_is_told_in_its_own_words() {
        let hosts: &[&str] = &["--hosts", "a,b:2"];
        let file: &[&str] = &["--hostfile", "hosts"];
        let cases = [
            (Kind::OpenMpi(4), &[][..], "-n 4 --enable-recovery --bind-to none --oversubscribe"),
            (
                Kind::OpenMpi(4),
                hosts,
                "-n 4 --enable-recovery --bind-to none --oversubscribe --host a,b:2",
            ),
            (
                Kind::OpenMpi(5),
                file,
                "-n 4 --with-ft ulfm --bind-to none --oversubscribe --hostfile hosts",
            ),
            (Kind::Hydra, &[], "-n 4"),
            (Kind::Hydra, hosts, "-n 4 -hosts a,b:2"),
            (Kind::Hydra, file, "-n 4 -f hosts"),
            (Kind::Srun(None), &[], "-n 4 -K0 --no-kill --cpu-bind=none"),
            (
                Kind::Srun(Some("pmi2")),
                &["--hosts", "a,b"],
                "-n 4 -K0 --no-kill --cpu-bind=none --mpi=pmi2 --nodelist a,b",
            ),
            (
                Kind::Srun(Some("pmix")),
                file,
                "-n 4 -K0 --no-kill --cpu-bind=none --mpi=pmix --nodefile hosts",
            ),
        ];
        for (kind, more, expected) in cases {
            assert_eq!(told(kind, more).as_deref(), Ok(expected), "{kind:?} {more:?}");
        }
        let refused = told(Kind::Srun(None), hosts).unwrap_err();
        assert!(refused.contains("`b:2`"), "{refused}");
    }
}
