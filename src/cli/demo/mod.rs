//! `evenkeel demo`: a run that people can watch, and the proof that it was right.

mod closing;
mod foretell;
mod means;
mod picture;
mod png;
mod process;
mod proof;
mod screen;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::args::DemoArgs;
use super::follow::Follower;
use super::{Failure, run, terminal};
use crate::exec::Registry;
use crate::host::{Host, Signals};
use crate::model::{ExitCode, Graph, NodeInfo, PeerId, Record, Span};
use crate::policy;
use crate::report::Summary;
use crate::report::scene::Scene;
use crate::run::{Options, RunError, local_nodes, nodes, verdict};
use crate::store::RunFolder;
use closing::{Closing, Killed};
use means::{LEASE, Means};
use picture::Picture;
use process::Process;
use proof::{AGAIN, Proof};
use screen::Screen;

/// The job, as it stands in `jobs`.
const JOB: &str = include_str!("../../../jobs/demo.toml");
/// Between two looks at the run.
const LOOK: Duration = Duration::from_millis(80);

pub(super) fn demo(args: &DemoArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    // Relaxed: there is nothing to see but the flag.
    let _signals = Signals::install(move |_| flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::new(ExitCode::Infrastructure, error))?;
    let host = Host::discover().map_err(Failure::bad_input)?;
    means::confine(&host, args.nodes);
    let means = Means::find(args);
    let mut demo = Demo::prepare(args, registry, &means, host.name, interrupted)?;
    let mut process = Process::start(&means.command(args, &demo.file, &demo.folder))?;
    demo.watch(&mut process)?;
    demo.conclude(&process)
}

/// The demo, from before its run to the end.
struct Demo {
    /// The name of this host.
    host: String,
    picture: Picture,
    nodes: Vec<NodeInfo>,
    /// The node that is to be killed.
    victim: Option<PeerId>,
    killed: Option<Killed>,
    foretold: Span,
    folder: PathBuf,
    /// The job as a file.
    file: PathBuf,
    screen: Screen,
    records: Vec<Record>,
    interrupted: Arc<AtomicBool>,
}

impl Demo {
    fn prepare(
        args: &DemoArgs,
        registry: &Registry,
        means: &Means,
        host: String,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Demo, Failure> {
        let picture = Picture::read(JOB, registry).map_err(Failure::bad_input)?;
        let (nodes, subclusters) = (args.nodes, Some(args.subclusters));
        let options = Options { nodes, subclusters, ..Options::default() };
        let nodes = local_nodes(&options, &picture.job.resources)?;
        let folder = run::folder(args.run_dir.as_deref(), &picture.job)?;
        RunFolder::check_vacant(&folder).map_err(RunError::from)?;
        let file = write_beside(&folder)?;
        let victim = match means.obstacle() {
            _ if args.no_kill => None,
            None => victim(&nodes),
            Some(why) => {
                terminal::print(&format!("no node is killed: {why}"));
                None
            }
        };
        Ok(Demo {
            foretold: foretell::foretell(&picture.job, &nodes, victim, LEASE)?,
            host,
            picture,
            nodes,
            victim,
            killed: None,
            folder,
            file,
            screen: Screen::new(),
            records: Vec::new(),
            interrupted,
        })
    }

    fn title(&self) -> String {
        let (tiles, nodes) = (self.picture.tiles(), self.nodes.len());
        let cores: BTreeSet<_> = self.nodes.iter().flat_map(|node| &node.cores).collect();
        let subclusters: BTreeSet<_> = self.nodes.iter().map(|node| node.subcluster).collect();
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "{tiles} tiles of the Mandelbrot set on {} in {}, with {}",
            count(nodes, "node"),
            count(subclusters.len(), "subcluster"),
            count(cores.len(), "core")
        )
    }

