//! What can be said on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use super::launcher;
use super::terminal::Screen;
use crate::bench::WORKLOADS;
use crate::bench::uts::TREES;
use crate::comm::link::Listen;
use crate::model::{Amount, Span};
use crate::spec;

/// A parallel job scheduler: pinned work-stealing threads in a node, a hierarchy of masters
/// across nodes.
#[derive(Debug, Parser)]
#[command(
    name = "evenkeel",
    version,
    after_help = "Exit codes: 0 every task done, 1 a task failed, 2 bad input, \
                  3 infrastructure, 4 interrupted and resumable."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a job on this host, or go on with a run
    #[command(after_help = "\
Examples:
  evenkeel run job.toml                       all cores of this host that may be used
  evenkeel run job.toml --nodes 4 --subclusters 2
  evenkeel run workflow.json --time-scale 0.01
  evenkeel run --resume evenkeel-runs/job-1
  evenkeel run job.toml --run-dir out --listen eth0    others may join: see evenkeel join
  evenkeel run --resume out --standby-master           on another host: takes over by itself

Ctrl-C finishes what runs and leaves a run that can be resumed; a second one stops at once.")]
    Run(RunArgs),
    /// Run a job over the ranks of an MPI launcher: Open MPI's, MPICH's or Slurm's
    #[command(after_help = "\
Examples:
  evenkeel launch -n 4 run job.toml           four ranks on this host, or in this allocation
  evenkeel launch -n 64 --hosts n1:32,n2:32 run job.toml --subclusters 2
  evenkeel launch -n 8 --hostfile racks run job.toml --subclusters racks    one for each group
  evenkeel launch -n 4 run --resume evenkeel-runs/job-1

The exit code is that of the run, and 3 if the run came to no verdict. What the launcher prints
goes to launcher.log in the folder of the run. Ctrl-C finishes what runs and leaves a run that
can be resumed; a second one ends the launcher.")]
    Launch(LaunchArgs),
    /// Take part in a run that goes on, with this process or with the ranks of a launcher
    #[command(after_help = "\
Examples:
  evenkeel run job.toml --run-dir out --listen eth0    a run that others may join
  evenkeel join out                                    with all cores of this host
  mpirun -n 4 evenkeel join out                        with four ranks, as one subcluster
  evenkeel join out --standby 2h                       only if it takes more than two hours more
  EVENKEEL_SECRET=... evenkeel join n17:40001          without the folder of the run

The file `address` in the folder of the run says where it is met and holds its secret; a copy of it
will do for the folder. Ctrl-C finishes what runs here, gives back the rest and leaves.")]
    Join(JoinArgs),
    /// Have nodes leave a run that goes on: they finish what runs and give back the rest
    #[command(after_help = "\
Examples:
  evenkeel drain out 3 4                      two nodes, by their numbers in out/nodes.json
  evenkeel drain out --subcluster 1           all of a subcluster

It takes a run that others may join (evenkeel run --listen). It ends when the run knows of it; the
processes end when nothing runs in them any more. That with the master stays.")]
    Drain(DrainArgs),
    /// Work out a static schedule of a job on a platform (HEFT)
    #[command(after_help = "\
Examples:
  evenkeel plan job.toml                      on this host, or the platform that the job names
  evenkeel plan job.toml -p cluster.toml --json
  evenkeel plan job.toml -p '2 subclusters x 4 nodes x numa:2 core:8'")]
    Plan(PlanArgs),
    /// Run a job in virtual time on a platform, by the same protocol as a real run
    #[command(after_help = "\
Examples:
  evenkeel simulate job.toml -p '4 nodes x numa:2 core:8'
  evenkeel simulate workflow.json -p cluster.toml --json")]
    Simulate(SimulateArgs),
    /// Step through a run that was made with --record, and compare what the machines do
    #[command(after_help = "\
Example:
  evenkeel run job.toml --record --run-dir out && evenkeel replay out")]
    Replay(FolderArgs),
    /// Show this host as evenkeel sees it, and where workers would be pinned
    #[command(after_help = "\
