//! Tasks per second over three MPI ranks, beside `mpi4py.futures` in the same run.
//!
//! ```text
//! cargo bench --features full --bench ranks              # 5 rounds, a few minutes
//! cargo bench --features full --bench ranks -- --quick   # a tenth of the tasks
//! ```
//!
//! All contenders run in turn, round after round; shown are medians with the least and the most.
//! Counted is from handing in the job to having all results, without the start of the launcher.
//! evenkeel keeps its journal and records, as it does by default. `mpi4py.futures` is that of the
//! `python3` on the path, or of the one that `PYTHON` names; without it, it is left out, which is
//! said. One of its three ranks hands out the work, as is its way; all three of evenkeel's run
//! tasks. No figure is asserted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Parser;
use evenkeel::comm::mpi;
use evenkeel::exec::Registry;
use evenkeel::model::{ExitCode, Job, Task};
use evenkeel::run::{Options, World};

type Failure = Box<dyn Error>;

const RANKS: &str = "3";
/// That this process is a rank, and of what it is to run how many: `noop 1000`.
const PART: &str = "EVENKEEL_RANKS_PART";

const PYTHON: &str = r#"
import subprocess, sys, time
from mpi4py.futures import MPIPoolExecutor

def noop(i): return None
def true(i): return subprocess.call(["true"])

if __name__ == "__main__":
    what, n, chunk = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    task = {"noop": noop, "true": true}[what]
    with MPIPoolExecutor() as executor:
        list(executor.map(task, range(10)))
        start = time.perf_counter()
        for _ in executor.map(task, range(n), chunksize=chunk): pass
        print("rate", n / (time.perf_counter() - start))
"#;

/// Tasks per second over MPI ranks.
#[derive(Parser)]
struct Arguments {
    /// A tenth of the tasks.
    #[arg(long)]
    quick: bool,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Something that runs tasks on ranks.
struct Contender {
    name: &'static str,
    what: &'static str,
    tasks: usize,
    /// Of `mpi4py.futures`: how many tasks go to a rank at a time.
    chunk: Option<usize>,
    rates: Vec<f64>,
}

fn main() -> Result<(), Failure> {
    match env::var(PART) {
        Ok(part) => rank(&part),
        Err(_) => compare(&Arguments::parse()),
    }
}

fn compare(arguments: &Arguments) -> Result<(), Failure> {
    let divisor = if arguments.quick { 10 } else { 1 };
    let one = |name, what, tasks: usize, chunk| Contender {
        name,
        what,
        tasks: tasks / divisor,
        chunk,
        rates: Vec::new(),
    };
    let mut contenders = vec![
        one("noop, evenkeel", "noop", 400_000, None),
        one("noop, mpi4py.futures, chunks of 1", "noop", 10_000, Some(1)),
        one("noop, mpi4py.futures, chunks of 100", "noop", 400_000, Some(100)),
        one("true, evenkeel", "true", 10_000, None),
        one("true, mpi4py.futures", "true", 10_000, Some(1)),
    ];
    let folder = tempfile::tempdir()?;
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = folder.path().join("peer.py");
    fs::write(&script, PYTHON)?;
    if !has_mpi4py(&python) {
        eprintln!("{python} has no mpi4py: left out (pip install mpi4py, PYTHON names another)");
        contenders.retain(|contender| contender.chunk.is_none());
    }
    for _ in 0..arguments.rounds {
        for contender in &mut contenders {
            let rate = match contender.chunk {
                None => ours(contender, folder.path())?,
                Some(chunk) => peer(contender, chunk, &python, &script)?,
            };
            contender.rates.push(rate);
        }
    }
    println!("{}, {RANKS} ranks, {} rounds", mpi::library(), arguments.rounds);
    println!("{:<38} {:>8} {:>10} {:>10} {:>10}", "", "tasks", "tasks/s", "least", "most");
    for Contender { name, tasks, mut rates, .. } in contenders {
        rates.sort_unstable_by(f64::total_cmp);
        let (median, least, most) = (rates[rates.len() / 2], rates[0], rates[rates.len() - 1]);
        println!("{name:<38} {tasks:>8} {median:>10.0} {least:>10.0} {most:>10.0}");
    }
    Ok(())
}

fn has_mpi4py(python: &str) -> bool {
    let import = Command::new(python)
        .args(["-c", "import mpi4py.futures"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    import.is_ok_and(|status| status.success())
}

fn launcher() -> Command {
    let is_open_mpi = mpi::library().starts_with("Open MPI");
    let (program, args): (_, &[&str]) = match is_open_mpi {
        true => ("mpirun.openmpi", &["--oversubscribe", "--bind-to", "none"]),
        false => ("mpiexec.mpich", &[]),
    };
    let mut command = Command::new(program);
    command.args(["-n", RANKS]).args(args);
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command
}

fn ours(contender: &Contender, folder: &Path) -> Result<f64, Failure> {
    let run = tempfile::tempdir_in(folder)?;
    let mut command = launcher();
    command.arg(env::current_exe()?).current_dir(run.path());
    command.env(PART, format!("{} {}", contender.what, contender.tasks));
    rate(&mut command)
}

fn peer(contender: &Contender, chunk: usize, python: &str, script: &Path) -> Result<f64, Failure> {
    let mut command = launcher();
    command.arg(python).args(["-m", "mpi4py.futures"]).arg(script).arg(contender.what);
    command.args([contender.tasks, chunk].map(|n| n.to_string()));
    rate(&mut command)
}

/// The rate that the first rank prints.
fn rate(command: &mut Command) -> Result<f64, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("rate ")?.parse().ok());
    rate.ok_or_else(|| format!("{command:?}: {}, and no rate: {text}", output.status).into())
}

/// This process is one of the ranks.
fn rank(part: &str) -> Result<(), Failure> {
    let (what, tasks) = part.split_once(' ').ok_or("what and how many")?;
    let tasks: usize = tasks.parse()?;
    let world = World::of_launcher()?.ok_or("a rank without a launcher")?;
    let registry = Registry::default();
    if world.is_first() {
        let mut job = Job::new("ranks");
        for i in 0..tasks {
            job.add(match what {
                "noop" => Task::kernel(format!("t{i}"), "noop", ()),
                _ => Task::command(format!("t{i}"), ["true"]),
            });
        }
        let options = Options { folder: Some("run".into()), ..Options::default() };
        let start = Instant::now();
        let outcome = world.start(job, &registry, &options, |_| ())?.wait()?;
        let rate = tasks as f64 / start.elapsed().as_secs_f64();
        if outcome.verdict.code != ExitCode::Done {
            return Err(outcome.verdict.reason.into());
        }
        println!("rate {rate}");
    } else {
        world.serve(&registry, |_| (), |_| ())?;
    }
    World::leave(ExitCode::Done);
    Ok(())
}
