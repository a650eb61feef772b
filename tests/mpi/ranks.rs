//! The ranks of a run, as it publishes them, and the processes that come from each.

use std::fs;
use std::time::Duration;

use evenkeel::host::Process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scratch::{LIMIT, Running, Scratch, poll};

/// A rank of a run.
#[derive(Clone, Debug)]
pub(crate) struct Rank {
    pub(crate) node: u64,
    pub(crate) subcluster: u64,
    pub(crate) host: String,
    pub(crate) cores: Vec<u64>,
    pub(crate) pinned: bool,
    pid: Pid,
}

/// The ranks of the run in the folder `run`.
#[track_caller]
pub(crate) fn ranks(scratch: &Scratch) -> Vec<Rank> {
    let text = fs::read_to_string(scratch.path("run/nodes.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let rank = |json: &Value| Rank {
        node: number(&json["node"]),
        subcluster: number(&json["subcluster"]),
        host: json["host"].as_str().unwrap().to_owned(),
        cores: json["cores"].as_array().unwrap().iter().map(number).collect(),
        pinned: json["pinned"].as_bool().unwrap(),
        pid: Pid::from_raw(number(&json["pid"]) as i32).unwrap(),
    };
    json["nodes"].as_array().unwrap().iter().map(rank).collect()
}

/// The same, once they are known.
#[track_caller]
pub(crate) fn of_running(running: &mut Running<'_>, scratch: &Scratch) -> Vec<Rank> {
    running.wait_until("the ranks", || scratch.path("run/nodes.json").exists());
    ranks(scratch)
}

impl Rank {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Sees that its process ends. It may have given back its memory, and with that the environment
    /// that tells where it comes from, and yet not be gone: it owns its run until then.
    #[track_caller]
    pub(crate) fn expect_gone(&self) {
        let pid = self.pid.as_raw_pid().unsigned_abs();
        assert!(poll(LIMIT, || Process::of(pid).is_none()), "still there: {self:?}");
    }

    /// Kills it where it stands, and sees that nothing of it lives on: neither its guards, which
    /// have the environment of the rank, nor its tasks.
    #[track_caller]
    pub(crate) fn kill(&self, scratch: &Scratch) {
        self.signal(Signal::KILL);
        let its = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "EVENKEEL_NODE"];
        let its = its.map(|name| format!("{name}={}", self.node));
        scratch.expect_no_process_with(&its, Duration::from_secs(1));
    }
}