Examples:
  evenkeel topo --nodes 2
  HWLOC_SYNTHETIC='package:2 numa:2 core:4 pu:2' evenkeel topo")]
    Topo(TopoArgs),
    /// Check a job file, and what it asks of this host, without running it
    #[command(after_help = "\
Example:
  evenkeel check job.toml && evenkeel run job.toml")]
    Check(CheckArgs),
    /// Say how far a run is, or how it ended
    #[command(after_help = "\
Examples:
  evenkeel status evenkeel-runs/job-1
  evenkeel status out --exit-code || evenkeel run --resume out")]
    Status(StatusArgs),
    /// Look into the journal of a run, which may be going on
    #[command(after_help = "\
Examples:
  evenkeel journal show evenkeel-runs/job-1 --tail 20
  evenkeel journal verify evenkeel-runs/job-1
  evenkeel journal export evenkeel-runs/job-1 > records.jsonl")]
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Measure the thread pool beside rayon and a single thread
    #[command(after_help = "\
Examples:
  evenkeel bench                              all workloads in short
  evenkeel bench fib --threads 2
  evenkeel bench uts --tree T3
  evenkeel bench graph --size 100000 --json

All contenders do the same work in turn. What each does is checked; a wrong one ends it with exit
code 3. Figures are costs, shown with their median, least and most. The ratios say how many times
as fast something is.")]
    Bench(BenchArgs),
    /// Watch a picture being computed in 600 tasks, while a node is killed on purpose
    #[command(after_help = "\
Examples:
  evenkeel demo
  evenkeel demo --no-launcher                 without MPI: nodes are threads, none is killed

It leaves the job beside the folder of its run, and the picture in it as demo.png. The exit code
is 0 if the picture is the one that a single core computes and the records hold, else 3.")]
    Demo(DemoArgs),
    /// Print the completions for a shell
    #[command(after_help = "\
Example:
  evenkeel completions bash > ~/.local/share/bash-completion/completions/evenkeel")]
    Completions(CompletionsArgs),
    /// Write the manual pages
    #[command(after_help = "\
Example:
  evenkeel man ~/.local/share/man/man1")]
    Man(ManArgs),
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The job: a TOML file, or WfFormat 1.5 JSON
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) nodes: NodeArgs,
    /// Multiply the recorded times of a WfFormat file
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = scale)]
    pub(super) time_scale: f64,
    /// The folder for journal, records and verdict [default: evenkeel-runs/JOB-N]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(super) run_dir: Option<PathBuf>,
    /// Go on with the run in this folder where it ended
    #[arg(long, value_name = "DIR")]
    pub(super) resume: Option<PathBuf>,
    /// Write down all inputs of the machines, for `evenkeel replay`
    #[arg(long)]
    pub(super) record: bool,
    /// How long a node may be silent before it is taken for dead
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = lease)]
    pub(super) lease: Span,
    /// How long to wait for a node when none could run what is left
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(super) wait_for_nodes: Span,
    /// How much time the run has, or `none`: in time before its end it stops, so that it can be
    /// resumed [default: as Slurm, PBS or Torque say in the environment, else none]
    #[arg(long, value_name = "TIME", value_parser = time_left)]
    pub(super) time_left: Option<TimeLeft>,
    /// Wait until the process with the master of this run dies or hangs, and go on with it then
    #[arg(long, requires = "resume")]
    pub(super) standby_master: bool,
    /// Let others join while the run goes on, at an interface (eth0, ib0:40000-40100) or an address
    /// [default: as before for a run that is resumed, else off]
    #[arg(long, value_name = "off|IFACE[:PORTS]")]
    pub(super) listen: Option<Listen>,
    /// How long those that joined go on without a master, and a resumed run waits for them
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) reattach: Span,
    /// Under a launcher: pay no heed to it, and run by itself
    #[arg(long)]
    pub(super) single: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Speak through a launcher to `evenkeel launch`, which has such a screen
    #[arg(long, value_name = "SCREEN", hide = true)]
    pub(super) launched: Option<Screen>,
}

