//! `evenkeel run`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use super::args::{RunArgs, TimeLeft};
use super::progress::Watcher;
use super::{Failure, input, show, terminal};
use crate::comm::link::Listen;
use crate::exec::Registry;
use crate::host::{self, Launcher, LauncherKind, Signal, Signals};
use crate::live::Notice;
use crate::model::{ExitCode, Job, Span};
use crate::run::{self, Options, Run, RunError, World};
use crate::spec::JobFile;
use crate::store::RunFolder;

pub(super) fn run(args: &RunArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    if let Some(screen) = args.launched.filter(|_| prints()) {
        terminal::speak_through_launcher(screen);
    }
    let world = if args.single { Ok(None) } else { World::of_launcher() };
    match world.map_err(told_once)? {
        Some(world) if !world.is_first() => serve(world, registry),
        world => lead(world, args, registry),
    }
}

/// Whether this is the rank that prints; any that was started alone is.
fn prints() -> bool {
    launcher().is_none_or(|launcher| launcher.rank == 0)
}

fn launcher() -> Option<Launcher> {
    host::launcher(|name| env::var(name).ok())
}

/// What all processes of a launcher have to say, the first says for them.
pub(super) fn told_once(error: RunError) -> Failure {
    /// Some launchers end all processes when one ends: the first has so long to say it.
    const TIME_TO_TELL: Duration = Duration::from_secs(1);
    match &error {
        RunError::WrongLauncher { launcher, .. } if launcher.rank > 0 => {
            thread::sleep(TIME_TO_TELL);
            Failure::new(error.exit_code(), "")
        }
        _ => Failure::from(error),
    }
}

/// Runs the job: on the ranks of `world`, of which this is the first, or on this host alone.
fn lead(world: Option<World>, args: &RunArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    if world.is_some() && args.nodes.nodes != 1 {
        let message = "--nodes divides one host; under a launcher each rank is a node";
        return Err(Failure::bad_input(message));
    }
    let (run, watcher) = match (&args.resume, &args.file) {
        (Some(folder), _) => match take(folder, args)? {
            Some(folder) => resume(world, args, folder, registry)?,
            None => return Ok(was_not_needed(folder)),
        },
        (None, Some(file)) => start(world, args, file, registry)?,
        (None, None) => return Err(Failure::bad_input("a job file is needed")),
    };
    if launcher().is_some() && !args.single {
        watcher.say(&format!("note: {}", host::survival(|name| env::var(name).ok())));
    }
    let (handle, teller) = (run.handle(), Arc::clone(&watcher));
    // Whatever it was asked to end by, it ends its ranks by this signal, and a second later by
    // SIGKILL.
    let is_short = launcher().is_some_and(|launcher| launcher.kind == LauncherKind::OpenMpi);
    let _signals = on_signal(move |signal| {
        let at_once = is_short && signal == Signal::Terminate;
        let what = match at_once {
            true => "stopping at once, as the launcher would in a second",
            false => "finishing what runs, starting nothing more; once more to stop at once",
        };
        teller.say(&format!("{signal:?}: {what}"));
        handle.interrupt();
        if at_once {
            handle.interrupt();
        }
    })?;
    let outcome = run.wait()?;
    watcher.finish();
    show::show(&outcome, args.json);
    Ok(outcome.verdict.code)
}

/// Runs tasks for the first rank, until it needs this one no more or a signal says to leave.
pub(super) fn serve(world: World, registry: &Registry) -> Result<ExitCode, Failure> {
    let mut signals = None;
    world.serve(registry, tell, |node| {
        signals = Some(on_signal(move |_| node.drain()));
    })?;
    Ok(ExitCode::Done)
}

/// What a node elsewhere has to say.
pub(super) fn tell(notice: &Notice) {
    if let Notice::Note(text) = notice {
        terminal::say(&format!("note: {text}"));
    }
}

pub(super) fn on_signal(act: impl Fn(Signal) + Send + 'static) -> Result<Signals, Failure> {
    Signals::install(act).map_err(|error| Failure::new(ExitCode::Infrastructure, error))
}

