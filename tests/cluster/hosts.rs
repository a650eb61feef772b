//! Hosts out of the box, which go with the test that made them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::scratch::Scratch;

/// A box, by the script that makes it. Dropping it ends all that runs in it.
pub(crate) struct Hosts {
    name: String,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster").join(name)
}

/// `cluster/netns` for the box `name`.
fn netns(name: &str, args: &[&str]) -> Output {
    let mut command = Command::new(script("netns"));
    command.env("EVENKEEL_NETNS", name).args(args).stdin(Stdio::null());
    command.output().unwrap()
}

/// Boxes of tests that were killed, and so could not put them away.
fn put_away_the_forsaken() {
    let folder = netns("any", &["folder"]).stdout;
    let folder = PathBuf::from(String::from_utf8_lossy(&folder).trim());
    let entries = fs::read_dir(folder.parent().unwrap()).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name.strip_prefix("test-").and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            netns(&name, &["down"]);
        }
    }
}

impl Hosts {
    /// So many, from h0 on; none, aloud, where they cannot be made.
    pub(crate) fn new(count: u32) -> Option<Hosts> {
        Hosts::up(|name| netns(name, &["up", &count.to_string()]))
    }

    /// A Slurm with nodes from h1 on, likewise.
    #[cfg(feature = "mpi")]
    pub(crate) fn slurm(nodes: u32) -> Option<Hosts> {
        Hosts::up(|name| {
            let mut command = Command::new(script("slurm-in-a-box"));
            command.env("EVENKEEL_NETNS", name).args(["up", &nodes.to_string()]);
            command.stdin(Stdio::null()).output().unwrap()
        })
    }

    fn up(make: impl Fn(&str) -> Output) -> Option<Hosts> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        put_away_the_forsaken();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let hosts = Hosts { name: format!("test-{}-{number}", std::process::id()) };
        let mut output = make(&hosts.name);
        if output.status.success() {
            // What cuts links is there too.
            output = netns(&hosts.name, &["heal"]);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Some(hosts),
            // It cannot, here.
            Some(2) => {
                eprintln!("skipped: {said}");
                None
            }
            _ => panic!("the hosts could not be made: {said}"),
        }
    }

    /// Has it done, in the words of `cluster/netns`. Gives what that says.
    #[track_caller]
    pub(crate) fn does(&self, words: &str) -> String {
        let output = netns(&self.name, &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `cluster/netns` with `args`, in a scratch folder.
    pub(crate) fn command(&self, scratch: &Scratch, args: &[&str]) -> Command {
        self.script(scratch, "netns", args)
    }

    /// `cluster/slurm-in-a-box` with `args`, likewise.
    #[cfg(feature = "mpi")]
    pub(crate) fn slurm_command(&self, scratch: &Scratch, args: &[&str]) -> Command {
        self.script(scratch, "slurm-in-a-box", args)
    }

    /// A script, where `evenkeel` is the program that is tested.
    fn script(&self, scratch: &Scratch, name: &str, args: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_evenkeel")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut command = scratch.program(script(name).to_str().unwrap());
        command.env("EVENKEEL_NETNS", &self.name).args(args);
        command.env("PATH", format!("{}:{path}", program.display()));
        command
    }

    /// What runs on a host, by number.
    pub(crate) fn pids(&self, host: &str) -> Vec<String> {
        let list = self.does("list");
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(host));
        // The state is of several words, none of which is a number alone.
        let words = line.unwrap().split_whitespace().skip(2);
        words.filter(|word| word.parse::<u32>().is_ok()).map(str::to_owned).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let output = netns(&self.name, &["down"]);
        if !output.status.success() {
            eprintln!("the box {} could not be put away: {output:?}", self.name);
        }
    }
}