#[derive(Args, Debug)]
pub(super) struct JoinArgs {
    /// The folder of the run, the file `address` in it, or HOST:PORT
    #[arg(value_name = "RUN_DIR|ADDRESS")]
    pub(super) run: String,
    /// What each node has beside cores and memory, such as gpus=2 or licence=1
    #[arg(long = "resource", value_name = "NAME=AMOUNT", value_parser = resource)]
    pub(super) resources: Vec<(String, Amount)>,
    /// How long to look for the run
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(super) patience: Span,
    /// How much time there is here, or `none`: before its end it leaves [default: as Slurm, PBS or
    /// Torque say in the environment, else none]
    #[arg(long, value_name = "TIME", value_parser = time_left)]
    pub(super) time_left: Option<TimeLeft>,
    /// Stand by: run nothing until the run, as far as can be told, will take longer than this from
    /// now on, or no other node is left that can run what waits
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) standby: Option<Span>,
    /// Under a launcher: pay no heed to it, and join with this process alone
    #[arg(long)]
    pub(super) single: bool,
}

#[derive(Args, Debug)]
pub(super) struct DrainArgs {
    /// The folder of the run, the file `address` in it, or HOST:PORT
    #[arg(value_name = "RUN_DIR|ADDRESS")]
    pub(super) run: String,
    /// The nodes that are to leave
    #[arg(value_name = "NODE", required_unless_present = "subclusters")]
    pub(super) nodes: Vec<u32>,
    /// A subcluster that is to leave; may be said several times
    #[arg(long = "subcluster", value_name = "N")]
    pub(super) subclusters: Vec<u32>,
    /// How long to look for the run
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) patience: Span,
}

#[derive(Args, Debug)]
pub(super) struct LaunchArgs {
    /// How many ranks to start
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) ranks: u32,
    /// The hosts to start them on, each with its number of ranks if the launcher is to know
    #[arg(long, value_name = "HOST[:N],...", value_delimiter = ',', value_parser = host)]
    pub(super) hosts: Vec<String>,
    /// A file with the hosts, in the form that the launcher reads
    #[arg(long, value_name = "FILE", conflicts_with = "hosts")]
    pub(super) hostfile: Option<PathBuf>,
    /// The launcher [default: that of the MPI which this program is linked with]
    #[arg(long, value_enum, value_name = "LAUNCHER")]
    pub(super) launcher: Option<launcher::Name>,
    /// What to start: `run` and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_names = ["run", "ARGUMENTS"]
    )]
    pub(super) run: Vec<OsString>,
}

/// How a host is divided.
#[derive(Args, Debug)]
pub(super) struct NodeArgs {
    /// Divide the host's cores among so many nodes; under a launcher each rank is one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) nodes: u32,
    /// Divide the nodes among so many subclusters; 2x3 for 2 groups of 3, each group with a sub-master
    /// of its own above; or one for each group of hosts in a hostfile, below lines such as `# group
    /// left` [default: one for each host]
    #[arg(long, value_name = "M|HOSTFILE", value_parser = Subclusters::parse)]
    pub(super) subclusters: Option<Subclusters>,
    /// What each node has beside cores and memory, such as gpus=2 or licence=1
    #[arg(long = "resource", value_name = "NAME=AMOUNT", value_parser = resource)]
    pub(super) resources: Vec<(String, Amount)>,
}

#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) input: PlannedArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    pub(super) input: PlannedArgs,
    /// Where everything random comes from
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A job and a platform to plan it on.
#[derive(Args, Debug)]
pub(super) struct PlannedArgs {
    /// The job: a TOML file, or WfFormat 1.5 JSON
    pub(super) file: PathBuf,
    /// The platform: a TOML file, or a description such as "4 nodes x numa:2 core:8"
    /// [default: the one that the job names, else this host]
    #[arg(long, short, value_name = "P")]
    pub(super) platform: Option<String>,
    /// Multiply the recorded times of a WfFormat file
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = scale)]
    pub(super) time_scale: f64,
}

