//! No text makes a reader panic, and what it reads fits into the limits.
//!
//! ```sh
//! mkdir -p fuzz/target/corpus/spec
//! cargo +nightly fuzz run spec fuzz/target/corpus/spec tests/corpus/spec jobs jobs/bad
//! ```
#![no_main]

use evenkeel::model::Graph;
use evenkeel::spec::{
    Limits, ReadOptions, Source, check_capacity, parse_platform_string, read_hostfile,
    read_job_within, read_platform,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = Source { name: "fuzz", text };
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
});
