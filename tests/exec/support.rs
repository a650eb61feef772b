//! An executor whose reports are gathered, and ways to wait for them with a bound.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use evenkeel::exec::{Executor, ExecutorConfig, Registry, Report};
use evenkeel::host::Clock;
use evenkeel::model::{
    Attempt, AttemptKey, Body, CoreId, Ending, JobId, Launch, PeerId, Settings, TaskId, Time,
    Topology, Value, Work,
};

/// What any single thing may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bed {
    pub(crate) executor: Executor,
    pub(crate) reports: Receiver<Report>,
}

impl Bed {
    pub(crate) fn new() -> Bed {
        Bed::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ExecutorConfig)) -> Bed {
        let mut config = ExecutorConfig {
            topology: Topology::flat(2),
            pinned: false,
            registry: Registry::default(),
            clock: Clock::start(),
            scratch: None,
        };
        change(&mut config);
        let (sender, reports) = channel();
        // The receiver may be gone while the executor is being dropped.
        let executor = Executor::start(config, move |report| drop(sender.send(report))).unwrap();
        Bed { executor, reports }
    }

    /// Runs one attempt to its end.
    pub(crate) fn run(&self, launch: Launch) -> Ending {
        let key = launch.key;
        self.executor.launch(launch);
        self.ended(key)
    }

    pub(crate) fn sh(&self, script: &str) -> Ending {
        self.run(sh(1, script))
    }

    /// Waits for the start of an attempt; all other reports until then are dropped.
    pub(crate) fn started(&self, wanted: AttemptKey) -> Time {
        self.wait(|report| match report {
            Report::Started { key, at } if key == wanted => Some(at),
            Report::Ended(all) if all.iter().any(|f| f.key == wanted) => panic!("ended: {all:?}"),
            _ => None,
        })
    }

    /// Waits for the end of an attempt; all other reports until then are dropped.
    pub(crate) fn ended(&self, wanted: AttemptKey) -> Ending {
        self.wait(|report| match report {
            Report::Ended(all) => Some(all.into_iter().find(|f| f.key == wanted)?.ending),
            _ => None,
        })
    }

    fn wait<T>(&self, mut pick: impl FnMut(Report) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let report = self.reports.recv_timeout(left).expect("a report in time");
            if let Some(found) = pick(report) {
                return found;
            }
        }
    }
}

pub(crate) fn key(task: u32) -> AttemptKey {
    AttemptKey {
        job: JobId(7),
        task: TaskId(task),
        attempt: Attempt(1),
        epoch: evenkeel::model::Epoch(1),
    }
}

pub(crate) fn launch(task: u32, body: Body) -> Launch {
    Launch {
        key: key(task),
        node: PeerId(3),
        work: Arc::new(Work::new(format!("task-{task}"), body)),
        cores: [CoreId(0)].into(),
        gpus: Vec::new(),
        time_left: None,
    }
}

pub(crate) fn command(task: u32, argv: &[&str]) -> Launch {
    launch(task, Body::Command(argv.iter().map(|arg| (*arg).to_owned()).collect()))
}

pub(crate) fn sh(task: u32, script: &str) -> Launch {
    command(task, &["sh", "-c", script])
}

pub(crate) fn kernel(task: u32, name: &str, args: impl Into<Value>) -> Launch {
    launch(task, Body::Kernel { name: name.to_owned(), args: args.into() })
}

pub(crate) fn work(launch: &mut Launch) -> &mut Work {
    Arc::make_mut(&mut launch.work)
}

pub(crate) fn settings(launch: &mut Launch) -> &mut Settings {
    Arc::make_mut(&mut work(launch).settings)
}

pub(crate) fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// Polls until `is_true`, or fails saying what was waited for.
pub(crate) fn until(what: &str, bound: Duration, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + bound;
    while !is_true() {
        assert!(Instant::now() < deadline, "not within {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process of this number runs; a zombie does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The process ids that tasks wrote to `path`, one a line, as soon as there are `n` of them.
pub(crate) fn pids(path: &Path, n: usize) -> Vec<i32> {
    let mut found = Vec::new();
    until("the process ids of all tasks", PATIENCE, || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        found = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
        found.len() >= n && text.ends_with('\n')
    });
    found
}

/// Kills what a failed test would leave behind.
pub(crate) struct Killed(pub(crate) Vec<i32>);

impl Drop for Killed {
    fn drop(&mut self) {
        for pid in self.0.iter().filter(|pid| is_alive(**pid)) {
            kill(*pid);
        }
    }
}

pub(crate) fn kill(pid: i32) {
    use rustix::process::{Pid, Signal, kill_process};
    let _ = kill_process(Pid::from_raw(pid).expect("a process id is not 0"), Signal::KILL);
}

/// The guards of this very process, by their names and parents.
pub(crate) fn guards() -> Vec<i32> {
    let me = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_guard = |pid: &i32| {
        let stat = stat(*pid);
        stat.is_some_and(|(name, fields)| {
            name == "evenkeel-guard" && fields[0] != "Z" && fields[1] == me
        })
    };
    pids.filter(is_guard).collect()
}

/// Whether `parent` is the parent of `pid`.
pub(crate) fn is_child(pid: i32, parent: i32) -> bool {
    stat(pid).is_some_and(|(_, fields)| fields[1] == parent.to_string())
}

/// The name of a process, and the fields after it in its `stat`: state, parent, and so on.
fn stat(pid: i32) -> Option<(String, Vec<String>)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.rsplit_once(')')?;
    let name = name.split_once('(')?.1.to_owned();
    Some((name, rest.split_whitespace().map(str::to_owned).collect()))
}