fn start(
    world: Option<World>,
    args: &RunArgs,
    file: &Path,
    registry: &Registry,
) -> Result<(Run, Arc<Watcher>), Failure> {
    let text = input::Text::read(file)?;
    let JobFile { job, locations, .. } = text.job(args.time_scale)?;
    let mut options = input::options(&args.nodes)?;
    let nodes = match &world {
        Some(world) => world.nodes(&options, &job.resources)?,
        None => run::local_nodes(&options, &job.resources)?,
    };
    input::check_nodes(&job, &locations, &nodes)?;
    complete(&mut options, args, Some(folder(args.run_dir.as_deref(), &job)?));
    let watcher = Watcher::new(job.tasks.len() as u64);
    let listener = Arc::clone(&watcher);
    let watch = move |notice: &Notice| listener.hear(notice);
    let run = match world {
        Some(world) => world.start(job, registry, &options, watch)?,
        None => Run::start(job, registry, &options, watch)?,
    };
    Ok((run, watcher))
}

/// Takes the folder of a run, once that can be; nothing if it ended before.
fn take(folder: &Path, args: &RunArgs) -> Result<Option<RunFolder>, Failure> {
    if !args.standby_master {
        return Ok(Some(RunFolder::open(folder).map_err(RunError::from)?));
    }
    terminal::say(&format!("note: stands by for the master of the run in {}", folder.display()));
    let inherited = RunFolder::inherit(folder).map_err(RunError::from)?;
    // One that let go of it without a verdict has failed as well.
    let heir = match inherited {
        None if run::verdict(folder).is_none() => {
            Some(RunFolder::open(folder).map_err(RunError::from)?)
        }
        other => other,
    };
    if heir.is_some() {
        terminal::say("note: the master is dead or hangs: this process goes on with the run");
    }
    Ok(heir)
}

/// The run ended without a standby; how is told by its exit code here too.
fn was_not_needed(folder: &Path) -> ExitCode {
    let verdict = run::verdict(folder);
    let reason = verdict.as_ref().map_or("it came to no verdict", |v| v.reason.as_str());
    terminal::say(&format!("note: the run has ended by itself: {reason}"));
    verdict.map_or(ExitCode::Infrastructure, |verdict| verdict.code)
}

fn resume(
    world: Option<World>,
    args: &RunArgs,
    folder: RunFolder,
    registry: &Registry,
) -> Result<(Run, Arc<Watcher>), Failure> {
    let status = run::status(folder.path())?;
    let mut options = input::options(&args.nodes)?;
    complete(&mut options, args, Some(folder.path().to_owned()));
    if args.listen.is_none() {
        options.listen = run::listened(folder.path()).unwrap_or(Listen::Off);
    }
    let watcher = Watcher::resumed(status.counts);
    let listener = Arc::clone(&watcher);
    let watch = move |notice: &Notice| listener.hear(notice);
    let run = match world {
        Some(world) => world.resume_in(folder, registry, &options, watch)?,
        None => Run::resume_in(folder, registry, &options, watch)?,
    };
    Ok((run, watcher))
}

fn complete(options: &mut Options, args: &RunArgs, folder: Option<PathBuf>) {
    options.folder = folder;
    options.record = args.record;
    options.lease = args.lease;
    options.wait_for_nodes = args.wait_for_nodes;
    options.time_left = args.time_left.map_or_else(allotted, |TimeLeft(asked)| asked);
    options.listen = args.listen.clone().unwrap_or(Listen::Off);
    options.reattach = args.reattach;
}

/// How much time the batch system gives, if it says so.
pub(super) fn allotted() -> Option<Span> {
    let changed = |file: &str| fs::metadata(file).and_then(|meta| meta.modified()).ok();
    let left = host::time_left(|name| env::var(name).ok(), SystemTime::now(), changed)?;
    Some(Span::from_secs_f64(left.as_secs_f64()))
}

/// The folder for a new run of `job`.
pub(super) fn folder(run_dir: Option<&Path>, job: &Job) -> Result<PathBuf, Failure> {
    match run_dir {
        Some(folder) => Ok(folder.to_owned()),
        None => new_folder(job).map_err(|error| {
            let message = format!("cannot make a folder for the run: {error}");
            Failure::new(ExitCode::Infrastructure, message)
        }),
    }
}

/// `evenkeel-runs/JOB-N` with the first N that is free.
fn new_folder(job: &Job) -> io::Result<PathBuf> {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = job.name.chars().take(60).map(plain).collect();
    let runs = Path::new("evenkeel-runs");
    fs::create_dir_all(runs)?;
    for n in 1u64.. {
        let folder = runs.join(format!("{name}-{n}"));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| folder),
        }
    }
    Err(io::Error::other("all names are taken"))
}
