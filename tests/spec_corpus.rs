//! What the fuzzer begins from, and what it has found, run without it.
#![cfg(feature = "files")]

use std::fs;
use std::path::Path;

use evenkeel::model::Graph;
use evenkeel::spec::{
    Limits, ReadOptions, Source, check_capacity, parse_platform_string, read_hostfile,
    read_job_within, read_platform,
};

/// The same as the fuzz target does.
fn read(text: &str) {
    let source = Source { name: "corpus", text };
    let limits = Limits { tasks: 1000, dependencies: 10_000 };
    match read_job_within(source, &ReadOptions::default(), limits) {
        Ok(file) => {
            assert!(file.job.tasks.len() <= 1000);
            let graph = Graph::new(&file.job).expect("a job that was read has no ring");
            assert_eq!(graph.len(), file.job.tasks.len());
            let names = file.job.resources.clone();
            if let Err(errors) = check_capacity(&file.job, Some(&file.locations), &[], &names) {
                assert!(!errors.to_string().is_empty());
            }
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
    if let Err(errors) = read_platform(source) {
        assert!(!errors.to_string().is_empty());
    }
    if let Err(errors) = read_hostfile(source) {
        assert!(!errors.to_string().is_empty());
    }
    if let Err(errors) = parse_platform_string(text) {
        assert!(!errors.to_string().is_empty());
    }
}

#[test]
fn no_file_of_the_corpus_makes_a_reader_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["tests/corpus/spec", "jobs", "jobs/bad"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(text) =
                fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            {
                read(&text);
            }
        }
    }
}

#[test]
fn no_part_of_a_good_file_makes_a_reader_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    for name in ["heft-platform.toml", "sweep.toml"] {
        let text = fs::read_to_string(root.join(name)).unwrap();
        (0..text.len()).filter_map(|end| text.get(..end)).for_each(read);
    }
}
