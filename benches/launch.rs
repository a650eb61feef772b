//! What a task costs: tasks per second through evenkeel, beside what users have today.
//!
//! ```text
//! cargo bench --bench launch                 # 5 rounds, some minutes
//! cargo bench --bench launch -- --quick      # a tenth of the tasks
//! cargo bench --bench launch -- --json
//! ```
//!
//! All contenders run in turn, round after round, so that a noisy machine is noisy for all;
//! shown are medians with the least and the most. The bare limit is one thread per core that
//! starts `true` by `posix_spawn` and waits for it: nothing that starts processes is faster.
//! Processor time is that of the contender with all its children, and hardly depends on what else
//! runs. A peer that is not installed is left out, which is said on standard error. No figure is
//! asserted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;

use evenkeel::exec::Registry;
use evenkeel::model::{Job, Task};
use evenkeel::run::{Options, local_nodes, run};

type Failure = Box<dyn Error>;

/// Tasks per second of evenkeel and its peers.
#[derive(Parser)]
struct Arguments {
    /// A tenth of the tasks.
    #[arg(long)]
    quick: bool,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much each contender is given, and where it may write.
struct Setting<'a> {
    kernels: usize,
    commands: usize,
    cores: usize,
    folder: &'a Path,
}

/// Something that runs tasks.
struct Contender {
    name: String,
    kind: Kind,
    tasks: usize,
    once: fn(&Setting<'_>) -> Result<Sample, Failure>,
    samples: Vec<Sample>,
}

/// Only what runs the same tasks is compared.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Noop,
    Command,
}

/// What one round of one contender took.
#[derive(Clone, Copy)]
struct Sample {
    wall: Duration,
    cpu: Duration,
}

/// A line of the table.
#[derive(Serialize)]
struct Line {
    contender: String,
    kind: Kind,
    tasks: usize,
    tasks_per_second: f64,
    least: f64,
    most: f64,
    cpu_us_per_task: f64,
    /// The rate over that of the first contender of its kind.
    ratio: f64,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let divisor = if arguments.quick { 10 } else { 1 };
    let folder = tempfile::tempdir()?;
    let setting = Setting {
        kernels: 100_000 / divisor,
        commands: 10_000 / divisor,
        cores: cores()?,
        folder: folder.path(),
    };
    let mut contenders = contenders(&setting);
    prepare_peers(&setting)?;
    let before = load();
    for _ in 0..arguments.rounds {
        for contender in &mut contenders {
            contender.samples.push((contender.once)(&setting)?);
        }
    }
    let lines = lines(contenders);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        let (rounds, cores) = (arguments.rounds, setting.cores);
        println!("{rounds} rounds on {cores} cores; load {before} before, {} after", load());
        print!("{}", table(&lines));
    }
    Ok(())
}

/// How many cores evenkeel has here, which is how many tasks all others run at once.
fn cores() -> Result<usize, Failure> {
    let nodes = local_nodes(&Options::default(), &Job::new("cores").resources)?;
    Ok(nodes.iter().map(|node| node.cores.len()).sum())
}

fn contenders(setting: &Setting<'_>) -> Vec<Contender> {
    let cores = setting.cores;
    let contender = |name: &str, kind, once| {
        let tasks = if kind == Kind::Noop { setting.kernels } else { setting.commands };
        Contender { name: name.to_owned(), kind, tasks, once, samples: Vec::new() }
    };
    let mut all = vec![
        contender("evenkeel, in memory", Kind::Noop, |s| kernels(s, false)),
        contender("evenkeel, journal and records", Kind::Noop, |s| kernels(s, true)),
        contender("bare limit: posix_spawn", Kind::Command, bare),
        contender("evenkeel, journal and records", Kind::Command, commands),
    ];
    if is_there("make") {
        all.push(contender(&format!("make -j{cores}"), Kind::Command, make));
    }
    if is_there("xargs") {
        all.push(contender(&format!("xargs -P{cores} -n1"), Kind::Command, xargs));
    }
    all
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok();
    if !found {
        eprintln!("{program} is not installed, and left out");
    }
    found
}

fn kernels(setting: &Setting<'_>, is_kept: bool) -> Result<Sample, Failure> {
    let mut job = Job::new("noop");
    for i in 0..setting.kernels {
        job.add(Task::kernel(format!("noop-{i}"), "noop", ()));
    }
    evenkeel(setting, job, is_kept)
}

fn commands(setting: &Setting<'_>) -> Result<Sample, Failure> {
    let mut job = Job::new("true");
    for i in 0..setting.commands {
        job.add(Task::command(format!("true-{i}"), ["true"]));
    }
    evenkeel(setting, job, true)
}

