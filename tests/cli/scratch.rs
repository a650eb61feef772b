//! A folder to run the program in, and the processes that come from there.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// Nothing here takes as long as this, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The variable by which all processes that come from a scratch folder are known.
const MARK: &str = "EVENKEEL_TEST_SCRATCH";

/// A folder of its own for one test. Dropping it ends every process that was started in it.
pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { dir: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The text of a file, empty if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn mark(&self) -> String {
        format!("{MARK}={}", self.dir.path().display())
    }

    /// `evenkeel` with `args`, in this folder and in a group of its own.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_evenkeel"));
        command.args(args);
        command
    }

    /// Another program, likewise.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env(MARK, self.dir.path())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env_remove("HWLOC_SYNTHETIC")
            .env_remove("HWLOC_XMLFILE")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Starts the program; what it writes is kept.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Running<'_> {
        self.start_command(self.command(args))
    }

    pub(crate) fn start_command(&self, mut command: Command) -> Running<'_> {
        let output =
            tempfile::Builder::new().prefix("output").tempdir_in(&self.dir).unwrap().keep();
        let file = |name| File::create(output.join(name)).unwrap();
        command.stdout(file("out")).stderr(file("err"));
        Running { child: command.spawn().unwrap(), output, scratch: self }
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Finished {
        self.start(args).wait()
    }

    /// The processes that come from here and live: runs, their guards, their tasks.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        self.processes_with(&[])
    }

    /// Those of them that have one of `variables`, or all if there are none.
    fn processes_with(&self, variables: &[String]) -> Vec<Pid> {
        let mark = self.mark();
        let is_marked = |pid: &Pid| {
            let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_pid()));
            let environ = environ.unwrap_or_default();
            let has = |one: &String| environ.split(|b| *b == 0).any(|own| own == one.as_bytes());
            has(&mark) && (variables.is_empty() || variables.iter().any(has))
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Pid::from_raw).filter(is_marked).collect()
    }

    /// Sees that soon no process is left.
    #[track_caller]
    pub(crate) fn expect_no_process(&self, within: Duration) {
        self.expect_no_process_with(&[], within);
    }

    /// Sees that soon none is left that has one of `variables`, or none at all.
    #[track_caller]
    pub(crate) fn expect_no_process_with(&self, variables: &[String], within: Duration) {
        let gone = poll(within, || self.processes_with(variables).is_empty());
        let what = |pid: &Pid| {
            let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid()));
            String::from_utf8_lossy(&command.unwrap_or_default()).replace('\0', " ")
        };
        let left: Vec<String> = self.processes_with(variables).iter().map(what).collect();
        assert!(gone || left.is_empty(), "left running: {left:#?}");
    }

    /// What people read, with all that differs from run to run replaced.
    pub(crate) fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.dir.path().display().to_string(), "SCRATCH");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let line = |line: &str| {
            let indent = line.len() - line.trim_start().len();
            let word = |word: &str| match word.strip_prefix(&host) {
                Some(rest @ ("" | ":")) => format!("HOST{rest}"),
                _ => word.to_owned(),
            };
            " ".repeat(indent) + &redact_times(line.split_whitespace().map(word).collect())
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Replaces each number that has a unit of time, `%` or `x` after it.
fn redact_times(mut words: Vec<String>) -> String {
    for i in 1..words.len() {
        let unit = words[i].trim_end_matches([')', ',', ':']).to_owned();
        let number = words[i - 1].trim_start_matches('(').to_owned();
        if number.parse::<f64>().is_err() {
            continue;
        }
        match unit.as_str() {
            "ns" | "µs" | "ms" | "s" => words[i] = words[i].replacen(&unit, "TIME", 1),
            "%" | "x" => {}
            _ => continue,
        }
        words[i - 1] = words[i - 1].replacen(&number, "N", 1);
    }
    words.join(" ")
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Those that start others first die with what they start; a second look finds the rest.
        poll(Duration::from_secs(5), || {
            let left = self.processes();
            left.iter().for_each(|pid| {
                let _ = kill_process(*pid, Signal::KILL);
            });
            left.is_empty()
        });
    }
}

/// A program that runs. Dropping it kills it.
pub(crate) struct Running<'a> {
    child: Child,
    output: PathBuf,
    scratch: &'a Scratch,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// To all of its process group, as a terminal does at Ctrl-C.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    pub(crate) fn stderr(&self) -> String {
        read(&self.output, "err")
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until `is_so`; a program that ends before is a failure of the test.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let mut ended = false;
        let so = poll(LIMIT, || {
            ended = self.has_ended();
            is_so() || ended
        });
        assert!(so && !ended, "never came: {what}; stderr: {}", self.stderr());
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(self) -> Finished {
        self.wait_within(LIMIT)
    }

    /// Waits for the end of what may take longer than other things.
    #[track_caller]
    pub(crate) fn wait_within(mut self, limit: Duration) -> Finished {
        let ended = poll(limit, || self.has_ended());
        let (stdout, stderr) = (read(&self.output, "out"), self.stderr());
        assert!(ended, "still runs after {limit:?}\nstdout: {stdout}\nstderr: {stderr}");
        Finished { status: self.child.wait().unwrap(), stdout, stderr }
    }

    /// Kills it where it stands, and sees that nothing of it lives on.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.scratch.expect_no_process(Duration::from_secs(1));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(folder: &Path, name: &str) -> String {
    String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap_or_default()).into_owned()
}

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Sees that it ended with `code`, and without a panic.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Finished {
        let Finished { status, stdout, stderr } = &self;
        let all = format!("{status}\nstdout: {stdout}\nstderr: {stderr}");
        assert_eq!(status.code(), Some(code), "signal {:?}, {all}", status.signal());
        assert!(!stderr.contains("panicked"), "{all}");
        self
    }

    /// All that people see of it.
    pub(crate) fn shown(&self, scratch: &Scratch) -> String {
        let code = self.status.code().map_or("none".to_owned(), |code| code.to_string());
        let part = |text: &str| scratch.redact(text);
        format!(
            "exit {code}\n--- stdout\n{}\n--- stderr\n{}",
            part(&self.stdout),
            part(&self.stderr)
        )
    }
}

/// Asks until it is so; false if it has not come to be `within` that time.
pub(crate) fn poll(within: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + within;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
