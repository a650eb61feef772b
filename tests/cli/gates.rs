//! A job whose commands say that they run and then wait for a file: what ends when is up to the
//! test.

use std::fs;

use crate::records::Parents;
use crate::scratch::Scratch;

const JOB: &str = r#"
name = "signals"
[defaults]
cwd = "SCRATCH"
[[sweep]]
name = "gate"
product = { i = { from = 1, to = GATES } }
command = "touch started-%{i}; until test -e open; do sleep 0.01; done"
[[task]]
name = "last"
after = ["gate"]
command = ["true"]
"#;

/// A folder with the job in `job.toml`, and the job.
pub(crate) fn scratch() -> (Scratch, Parents) {
    scratch_with(6)
}

/// The same with so many that wait.
pub(crate) fn scratch_with(gates: u32) -> (Scratch, Parents) {
    let scratch = Scratch::new();
    let text = JOB.replace("SCRATCH", scratch.path("").to_str().unwrap());
    scratch.write("job.toml", &text.replace("GATES", &gates.to_string()));
    let gates: Vec<String> = (1..=gates).map(|i| format!("gate-{i}")).collect();
    let mut job: Parents = gates.iter().map(|gate| (gate.clone(), Vec::new())).collect();
    job.insert("last".to_owned(), gates);
    (scratch, job)
}

/// How many of the commands run, or have run.
pub(crate) fn started(scratch: &Scratch) -> usize {
    let names = fs::read_dir(scratch.path("")).unwrap().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with("started-")).count()
}

/// Lets all of them end.
pub(crate) fn open(scratch: &Scratch) {
    scratch.write("open", "");
}
