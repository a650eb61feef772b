//! Commands that can be found among all processes of the host, and counted.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel::model::{PeerId, Settings, Task};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const MARK: &str = "EVENKEEL_TEST_MARK";

/// What marks the commands of one test. Dropping it ends those that still run.
pub(crate) struct Mark {
    dir: TempDir,
}

impl Mark {
    pub(crate) fn new() -> Mark {
        Mark { dir: TempDir::new().unwrap() }
    }

    fn text(&self) -> String {
        self.dir.path().display().to_string()
    }

    /// A command that writes its name into a file when it ends, after so many seconds.
    pub(crate) fn sleep(&self, name: &str, seconds: f64) -> Task {
        let line = format!("sleep {seconds}; echo {name} >> \"${MARK}/ended\"");
        let mut task = Task::command(name, ["sh", "-c", &line]);
        let env = vec![(MARK.to_owned(), self.text())];
        task.settings = Arc::new(Settings { env, ..Settings::default() });
        task
    }

    /// The names of the commands that ended, each as often as it did.
    pub(crate) fn ended(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("ended")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The processes that live, of `node` or of all.
    fn processes(&self, node: Option<PeerId>) -> Vec<Pid> {
        let mark = format!("{MARK}={}", self.text());
        let node = node.map(|node| format!("EVENKEEL_NODE={}", node.0));
        let is_marked = |pid: &Pid| {
            let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_pid()));
            let environ = environ.unwrap_or_default();
            let has = |text: &str| environ.split(|b| *b == 0).any(|one| one == text.as_bytes());
            has(&mark) && node.as_deref().is_none_or(has)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Pid::from_raw).filter(is_marked).collect()
    }

    /// Sees that within a second no process is left, of `node` or at all.
    #[track_caller]
    pub(crate) fn expect_no_process(&self, node: Option<PeerId>) {
        let until = Instant::now() + Duration::from_secs(1);
        while !self.processes(node).is_empty() {
            assert!(Instant::now() < until, "of {node:?} live on: {:?}", self.processes(node));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for pid in self.processes(None) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
