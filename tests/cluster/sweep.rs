//! A job of many short tasks, and how far it is.

use crate::records::Parents;
use crate::scratch::{Running, Scratch};

/// Writes a job of `count` tasks to `job.toml`, each of which takes a twentieth of a second.
pub(crate) fn job(scratch: &Scratch, count: u32) -> Parents {
    job_of(scratch, count, "sleep 0.05")
}

/// The same with another command.
pub(crate) fn job_of(scratch: &Scratch, count: u32, command: &str) -> Parents {
    let text = format!(
        "name = \"j\"\n[[sweep]]\nname = \"t\"\nproduct = {{ i = {{ from = 1, to = {count} }} }}\n\
         command = \"{command}\"\n"
    );
    scratch.write("job.toml", &text);
    (1..=count).map(|i| (format!("t-{i}"), Vec::new())).collect()
}

/// How many records there are in the folder of a run.
pub(crate) fn recorded(scratch: &Scratch, folder: &str) -> usize {
    scratch.read(&format!("{folder}/records.jsonl")).lines().count()
}

/// Waits until so many tasks are done.
#[track_caller]
pub(crate) fn comes_to(running: &mut Running<'_>, scratch: &Scratch, count: usize) {
    running.wait_until("some records", || recorded(scratch, "run") >= count);
}