#[derive(Args, Debug)]
pub(super) struct FolderArgs {
    /// The folder of the run
    pub(super) run_dir: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct TopoArgs {
    /// Divide the host's cores among so many nodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) nodes: u32,
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The job: a TOML file, or WfFormat 1.5 JSON
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) nodes: NodeArgs,
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// The folder of the run
    pub(super) run_dir: PathBuf,
    /// End with the exit code of the run: 3 while it goes on, 4 if it was cut off
    #[arg(long)]
    pub(super) exit_code: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Print what was written down, an entry a line
    #[command(after_help = "\
Examples:
  evenkeel journal show out --task solve-3
  evenkeel journal show out --tail 5 --json")]
    Show(JournalShowArgs),
    /// Read every byte, and see that what is told of each attempt makes sense
    #[command(after_help = "\
Example:
  evenkeel journal verify out && evenkeel run --resume out

The exit code is 0 for a journal that is sound, 2 if there is none and 3 if it is damaged. An end
that a crash left half-written is no damage: nothing in it ever counted.")]
    Verify(JournalVerifyArgs),
    /// Write the records of the run, as they are in records.jsonl
    #[command(after_help = "\
Example:
  evenkeel journal export out --output records.jsonl")]
    Export(JournalExportArgs),
}

#[derive(Args, Debug)]
pub(super) struct JournalShowArgs {
    /// The folder of the run
    pub(super) run_dir: PathBuf,
    /// Only what concerns this task: its name, or its place in the job, from 0
    #[arg(long, value_name = "NAME")]
    pub(super) task: Option<String>,
    /// Only the last so many entries
    #[arg(long, value_name = "N")]
    pub(super) tail: Option<usize>,
    /// Print each as a line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct JournalVerifyArgs {
    /// The folder of the run
    pub(super) run_dir: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct JournalExportArgs {
    /// The folder of the run
    pub(super) run_dir: PathBuf,
    /// Write them to this file instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// What to measure [default: all in short]
    #[arg(value_parser = PossibleValuesParser::new(WORKLOADS.iter().map(|workload| workload.name)))]
    pub(super) workload: Option<String>,
    /// How large: numbers, nodes, tasks or steps; n for fib
    #[arg(long, value_name = "N", requires = "workload", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) size: Option<u32>,
    /// The tree that uts counts [default: T1 and T3]
    #[arg(long, requires = "workload", value_parser = PossibleValuesParser::new(TREES.iter().map(|tree| tree.name)))]
    pub(super) tree: Option<String>,
    /// The threads of each pool [default: as many as may run at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) threads: Option<u32>,
    /// How often each contender runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// How many nodes there are; they get a core each, as far as there are so many
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) nodes: u32,
    /// Divide the nodes among so many subclusters
    #[arg(long, value_name = "M", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) subclusters: u32,
    /// Kill no node
    #[arg(long)]
    pub(super) no_kill: bool,
    /// Make the nodes threads of one process, also where there is an MPI launcher
    #[arg(long)]
    pub(super) no_launcher: bool,
    /// The folder for journal, records, verdict and picture [default: evenkeel-runs/demo-N]
    #[arg(long, value_name = "DIR")]
    pub(super) run_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The folder for them
    pub(super) dir: PathBuf,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "a number is needed, such as 0.001".to_owned())?;
    let fits = scale.is_finite() && scale >= 0.0;
    if fits { Ok(scale) } else { Err("it must be finite and not negative".to_owned()) }
}

fn duration(text: &str) -> Result<Span, String> {
    spec::parse_duration(text).map_err(|error| format!("{}; {}", error.what(), error.help()))
}

/// By what nodes are divided among subclusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subclusters {
    Levels(Levels),
    /// By the groups in this file.
    Groups(PathBuf),
}

