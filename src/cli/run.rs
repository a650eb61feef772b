//! `evenkeel run`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::RunArgs;
use super::progress::Watcher;
use super::{Failure, input, show, terminal};
use crate::exec::Registry;
use crate::host::{Signals, launcher};
use crate::model::{ExitCode, Job};
use crate::run::{Options, Run};
use crate::spec::JobFile;

pub(super) fn run(args: &RunArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    if let Some(screen) = args.launched.filter(|_| prints()) {
        terminal::speak_through_launcher(screen);
    }
    let (run, watcher) = match (&args.resume, &args.file) {
        (Some(folder), _) => resume(args, folder, registry)?,
        (None, Some(file)) => start(args, file, registry)?,
        (None, None) => return Err(Failure::bad_input("a job file is needed")),
    };
    let (handle, teller) = (run.handle(), Arc::clone(&watcher));
    let _signals = Signals::install(move |signal| {
        teller.say(&format!(
            "{signal:?}: finishing what runs, starting nothing more; once more to stop at once"
        ));
        handle.interrupt();
    })
    .map_err(|error| Failure::new(ExitCode::Infrastructure, error))?;
    let outcome = run.wait()?;
    watcher.finish();
    show::show(&outcome, args.json);
    Ok(outcome.verdict.code)
}

/// Whether this is the rank that prints; any that was started alone is.
fn prints() -> bool {
    launcher(|name| env::var(name).ok()).is_none_or(|launcher| launcher.rank == 0)
}

fn start(args: &RunArgs, file: &Path, registry: &Registry) -> Result<(Run, Arc<Watcher>), Failure> {
    let text = input::Text::read(file)?;
    let JobFile { job, locations, .. } = text.job(args.time_scale)?;
    let mut options = input::local_options(&args.nodes, &job, &locations)?;
    complete(&mut options, args, Some(folder(args, &job)?));
    let watcher = Watcher::new(job.tasks.len() as u64, 0);
    let listener = Arc::clone(&watcher);
    let run = Run::start(job, registry, &options, move |notice| listener.hear(notice))?;
    Ok((run, watcher))
}

fn resume(
    args: &RunArgs,
    folder: &Path,
    registry: &Registry,
) -> Result<(Run, Arc<Watcher>), Failure> {
    let status = crate::run::status(folder)?;
    let mut options = Options {
        nodes: args.nodes.nodes,
        subclusters: args.nodes.subclusters,
        resources: args.nodes.resources.clone(),
        ..Options::default()
    };
    complete(&mut options, args, Some(folder.to_owned()));
    let watcher = Watcher::resumed(status.counts);
    let listener = Arc::clone(&watcher);
    let run = Run::resume(folder, registry, &options, move |notice| listener.hear(notice))?;
    Ok((run, watcher))
}

fn complete(options: &mut Options, args: &RunArgs, folder: Option<PathBuf>) {
    options.folder = folder;
    options.record = args.record;
    options.lease = args.lease;
    options.wait_for_nodes = args.wait_for_nodes;
}

/// The folder for a new run of `job`.
pub(super) fn folder(args: &RunArgs, job: &Job) -> Result<PathBuf, Failure> {
    match &args.run_dir {
        Some(folder) => Ok(folder.clone()),
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
