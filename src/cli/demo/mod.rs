//! `evenkeel demo`: a run that people can watch, and the proof that it was right.

mod closing;
mod foretell;
mod picture;
mod png;
mod process;
mod screen;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process};

use super::args::DemoArgs;
use super::{Failure, run, terminal};
use crate::exec::Registry;
use crate::host::{Host, Signals, pin_current_thread};
use crate::model::{ExitCode, Graph, NodeInfo, PeerId, Record, Span};
use crate::policy;
use crate::report::scene::Scene;
use crate::report::{Summary, audit};
use crate::run::{Options, local_nodes};
use closing::{Closing, Proof};
use picture::Picture;
use process::Process;
use screen::Screen;

/// The job, as it stands in `jobs`.
const JOB: &str = include_str!("../../../jobs/demo.toml");
/// How long a node may be silent: short, so that one that is killed is missed soon.
const LEASE: Span = Span::from_secs(1);
/// Between two looks at the run.
const LOOK: Duration = Duration::from_millis(80);

pub(super) fn demo(args: &DemoArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    // Relaxed: there is nothing to see but the flag.
    let _signals = Signals::install(move |_| flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::new(ExitCode::Infrastructure, error))?;
    let host = Host::discover().map_err(Failure::bad_input)?;
    confine(&host, args.nodes);
    let mut demo = Demo::prepare(args, registry, host, interrupted)?;
    let mut process = Process::start(&demo.command(args), &demo.folder)?;
    demo.watch(&mut process)?;
    demo.conclude(&process)
}

/// Leaves this process, and what it starts, a core for each node: the demo is to be seen for a
/// few seconds also where there are a great many cores, and others may be at work on them.
fn confine(host: &Host, nodes: u32) {
    let cores = host.allowed.cores().take(nodes as usize);
    let units: Vec<u32> = cores.flat_map(|core| core.units.clone()).collect();
    if host.real && host.allowed.core_count() > nodes as usize {
        // If it cannot be, the demo has all cores, and is over sooner.
        let _ = pin_current_thread(&units);
    }
}

/// The demo, from before its run to the end.
struct Demo {
    host: Host,
    picture: Picture,
    nodes: Vec<NodeInfo>,
    /// The node that is to be killed, and once it is, the process that it was.
    victim: Option<PeerId>,
    killed: Option<NodeInfo>,
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
        host: Host,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Demo, Failure> {
        let picture = Picture::read(JOB, registry).map_err(Failure::bad_input)?;
        let (nodes, subclusters) = (args.nodes, Some(args.subclusters));
        let options = Options { nodes, subclusters, lease: LEASE, ..Options::default() };
        let nodes = local_nodes(&options, &picture.job.resources)?;
        let victim = if args.no_kill { None } else { victim(&nodes) };
        let foretold = foretell::foretell(&picture.job, &nodes, victim, LEASE)?;
        let folder = run::folder(args.run_dir.as_deref(), &picture.job)?;
        let file = beside(&folder)?;
        Ok(Demo {
            host,
            picture,
            nodes,
            victim,
            killed: None,
            foretold,
            folder,
            file,
            screen: Screen::new(),
            records: Vec::new(),
            interrupted,
        })
    }

    /// What to start.
    fn command(&self, args: &DemoArgs) -> Vec<String> {
        let word = |path: &Path| path.display().to_string();
        let (nodes, subclusters) = (args.nodes.to_string(), args.subclusters.to_string());
        let lease = LEASE.as_secs().to_string();
        let words = [
            ["run", &word(&self.file)],
            ["--nodes", &nodes],
            ["--subclusters", &subclusters],
            ["--lease", &lease],
            ["--run-dir", &word(&self.folder)],
        ];
        words.as_flattened().iter().map(|word| (*word).to_owned()).collect()
    }

    fn title(&self) -> String {
        let subclusters = self.nodes.last().map_or(0, |node| node.subcluster.0 + 1);
        let (s, cores) = (if subclusters == 1 { "" } else { "s" }, self.host.workers());
        let cores = cores.min(self.nodes.len());
        format!(
            "{} tiles of the Mandelbrot set on {} nodes in {subclusters} subcluster{s}, {cores} cores",
            self.picture.tiles(),
            self.nodes.len(),
        )
    }

