//! Jobs that are run in many ways.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::random::Random;
use crate::records::{self, Parents};

/// The recorded workflows: the file of each, and the job in it. None if nobody says where they
/// are.
pub(crate) fn recorded() -> Vec<(PathBuf, Parents)> {
    let Some(data) = std::env::var_os("EVENKEEL_DATA") else {
        eprintln!("skipped: EVENKEEL_DATA does not say where the recorded workflows are");
        return Vec::new();
    };
    // Relative to the package, as a script at its top would have it.
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(data).join("wfformat");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files.into_iter().map(|file| (file.clone(), records::wfformat(&file))).collect()
}

/// A graph of `n` short commands and kernels in no order that could be guessed: the text of its
/// job file, and the job.
pub(crate) fn random_graph(random: &mut Random, n: u64) -> (String, Parents) {
    let mut text = "name = \"random\"\n".to_owned();
    let mut job = Parents::new();
    for i in 0..n {
        let parents = if i == 0 { 0 } else { random.below(4) };
        let mut parents: Vec<String> =
            (0..parents).map(|_| format!("t{}", random.below(i))).collect();
        parents.sort();
        parents.dedup();
        let body = match random.below(4) {
            0 => "command = [\"true\"]",
            1 => "command = \"true && true\"",
            2 => "kernel = \"spin\"\nargs = { seconds = 0.002 }",
            _ => "kernel = \"noop\"",
        };
        writeln!(text, "[[task]]\nname = \"t{i}\"\n{body}\nafter = {parents:?}").unwrap();
        job.insert(format!("t{i}"), parents);
    }
    (text, job)
}
