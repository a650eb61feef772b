//! Jobs that last while others join, and what is to be seen of those.

use std::collections::BTreeSet;

use crate::records::{self, Parents};
use crate::scratch::{Running, Scratch};

/// A job of `n` commands that wait for so many seconds each, and tell that they ran.
pub(crate) fn sleepers(scratch: &Scratch, n: u64, seconds: f64) -> Parents {
    let folder = scratch.path("").display().to_string();
    scratch.write(
        "job.toml",
        &format!(
            "name = \"sleepers\"\n[[sweep]]\nname = \"s\"\nproduct = {{ i = {{ from = 1, to = {n} }} }}\n\
             cwd = \"{folder}\"\ncommand = \"echo %{{i}} >> ran; sleep {seconds}\"\n"
        ),
    );
    (1..=n).map(|i| (format!("s-{i}"), Vec::new())).collect()
}

/// The same, all of which wait until there is a file `go`.
pub(crate) fn held(scratch: &Scratch, n: u64, seconds: f64) -> Parents {
    let mut job = sleepers(scratch, n, seconds);
    let text = scratch.read("job.toml") + "after = [\"hold\"]\n";
    let go = scratch.path("go").display().to_string();
    let hold = format!("while [ ! -e {go} ]; do sleep 0.1; done");
    scratch.write("job.toml", &format!("{text}[[task]]\nname = \"hold\"\ncommand = \"{hold}\"\n"));
    job.values_mut().for_each(|parents| parents.push("hold".to_owned()));
    job.insert("hold".to_owned(), Vec::new());
    job
}

/// A run of `job.toml` in the folder `run` that others may join.
pub(crate) fn start_open<'a>(scratch: &'a Scratch, more: &[&str]) -> Running<'a> {
    let open = ["run", "job.toml", "--run-dir", "run", "--listen", "lo"];
    let mut run = scratch.start(&[&open, more].concat());
    run.wait_until("the address", || scratch.path("run/address").exists());
    run
}

/// How many the run has let in.
pub(crate) fn let_in(run: &Running<'_>) -> u64 {
    run.stderr().matches("joined, as subcluster").count() as u64
}

/// The nodes that did something, by their numbers.
pub(crate) fn busy(scratch: &Scratch) -> BTreeSet<u64> {
    let lines = records::lines(&scratch.path("run"));
    lines.iter().filter_map(|line| line.json["node"].as_u64()).collect()
}
