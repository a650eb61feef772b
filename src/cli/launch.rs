//! `evenkeel launch`: starts the ranks of a run through a launcher, and ends as the run did.
//!
//! What a launcher says of a run cannot be relied on: its status is what it makes of those of
//! its ranks, and what it prints is mixed with noise. So the result is the verdict in the folder
//! of the run; what the run prints bears a mark (see [`marked`]); all else goes to a log.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;

use super::args::{Arguments, Command, LaunchArgs, RunArgs};
use super::follow::Follower;
use super::launcher::Launcher;
use super::marked::{self, Word};
use super::progress::Watcher;
use super::running::{self, Stream, Told};
use super::terminal::{self, Screen};
use super::{Failure, input, run};
use crate::model::{ExitCode, Verdict};
use crate::run::{status, verdict};
use crate::store::{LAUNCHER_LOG, RunFolder};

pub(super) fn launch(args: &LaunchArgs) -> Result<ExitCode, Failure> {
    let what = run_args(args)?;
    let launcher = Launcher::find(args.launcher)?;
    let mut command = launcher.command(args)?;
    let cannot_start = |error: io::Error| {
        Failure::new(ExitCode::Infrastructure, format!("cannot start {launcher}: {error}"))
    };
    let program = env::current_exe().map_err(cannot_start)?;
    let run = Launched::new(&what)?;
    command.arg(program).arg("run").arg(format!("--launched={}", Screen::here()));
    if what.resume.is_none() && what.run_dir.is_none() {
        command.arg("--run-dir").arg(&run.folder);
    }
    command.args(&args.run[1..]);
    let mut audience = Audience::new(&run);
    let status = running::run(command, |told| audience.hear(told)).map_err(cannot_start)?;
    let told = audience.leave(&launcher);
    let code = run.verdict().map(|verdict| verdict.code).or(told);
    let go_on = match code {
        None | Some(ExitCode::Interrupted) if run.can_go_on() => {
            format!("go on with: {} run --resume {}", words(args), terminal::path(&run.folder))
        }
        _ => String::new(),
    };
    let Some(code) = code else {
        let message = format!("{launcher} ended ({status}) before the run had a verdict\n{go_on}");
        return Err(Failure::new(ExitCode::Infrastructure, message));
    };
    if !go_on.is_empty() {
        terminal::say(&go_on);
    }
    Ok(code)
}

/// What is to be started, read as every rank will read it.
fn run_args(args: &LaunchArgs) -> Result<RunArgs, Failure> {
    let program = terminal::program().into();
    match Arguments::parse_from([&program].into_iter().chain(&args.run)).command {
        Command::Run(what) => Ok(what),
        _ => Err(Failure::bad_input(format!(
            "`{}` is not for a launcher: it starts `run`, as in `{} run job.toml`",
            args.run[0].display(),
            words(args)
        ))),
    }
}

/// The command line up to what is to be started.
fn words(args: &LaunchArgs) -> String {
    let all: Vec<_> = env::args_os().skip(1).collect();
    let own = &all[..all.len() - args.run.len()];
    let own = own.iter().map(|word| word.to_string_lossy().into_owned());
    [terminal::program()].into_iter().chain(own).collect::<Vec<_>>().join(" ")
}

/// A run before its ranks are started.
struct Launched {
    folder: PathBuf,
    /// What an earlier epoch came to.
    before: Option<Verdict>,
    watcher: Arc<Watcher>,
}

impl Launched {
    fn new(args: &RunArgs) -> Result<Launched, Failure> {
        match (&args.resume, &args.file) {
            (Some(folder), _) => {
                let watcher = Watcher::resumed(status(folder)?.counts);
                Ok(Launched { folder: folder.clone(), before: verdict(folder), watcher })
            }
            (None, Some(file)) => {
                let text = input::Text::read(file)?;
                let job = text.job(args.time_scale)?.job;
                let folder = run::folder(args.run_dir.as_deref(), &job)?;
                // Before the log of the launcher goes there.
                RunFolder::check_vacant(&folder).map_err(crate::run::RunError::from)?;
                let watcher = Watcher::new(job.tasks.len() as u64);
                Ok(Launched { folder, before: None, watcher })
            }
            (None, None) => Err(Failure::bad_input("a job file is needed")),
        }
    }

    /// What the run came to. A run that is resumed takes back what it had come to before, but
    /// only once it has begun.
    fn verdict(&self) -> Option<Verdict> {
        verdict(&self.folder).filter(|verdict| self.before.as_ref() != Some(verdict))
    }

    /// Whether the journal has a job.
    fn can_go_on(&self) -> bool {
        status(&self.folder).is_ok_and(|status| status.counts.tasks > 0)
    }
}

/// Hears what is launched: shows what the run says and how far it is, keeps the rest.
struct Audience {
    watcher: Arc<Watcher>,
    follower: Follower,
    log: Log,
    /// The exit code that the run told.
    code: Option<ExitCode>,
}

impl Audience {
    fn new(run: &Launched) -> Audience {
        Audience {
            watcher: Arc::clone(&run.watcher),
            follower: Follower::new(&run.folder),
            log: Log::new(&run.folder),
            code: None,
        }
    }

    /// Whether the run says that it is over.
    fn hear(&mut self, told: Told<'_>) -> bool {
        let known = self.code;
        match told {
            Told::Line(stream, line) => self.hear_line(stream, line),
            Told::Asked(words) => self.watcher.say(words),
            Told::Tick if terminal::is_watched() => self.follow(),
            Told::Tick => {}
        }
        known != self.code
    }

    fn hear_line(&mut self, stream: Stream, line: &[u8]) {
        let (noise, word) = marked::parse(line);
        if let Some(noise) = noise
            && let Err(error) = self.log.append(noise)
        {
            let noise = String::from_utf8_lossy(noise);
            self.watcher.say(&format!("{noise}\n(which cannot be kept in a log: {error})"));
        }
        match word {
            Some(Word::Line(line)) if stream == Stream::Out => {
                // What a run prints there is its result.
                self.watcher.finish();
                terminal::print(&String::from_utf8_lossy(line));
            }
            Some(Word::Line(line)) => self.watcher.say(&String::from_utf8_lossy(line)),
            Some(Word::Forecast(left, standing_by)) => self.watcher.foresee(left, standing_by),
            Some(Word::End(code)) => self.code = Some(code),
            None => {}
        }
    }

    fn follow(&mut self) {
        let news = self.follower.next();
        if news.anew {
            self.watcher.forget();
        }
        news.records.iter().for_each(|record| self.watcher.count(record));
    }

    /// Names the log if there is something in it. Gives the exit code that the run told.
    fn leave(self, launcher: &Launcher) -> Option<ExitCode> {
        self.watcher.finish();
        if self.log.file.is_some() {
            let log = terminal::path(&self.log.path);
            terminal::say(&format!("note: what {launcher} printed is in {log}"));
        }
        self.code
    }
}

/// Keeps what is noise, in a file that is made by the first line of it.
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    fn new(folder: &Path) -> Log {
        Log { path: folder.join(LAUNCHER_LOG), file: None }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // The run makes its folder itself, but a launcher may have been faster.
                self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
                none.insert(File::options().append(true).create(true).open(&self.path)?)
            }
        };
        file.write_all(&[line, b"\n"].concat())
    }
}
