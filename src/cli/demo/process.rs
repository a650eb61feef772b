//! The run that the demo starts, as a process of its own.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::cli::Failure;
use crate::model::{ExitCode, NodeInfo, Record, Verdict};
use crate::report;

/// How long a run that is to end may take for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run that was started. Dropping it leaves no process of it.
pub(super) struct Process {
    child: Child,
    folder: PathBuf,
    /// What it said on standard error.
    said: Arc<Mutex<String>>,
    nodes: Vec<NodeInfo>,
    /// How much of the records was read: whole lines.
    read: usize,
}

impl Process {
    /// Starts this program with `args`, to run a job in `folder`.
    pub(super) fn start(args: &[String], folder: &Path) -> Result<Process, Failure> {
        let start = || {
            let mut command = Command::new(env::current_exe()?);
            // In a group of its own: at Ctrl-C it is this process that tells it to end.
            command.args(args).process_group(0);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn()
        };
        let mut child = start().map_err(|error| {
            Failure::new(ExitCode::Infrastructure, format!("cannot start the run: {error}"))
        })?;
        let said = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, Arc::clone(&said));
        }
        Ok(Process { child, folder: folder.to_owned(), said, nodes: Vec::new(), read: 0 })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it said on standard error.
    pub(super) fn said(&self) -> String {
        self.said.lock().clone()
    }

    /// The nodes of the run, once it has told of them.
    pub(super) fn nodes(&mut self) -> &[NodeInfo] {
        if self.nodes.is_empty()
            && let Ok(text) = fs::read_to_string(self.folder.join("nodes.json"))
        {
            self.nodes = report::nodes_from_json(&text).unwrap_or_default();
        }
        &self.nodes
    }

    /// The records that came since the last call.
    pub(super) fn records(&mut self) -> Vec<Record> {
        let all = fs::read_to_string(self.folder.join("records.jsonl")).unwrap_or_default();
        let new = &all[self.read.min(all.len())..];
        let whole = new.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole;
        new[..whole].lines().filter_map(|line| report::record_from_json(line).ok()).collect()
    }

    /// How the run ended.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let text = fs::read_to_string(self.folder.join("verdict.json")).ok()?;
        report::verdict_from_json(&text).ok()
    }

    /// Tells it to end in an orderly way, and waits for that as long as is fair.
    pub(super) fn interrupt(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let until = Instant::now() + PATIENCE;
        while !self.has_ended() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Keeps what comes from `stderr`, as long as anyone can write there.
fn listen(stderr: ChildStderr, said: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map_while(io::Result::ok);
        lines.for_each(|line| *said.lock() += &(line + "\n"));
    });
}
