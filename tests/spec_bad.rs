//! Malformed files, each with the message that a user gets.
#![cfg(feature = "files")]

use std::fs;
use std::path::{Path, PathBuf};

use evenkeel::spec::{
    Limits, ReadOptions, Source, parse_platform_string, read_hostfile, read_job_within,
    read_platform,
};

fn bad() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/bad");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What is said of a file; by its name it is a platform, a hostfile or a job.
fn message(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    let source = Source { name: file, text: &text };
    // A large sweep must be refused here as it is on a small machine.
    let limits = Limits { tasks: 1_000_000, dependencies: 1_000_000 };
    let read = if file.starts_with("platform") {
        read_platform(source).map(|_| ())
    } else if file.starts_with("hosts") {
        read_hostfile(source).map(|_| ())
    } else {
        read_job_within(source, &ReadOptions::default(), limits).map(|_| ())
    };
    match read {
        Ok(()) => panic!("{file} was read without an error"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn every_bad_file_has_its_message() {
    let files = bad();
    assert!(files.len() >= 40, "only {} files in jobs/bad", files.len());
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap().replace('.', "-");
        insta::assert_snapshot!(name, message(path));
    }
}

#[test]
fn every_message_names_the_file_and_a_mend() {
    for path in bad() {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        for part in message(&path).split("error: ").skip(1) {
            assert!(part.contains(&format!("--> {file}")), "{part}");
            assert!(part.contains(" = help: "), "{part}");
            let mut quoted = part.lines().filter(|line| line.contains(" | "));
            assert!(quoted.all(|line| line.chars().count() < 130), "{part}");
        }
    }
}

#[test]
fn no_snapshot_is_left_of_a_file_that_is_gone() {
    let files: Vec<String> = bad()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().replace('.', "-"))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for entry in fs::read_dir(folder).unwrap() {
        let snapshot = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) =
            snapshot.strip_prefix("spec_bad__").and_then(|s| s.strip_suffix(".snap"))
        {
            assert!(files.iter().any(|file| file == name) || name == "lines", "{snapshot}");
        }
    }
}

#[test]
fn every_bad_platform_line_has_its_message() {
    let lines = [
        "",
        "4 nodes",
        "4 nodes x",
        "x x x",
        "four nodes x core:8",
        "0 nodes x core:8",
        "4 nodes x numa:2",
        "4 nodes x cores:8",
        "4 nodes x core:8 core:4",
        "4 nodes x core:0",
        "4 nodes x core:8 memory:lots",
        "4 nodes x core:8 speed:-1",
        "core:8 x 4 nodes",
        "4 nodes x core:8 x core:4",
        "4 nodes x 2 subclusters x core:8",
        "999999 subclusters x 999999 nodes x core:1",
        "4 nodes x numa:2 kernel:8",
    ];
    let messages = lines.map(|line| match parse_platform_string(line) {
        Ok(_) => panic!("`{line}` was read without an error"),
        Err(errors) => errors.to_string(),
    });
    insta::assert_snapshot!("lines", messages.join("\n\n"));
}
