//! The run that the demo starts, as a process of its own.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};

use crate::cli::Failure;
use crate::host;
use crate::model::ExitCode;

/// How often a run is asked to end before it is killed, each time with more urgency, and how long
/// it may take after each.
const ASKED: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A run that was started. Dropping it leaves no process of it.
pub(super) struct Process {
    child: Child,
    /// What it said on standard error.
    said: Arc<Mutex<String>>,
}

impl Process {
    /// Starts this program with `args`.
    pub(super) fn start(args: &[String]) -> Result<Process, Failure> {
        spawn(args).map_err(|error| {
            Failure::new(ExitCode::Infrastructure, format!("cannot start the run: {error}"))
        })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it said on standard error.
    pub(super) fn said(&self) -> String {
        self.said.lock().clone()
    }

    /// Asks it to end, so that it can be resumed, and waits for that.
    pub(super) fn interrupt(&mut self) {
        for _ in 0..ASKED {
            if self.has_ended() {
                return;
            }
            let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
            let until = Instant::now() + PATIENCE;
            while !self.has_ended() && Instant::now() < until {
                thread::sleep(LOOK);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // What it has left behind was handed down to this process.
        host::end_all_children(Duration::ZERO);
    }
}

fn spawn(args: &[String]) -> io::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    // Out of the way of the terminal's Ctrl-C: how the run is to end is said once, by us.
    command.args(args).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    host::ends_with_its_starter(&mut command);
    set_child_subreaper(Some(getpid()))?;
    let mut child = command.spawn()?;
    let said = Arc::default();
    if let Some(stderr) = child.stderr.take() {
        listen(stderr, Arc::clone(&said))?;
    }
    Ok(Process { child, said })
}

/// Keeps what comes from `stderr`, as long as anyone can write there.
fn listen(stderr: ChildStderr, said: Arc<Mutex<String>>) -> io::Result<()> {
    let keep = move || {
        let lines = BufReader::new(stderr).lines().map_while(io::Result::ok);
        lines.for_each(|line| *said.lock() += &(line + "\n"));
    };
    thread::Builder::new().name("stderr".to_owned()).spawn(keep).map(drop)
}