/// By the library's door; with a run folder all is made durable as for any run.
fn evenkeel(setting: &Setting<'_>, job: Job, is_kept: bool) -> Result<Sample, Failure> {
    let place = tempfile::tempdir_in(setting.folder)?;
    let folder = is_kept.then(|| place.path().join("run"));
    let options = Options { folder, ..Options::default() };
    let registry = Registry::default();
    sample(|| match run(job, &registry, &options)? {
        outcome if outcome.is_done() => Ok(()),
        outcome => Err(format!("a run ended as {:?}", outcome.verdict).into()),
    })
}

fn bare(setting: &Setting<'_>) -> Result<Sample, Failure> {
    let left = AtomicUsize::new(setting.commands);
    // Relaxed: a counter of its own.
    let take = || left.try_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    let work = || -> std::io::Result<()> {
        while take().is_ok() {
            Command::new("/bin/true").status()?;
        }
        Ok(())
    };
    sample(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..setting.cores).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|t| t.join().expect("it does not panic"))
        })?;
        Ok(())
    })
}

/// Writes what the peers read.
fn prepare_peers(setting: &Setting<'_>) -> Result<(), Failure> {
    let range = 0..setting.commands;
    let words = |prefix: &str| {
        range.clone().fold(String::new(), |mut text, i| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{prefix}{i} ");
            text
        })
    };
    let targets = words("t");
    let makefile = format!(".PHONY: all {targets}\nall: {targets}\n{targets}:\n\t@true\n");
    fs::write(setting.folder.join("Makefile"), makefile)?;
    fs::write(setting.folder.join("words"), words(""))?;
    Ok(())
}

fn make(setting: &Setting<'_>) -> Result<Sample, Failure> {
    let mut make = Command::new("make");
    make.arg(format!("-j{}", setting.cores)).current_dir(setting.folder);
    // Not as a part of a make that this was started by.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
    peer(&mut make)
}

fn xargs(setting: &Setting<'_>) -> Result<Sample, Failure> {
    let mut xargs = Command::new("xargs");
    xargs.arg(format!("-P{}", setting.cores)).args(["-n1", "true"]);
    peer(xargs.stdin(File::open(setting.folder.join("words"))?))
}

fn peer(command: &mut Command) -> Result<Sample, Failure> {
    sample(|| match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{command:?}: {status}").into()),
    })
}

fn sample(body: impl FnOnce() -> Result<(), Failure>) -> Result<Sample, Failure> {
    let (start, before) = (Instant::now(), cpu());
    body()?;
    Ok(Sample { wall: start.elapsed(), cpu: cpu().saturating_sub(before) })
}

/// The processor time of this process and of all children that have ended; zero where the
/// system does not tell.
fn cpu() -> Duration {
    /// In these files a second has a hundred ticks on every Linux.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name is in parentheses and may hold blanks; the times are fields 14 to 17.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: u32 = fields.skip(11).take(4).filter_map(|field| field.parse::<u32>().ok()).sum();
    ticks * TICK
}

/// The load of the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

fn lines(contenders: Vec<Contender>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for Contender { name, kind, tasks, mut samples, .. } in contenders {
        let rate = |sample: &Sample| tasks as f64 / sample.wall.as_secs_f64();
        samples.sort_by_key(|sample| sample.wall);
        let median = rate(&samples[samples.len() / 2]);
        let first = lines.iter().find(|line| line.kind == kind);
        let ratio = first.map_or(1.0, |first| median / first.tasks_per_second);
        let (least, most) = (rate(&samples[samples.len() - 1]), rate(&samples[0]));
        samples.sort_by_key(|sample| sample.cpu);
        let cpu = samples[samples.len() / 2].cpu.as_secs_f64() * 1e6 / tasks as f64;
        lines.push(Line {
            contender: name,
            kind,
            tasks,
            tasks_per_second: median,
            least,
            most,
            cpu_us_per_task: cpu,
            ratio,
        });
    }
    lines
}

fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut kind = None;
    for line in lines {
        if kind != Some(line.kind) {
            let what = if line.kind == Kind::Noop { "noop kernels" } else { "true" };
            let what = format!("{} {what}", line.tasks);
            let _ = writeln!(
                text,
                "\n{what:31} {:>9} {:>9} {:>9} {:>6} {:>9}",
                "tasks/s", "least", "most", "ratio", "cpu µs"
            );
            kind = Some(line.kind);
        }
        let Line { contender, tasks_per_second, least, most, ratio, cpu_us_per_task, .. } = line;
        let _ = writeln!(
            text,
            "{contender:31} {tasks_per_second:9.0} {least:9.0} {most:9.0} {ratio:6.2} {cpu_us_per_task:9.1}"
        );
    }
    text
}