impl Subclusters {
    fn parse(text: &str) -> Result<Subclusters, String> {
        let is_number = |c: char| c.is_ascii_digit() || c == 'x';
        if text.chars().all(is_number) {
            Levels::parse(text).map(Subclusters::Levels)
        } else {
            Ok(Subclusters::Groups(PathBuf::from(text)))
        }
    }
}

/// Subclusters, in groups of groups where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) subclusters: u32,
    /// How many are in a group, how many of these in a group of groups, and so on.
    pub(super) fans: Vec<u32>,
}

impl Levels {
    fn parse(text: &str) -> Result<Levels, String> {
        let wrong = || format!("`{text}` is no number from 1 on, nor several such as 2x3");
        let numbers: Result<Vec<u32>, _> = text.split('x').map(str::parse).collect();
        let mut fans = numbers.map_err(|_| wrong())?;
        let all = fans.iter().try_fold(1u32, |all, n| all.checked_mul(*n));
        let subclusters = all.filter(|n| *n > 0).ok_or_else(wrong)?;
        fans.remove(0);
        fans.reverse();
        Ok(Levels { subclusters, fans })
    }
}

/// How much time a run has, as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLeft(pub(super) Option<Span>);

fn time_left(text: &str) -> Result<TimeLeft, String> {
    match text {
        "none" => Ok(TimeLeft(None)),
        text => duration(text).map(|span| TimeLeft(Some(span))),
    }
}

fn lease(text: &str) -> Result<Span, String> {
    let lease = duration(text)?;
    let fits = lease >= Span::from_millis(100);
    if fits { Ok(lease) } else { Err("a lease of less than 100 ms cannot be kept".to_owned()) }
}

fn host(text: &str) -> Result<String, String> {
    let (name, ranks) = text.split_once(':').unwrap_or((text, "1"));
    if name.is_empty() || name.starts_with('-') {
        return Err("it must read HOST or HOST:N".to_owned());
    }
    let fits = ranks.parse().is_ok_and(|ranks: u32| ranks > 0);
    if fits { Ok(text.to_owned()) } else { Err("N must be a whole number from 1".to_owned()) }
}

fn resource(text: &str) -> Result<(String, Amount), String> {
    let (name, amount) = text.split_once('=').ok_or("it must read NAME=AMOUNT")?;
    if name.is_empty() || name == "cores" || name == "memory" {
        return Err("cores and memory are the host's; any other name will do".to_owned());
    }
    let amount: f64 = amount.parse().map_err(|_| "the amount must be a number".to_owned())?;
    let fits = amount.is_finite() && amount >= 0.0;
    let amount = fits.then(|| Amount::from_f64(amount));
    Ok((name.to_owned(), amount.ok_or("the amount must be finite and not negative")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_of_subclusters_is_a_hostfile() {
        let file = |name: &str| Ok(Subclusters::Groups(PathBuf::from(name)));
        for name in ["racks", "./2x3", "x.hosts"] {
            assert_eq!(Subclusters::parse(name), file(name));
        }
        let number = Levels { subclusters: 6, fans: vec![3] };
        assert_eq!(Subclusters::parse("2x3"), Ok(Subclusters::Levels(number)));
        assert!(Subclusters::parse("2x").is_err() && Subclusters::parse("").is_err());
    }

    #[test]
    fn subclusters_are_counted_from_the_widest_group_on() {
        let levels = |text| Levels::parse(text).map(|l| (l.subclusters, l.fans));
        assert_eq!(levels("4"), Ok((4, vec![])));
        assert_eq!(levels("2x3"), Ok((6, vec![3])));
        assert_eq!(levels("2x3x4"), Ok((24, vec![4, 3])));
        for wrong in ["0", "2x0", "x", "", "-1", "2x", "65536x65536"] {
            assert!(levels(wrong).unwrap_err().contains("no number from 1 on"), "{wrong}");
        }
    }
}
