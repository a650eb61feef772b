//! The one who runs attempts: commands through the guard, kernels on the pool.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::host::Clock;
use crate::model::{AttemptKey, Body, CoreId, Ending, Exit, Finish, Launch, Span, Time, Topology};
use crate::pool::{Pool, Team};

use super::guard::{Event, Link, Setup};
use super::kernel::Runner;
use super::lot::{Draft, Kernels, Lot};
use super::registry::Registry;
use super::{command, environment, kernel};

/// What an executor is to know of its node.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// The cores of this node.
    pub topology: Topology,
    /// Whether kernels and commands are bound to their cores.
    pub pinned: bool,
    /// The kernels that tasks can name.
    pub registry: Registry,
    /// The clock by which starts and ends are told.
    pub clock: Clock,
    /// A folder, best on a local disk, in which each command gets a private folder for its
    /// temporary files, removed after it, as `TMPDIR`; without it, commands keep the `TMPDIR`
    /// of the node.
    pub scratch: Option<PathBuf>,
}

/// What an executor tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// An attempt runs.
    Started {
        /// Which.
        key: AttemptKey,
        /// Since when.
        at: Time,
    },
    /// Attempts are over, and nothing of them is left.
    Ended(Vec<Finish>),
    /// Kernels that have not begun are given back, as
    /// [`withdraw`](Executor::withdraw) wanted, or since what ran before them left work behind on
    /// their cores.
    Withdrawn(Vec<Launch>),
}