    /// Shows the run until it has ended.
    fn watch(&mut self, process: &mut Process) -> Result<(), Failure> {
        let tasks = self.picture.job.tasks.len() as u64;
        let (title, mosaic) = (self.title(), self.picture.mosaic());
        self.screen.tell(&format!("{title}; foretold {}", self.foretold));
        let mut scene = Scene::new(&title, &self.nodes, mosaic, tasks, self.foretold);
        self.screen.draw(&scene);
        let mut follower = Follower::new(&self.folder);
        loop {
            // Asked before the records are read: nothing comes after that.
            let has_ended = process.has_ended();
            let records = follower.next().records;
            records.iter().for_each(|record| scene.hear(record));
            let is_new = !records.is_empty();
            self.records.extend(records);
            if scene.counts().done >= tasks / 2 {
                self.strike(&mut scene);
            }
            if is_new {
                self.screen.draw(&scene);
            }
            if self.is_interrupted() {
                process.interrupt();
                let (program, folder) = (terminal::call(), terminal::path(&self.folder));
                let message = format!("interrupted; go on with: {program} run --resume {folder}");
                return Err(Failure::new(ExitCode::Interrupted, message));
            }
            if has_ended {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// Kills the victim, if that is a process of its own on this host.
    fn strike(&mut self, scene: &mut Scene) {
        let Some(victim) = self.victim.take() else { return };
        let nodes = nodes(&self.folder).unwrap_or_default();
        let Some(node) = nodes.iter().find(|node| node.node == victim) else { return };
        let is_alone = nodes.iter().filter(|other| other.pid == node.pid).count() == 1;
        let pid = i32::try_from(node.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_alone && node.host == self.host)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            scene.killed(victim);
            let done = scene.counts().done;
            self.screen.tell(&format!("node {} killed when {done} tasks were done", victim.0));
            self.killed = Some(Killed { node: victim, pid: node.pid, after: self.records.len() });
        }
    }

    /// Says what came of the run, if it came to its end.
    fn conclude(&self, process: &Process) -> Result<ExitCode, Failure> {
        match verdict(&self.folder) {
            Some(verdict) if verdict.code == ExitCode::Done => {}
            Some(verdict) => return Err(Failure::new(verdict.code, verdict.reason)),
            None => {
                let message = format!("the run ended without a verdict\n{}", process.said());
                return Err(Failure::new(ExitCode::Infrastructure, message));
            }
        }
        self.screen.tell(AGAIN);
        let proof = Proof::of(&self.picture, &self.records, || !self.is_interrupted());
        let proof = proof.ok_or_else(|| Failure::new(ExitCode::Interrupted, "interrupted"))?;
        if let Some(image) = self.picture.stitched(&self.records) {
            png::write(&self.folder.join("demo.png"), self.picture.width(), &image)?;
        }
        let graph = Graph::new(&self.picture.job).unwrap_or_default();
        let nodes = nodes(&self.folder).unwrap_or_default();
        let cores = nodes.iter().map(NodeInfo::core_count).sum();
        let closing = Closing {
            records: &self.records,
            makespan: Summary::new("", &self.records, &[], None).makespan,
            lower_bound: policy::measured_lower_bound(&graph, &self.records, cores),
            foretold: self.foretold,
            killed: self.killed,
            proof: &proof,
            program: &terminal::call(),
            folder: &terminal::path(&self.folder),
            job: &terminal::path(&self.file),
        };
        terminal::print(&closing.text());
        Ok(if proof.holds() { ExitCode::Done } else { ExitCode::Infrastructure })
    }

    fn is_interrupted(&self) -> bool {
        // Relaxed: there is nothing to see but the flag.
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// The node to kill: the last that holds neither the master nor a sub-master.
fn victim(nodes: &[NodeInfo]) -> Option<PeerId> {
    let is_first = |info: &NodeInfo| {
        nodes.iter().find(|other| other.subcluster == info.subcluster) == Some(info)
    };
    nodes.iter().rev().find(|info| !is_first(info)).map(|info| info.node)
}

/// Writes the job to a file beside `folder`, unless it is there already. (In the folder there
/// may be nothing before the run.)
fn write_beside(folder: &Path) -> Result<PathBuf, Failure> {
    let Some(name) = folder.file_name() else {
        let message = format!("{}: the run needs a folder with a name", folder.display());
        return Err(Failure::bad_input(message));
    };
    let mut name = name.to_owned();
    name.push(".toml");
    let path = folder.with_file_name(name);
    let written = match fs::read_to_string(&path) {
        Ok(text) if text == JOB => return Ok(path),
        Ok(_) => {
            let message = "another job is there, where that of the demo would be written; name \
                           another folder with --run-dir";
            return Err(Failure::bad_input(format!("{}: {message}", path.display())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(Path::new(""));
            fs::create_dir_all(parent).and_then(|()| fs::write(&path, JOB))
        }
        Err(error) => Err(error),
    };
    let failed = |error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::new(ExitCode::Infrastructure, message)
    };
    written.map_err(failed)?;
    Ok(path)
}