    /// Shows the run until it has ended.
    fn watch(&mut self, process: &mut Process) -> Result<(), Failure> {
        let tasks = self.picture.job.tasks.len() as u64;
        let (title, mosaic) = (self.title(), self.picture.mosaic());
        self.screen.tell(&title);
        let mut scene = Scene::new(&title, &self.nodes, mosaic, tasks, self.foretold);
        self.screen.draw(&scene);
        loop {
            // Asked before the records are read: nothing comes after that.
            let has_ended = process.has_ended();
            let records = process.records();
            records.iter().for_each(|record| scene.hear(record));
            let is_new = !records.is_empty();
            self.records.extend(records);
            if scene.counts().done >= tasks / 2 {
                self.strike(process, &mut scene);
            }
            if is_new {
                self.screen.draw(&scene);
            }
            if self.is_interrupted() {
                process.interrupt();
                return Err(self.interruption());
            }
            if has_ended {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// Kills the victim, if that is a process on this host other than the one with the master.
    fn strike(&mut self, process: &mut Process, scene: &mut Scene) {
        let Some(victim) = self.victim.take() else { return };
        let nodes = process.nodes();
        let Some(node) = nodes.iter().find(|node| node.node == victim) else { return };
        let is_own = nodes.iter().filter(|other| other.pid == node.pid).count() == 1;
        let pid = i32::try_from(node.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_own && node.host == self.host.name)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            scene.killed(victim);
            let (node, done) = (node.clone(), scene.counts().done);
            self.screen.tell(&format!("node {} killed when {done} tasks were done", victim.0));
            self.killed = Some(node);
        }
    }

    /// Says what came of the run, if it came to its end.
    fn conclude(&mut self, process: &Process) -> Result<ExitCode, Failure> {
        match process.verdict() {
            Some(verdict) if verdict.code == ExitCode::Done => {}
            Some(verdict) => return Err(Failure::new(verdict.code, verdict.reason)),
            None => {
                let message = format!("the run ended without a verdict\n{}", process.said());
                return Err(Failure::new(ExitCode::Infrastructure, message));
            }
        }
        let proof = self.prove()?;
        let graph = Graph::new(&self.picture.job).map_err(|_| Failure::bad_input("a ring"))?;
        let cores = self.nodes.iter().map(NodeInfo::core_count).sum();
        let lower_bound = policy::measured_lower_bound(&graph, &self.records, cores);
        let closing = Closing {
            records: &self.records,
            makespan: Summary::new("", &self.records, &[], None).makespan,
            lower_bound,
            foretold: self.foretold,
            killed: self.killed.as_ref(),
            proof: &proof,
            program: &terminal::call(),
            folder: &terminal::path(&self.folder),
            job: &terminal::path(&self.file),
        };
        terminal::print(&closing.text());
        Ok(if proof.holds() { ExitCode::Done } else { ExitCode::Infrastructure })
    }

    /// Computes the picture again, on one core and without the scheduler, and looks whether the
    /// run came to the same; draws what the records hold of it.
    fn prove(&self) -> Result<Proof, Failure> {
        const WORDS: &str = "computing it again on one core to compare";
        self.screen.tell(WORDS);
        let bar = ProgressBar::new(self.picture.tiles() as u64);
        let style = ProgressStyle::with_template(&format!("{WORDS} [{{bar:24}}] {{percent}} %"));
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        let start = Instant::now();
        let again = self.picture.compute(|| {
            bar.inc(1);
            !self.is_interrupted()
        });
        bar.finish_and_clear();
        let again = again.ok_or_else(|| self.interruption())?;
        let took = Span::from(start.elapsed());
        let recorded = self.picture.stitched(&self.records);
        if let Some(image) = &recorded {
            png::write(&self.folder.join("demo.png"), self.picture.width(), image)?;
        }
        Ok(Proof {
            told: self.picture.checksum(&self.records),
            recorded: recorded.map(|image| crc32fast::hash(&image)),
            again: crc32fast::hash(&again),
            bytes: again.len(),
            took,
            faults: audit(&self.picture.job, &self.records),
        })
    }

    fn is_interrupted(&self) -> bool {
        // Relaxed: there is nothing to see but the flag.
        self.interrupted.load(Ordering::Relaxed)
    }

    fn interruption(&self) -> Failure {
        Failure::new(ExitCode::Interrupted, "interrupted")
    }
}

/// The node to kill: the last that holds neither the master nor a sub-master.
fn victim(nodes: &[NodeInfo]) -> Option<PeerId> {
    let is_first = |info: &NodeInfo| {
        nodes.iter().find(|other| other.subcluster == info.subcluster) == Some(info)
    };
    nodes.iter().rev().find(|info| !is_first(info)).map(|info| info.node)
}

/// Writes the job to a file beside `folder`, unless it is there already.
fn beside(folder: &Path) -> Result<PathBuf, Failure> {
    let name = folder.file_name().ok_or_else(|| {
        Failure::bad_input(format!("{}: a folder with a name is needed", folder.display()))
    })?;
    let mut name = name.to_owned();
    name.push(".toml");
    let path = folder.with_file_name(name);
    match fs::read_to_string(&path) {
        Ok(text) if text == JOB => Ok(path),
        Ok(_) => Err(Failure::bad_input(format!(
            "{} is another job, and that of the demo would be written there: name another folder \
             with --run-dir",
            path.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(Path::new(""));
            let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, JOB));
            written.map_err(|error| {
                let message = format!("cannot write {}: {error}", path.display());
                Failure::new(ExitCode::Infrastructure, message)
            })?;
            Ok(path)
        }
        Err(error) => Err(Failure::bad_input(format!("{}: {error}", path.display()))),
    }
}