/// Why an executor cannot start.
#[derive(Debug)]
pub struct ExecError {
    what: String,
    source: io::Error,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Runs attempts on one node until it is dropped, and then leaves no process behind.
///
/// It does not count cores: what it is given, it starts. Kernels that share a core take turns.
/// Dropping it [aborts](Self::abort) it and then waits for the kernels that run.
pub struct Executor {
    shared: Arc<Shared>,
    topology: Topology,
    pinned: bool,
    registry: Registry,
    guards: Vec<Guard>,
    pool: Pool,
}

/// A guard starts one program at a time and waits until it is loaded, which takes most of a
/// millisecond: a node has one for each core, up to this many, so that they do not queue.
const GUARDS: usize = 4;

/// A guard, and the folder that it makes temporary folders in and removes in the end.
struct Guard {
    link: Link,
    scratch: Option<PathBuf>,
}

impl Guard {
    fn start(
        scratch: Option<&Path>,
        base: Vec<CString>,
        shared: &Arc<Shared>,
    ) -> Result<Guard, ExecError> {
        let scratch = scratch.map(private_folder).transpose()?;
        let setup = Setup { base, clock: shared.clock, scratch: scratch.clone() };
        let listener = Arc::clone(shared);
        match Link::start(setup, move |event| listener.hear(event)) {
            Ok(link) => Ok(Guard { link, scratch }),
            Err(source) => {
                remove(scratch.as_deref());
                let what = "cannot start the guard that starts programs".to_owned();
                Err(ExecError { what, source })
            }
        }
    }
}

struct Shared {
    clock: Clock,
    report: Box<dyn Fn(Report) + Send + Sync>,
    closed: AtomicBool,
    kernels: Mutex<Kernels>,
}

impl Executor {
    /// Starts the guard and the pool. `report` is called from any thread, one attempt's start
    /// before its end, each once; it may call the executor, but not drop it.
    ///
    /// The guard is a copy of this process as it is now: the earlier it is started, the less
    /// memory it holds on to.
    ///
    /// # Errors
    /// If the system gives no process, no thread or no folder.
    pub fn start(
        config: ExecutorConfig,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> Result<Executor, ExecError> {
        let ExecutorConfig { topology, pinned, registry, clock, scratch } = config;
        let shared = Arc::new(Shared {
            clock,
            report: Box::new(report),
            closed: AtomicBool::new(false),
            kernels: Mutex::default(),
        });
        let base: Vec<CString> = environment::base(std::env::vars_os()).collect();
        let guard = |_| Guard::start(scratch.as_deref(), base.clone(), &shared);
        let guards = (0..topology.core_count().clamp(1, GUARDS)).map(guard);
        let guards = guards.collect::<Result<Vec<Guard>, ExecError>>()?;
        let pool = Pool::builder().topology(topology.clone()).pin(pinned).name("evenkeel").build();
        let pool = pool.map_err(|source| ExecError {
            what: "cannot start the thread pool".to_owned(),
            source,
        })?;
        Ok(Executor { shared, topology, pinned, registry, guards, pool })
    }

    /// Starts an attempt, which is told of by reports. Never waits. An attempt that runs already
    /// is not started again.
    pub fn launch(&self, launch: Launch) {
        self.launch_all(vec![launch]);
    }

    /// The same for several. Kernels that come in a row here and have the same cores run one
    /// after the other, and are told of together when the last of them has ended, or when one of
    /// them is [withdrawn](Self::withdraw).
    pub fn launch_all(&self, launches: Vec<Launch>) {
        // Relaxed: a command that slips in while `abort` runs finds the link closed or is killed
        // by its closing, and a kernel is looked at again in `start_lot`.
        if self.shared.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut lot = Draft::default();
        for launch in launches {
            let key = launch.key;
            if lot.last().is_some_and(|last| last.cores != launch.cores) {
                self.start_lot(std::mem::take(&mut lot));
            }
            if let Err(reason) = self.prepare(launch, &mut lot) {
                let now = self.shared.clock.now();
                let ending = Ending::new(Exit::CouldNotStart, Some(reason));
                self.shared.ended(Finish { key, start: now, end: now, ending });
            }
        }
        self.start_lot(lot);
    }

    /// Starts a command; adds a kernel to a `lot`, which is empty or has the same cores.
    fn prepare(&self, launch: Launch, lot: &mut Draft) -> Result<(), String> {
        if lot.last().is_none() {
            self.check_cores(&launch.cores)?;
        }
        match &*launch.work.body {
            Body::Command(argv) => {
                let program = command::program(&launch, argv, &self.topology, self.pinned)?;
                self.guard_of(launch.cores[0]).link.run(Box::new(program));
            }
            Body::Kernel { name, .. } => {
                if !lot.ends_in(name) {
                    let found = self.registry.get(name);
                    let found = found.ok_or_else(|| kernel::unknown(name, &self.registry))?;
                    lot.choose(Arc::clone(found));
                }
                lot.add(launch);
            }
        }
        Ok(())
    }

    /// Neighbouring cores have different guards.
    fn guard_of(&self, core: CoreId) -> &Guard {
        let place = self.topology.cores().position(|own| own.id == core).unwrap_or(0);
        &self.guards[place % self.guards.len()]
    }

    /// A grant comes from another machine, and may be any.
    fn check_cores(&self, granted: &[CoreId]) -> Result<(), String> {
        if granted.is_empty() {
            return Err("no core was granted to it".to_owned());
        }
        for (i, core) in granted.iter().enumerate() {
            if !self.topology.cores().any(|own| own.id == *core) {
                return Err(format!("core {} was granted to it, which this node has not", core.0));
            }
            if granted[..i].contains(core) {
                return Err(format!("core {} was granted to it twice", core.0));
            }
        }
        Ok(())
    }

    /// Has kernels run, if there are any.
    fn start_lot(&self, lot: Draft) {
        let mut kernels = self.shared.kernels.lock();
        // Under the lock, which `abort` takes after it has closed: so either this sees that
        // it has, or `abort` finds the kernels and tells them to stop.
        if self.shared.closed.load(Ordering::Relaxed) {
            return;
        }
        let Some(lot) = kernels.open(lot) else { return };
        drop(kernels);
        let shared = self.shared.clone();
        self.pool.start(&lot.cores.clone(), move |team| shared.run_lot(&lot, team));
    }

    /// Gives back those of these kernels that have not begun, and tells at once of those that ran
    /// before them. The rest ends as ever.
    pub fn withdraw(&self, keys: &[AttemptKey]) {
        let keys: BTreeSet<AttemptKey> = keys.iter().copied().collect();
        let lots = self.shared.kernels.lock().lots(&keys);
        for lot in lots {
            self.shared.give_back(&lot, lot.withdraw(|key| keys.contains(key)));
        }
    }

    /// Ends an attempt: a command's process group gets SIGTERM, and SIGKILL if it is still there
    /// after `grace`; a kernel's [`cancelled`](super::TaskContext::cancelled) turns true. Its end
    /// is reported as ever. An attempt that does not run is none of its business.
    pub fn stop(&self, key: AttemptKey, grace: Span) {
        // A guard that does not run it pays no heed.
        self.guards.iter().for_each(|guard| guard.link.stop(key, grace));
        if let Some(stop) = self.shared.kernels.lock().stop(&key) {
            // Relaxed: read by `TaskContext::cancelled`, which hands on nothing else.
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// The same for all that runs.
    pub fn stop_all(&self, grace: Span) {
        self.guards.iter().for_each(|guard| guard.link.stop_all(grace));
        for stop in self.shared.kernels.lock().stops() {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Ends everything at once and reports nothing more. All programs are gone when it returns;
    /// kernels see `cancelled`, and go when they look.
    pub fn abort(&self) {
        // Release: with the acquire in `Shared::report`, nothing is reported after this.
        self.shared.closed.store(true, Ordering::Release);
        for stop in self.shared.kernels.lock().stops() {
            stop.store(true, Ordering::Relaxed);
        }
        for guard in &self.guards {
            guard.link.close();
            // It has done so already, unless it was killed.
            remove(guard.scratch.as_deref());
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Shared {
    fn report(&self, report: Report) {
        // Acquire: with the release in `Executor::abort`.
        if !self.closed.load(Ordering::Acquire) {
            (self.report)(report);
        }
    }

    fn ended(&self, finish: Finish) {
        self.report(Report::Ended(vec![finish]));
    }

    fn hear(&self, event: Event) {
        match event {
            Event::Started(key, at) => self.report(Report::Started { key, at }),
            Event::Ended(program, outcome) => {
                let key = program.key;
                let (start, end, ending) = command::ending(&program, outcome, self.clock.now());
                self.ended(Finish { key, start, end, ending });
            }
        }
    }

    /// On a worker of the pool.
    fn run_lot(&self, lot: &Lot, team: &Team) {
        let mut runner = Runner::new(team, self.clock);
        let mut ended = None;
        while let Some(part) = lot.next(ended.take()) {
            // Acquire: as in `report`. What waits when all is over never begins.
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            // Relaxed: see `TaskContext::cancelled`. Looked at before the start is told, for what
            // has started cannot have failed to.
            ended = Some(if part.stop.load(Ordering::Relaxed) {
                runner.pass_over(&part.launch)
            } else {
                self.report(Report::Started { key: part.launch.key, at: runner.started() });
                runner.run(part)
            });
            if team.has_detached() {
                // It has the cores until that has ended too.
                break;
            }
        }
        lot.end(ended);
        self.give_back(lot, lot.withdraw(|_| true));
    }

    /// Tells what has ended of a lot, and what of it does not begin.
    fn give_back(&self, lot: &Lot, launches: Vec<Launch>) {
        let ended = lot.take_ended();
        let mut kernels = self.kernels.lock();
        kernels.remove(ended.iter().map(|finish| &finish.key));
        kernels.remove(launches.iter().map(|launch| &launch.key));
        drop(kernels);
        if !ended.is_empty() {
            self.report(Report::Ended(ended));
        }
        if !launches.is_empty() {
            self.report(Report::Withdrawn(launches));
        }
    }
}

/// Removes the private folder, if there is one and it is still there.
fn remove(scratch: Option<&Path>) {
    if let Some(scratch) = scratch {
        let _ = std::fs::remove_dir_all(scratch);
    }
}

/// The number of the next private folder of this process.
static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// Makes a folder in `parent` that nobody else can look into.
fn private_folder(parent: &Path) -> Result<PathBuf, ExecError> {
    loop {
        // Relaxed: only to be different each time.
        let n = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("evenkeel-{}-{n}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                let what =
                    format!("cannot make a folder for temporary files in `{}`", parent.display());
                return Err(ExecError { what, source });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, JobId, PeerId, TaskId, Work};

    #[test]
    fn a_kernel_that_slips_in_beside_an_abort_is_not_begun() {
        let config = ExecutorConfig {
            topology: Topology::flat(1),
            pinned: false,
            registry: Registry::default(),
            clock: Clock::start(),
            scratch: None,
        };
        let executor = Executor::start(config, |_| {}).unwrap();
        let body = Body::Kernel { name: "noop".to_owned(), args: ().into() };
        let launch = Launch {
            key: AttemptKey {
                job: JobId(0),
                task: TaskId(0),
                attempt: Attempt(1),
                epoch: crate::model::Epoch(1),
            },
            node: PeerId(0),
            work: Arc::new(Work::new("late", body)),
            cores: [CoreId(0)].into(),
            gpus: Vec::new(),
            time_left: None,
        };
        executor.abort();
        // Past the first look at whether it is closed, as when both happen at once.
        let mut lot = Draft::default();
        executor.prepare(launch, &mut lot).unwrap();
        executor.start_lot(lot);
        assert!(executor.shared.kernels.lock().is_empty(), "nothing would ever tell it to stop");
    }
}
