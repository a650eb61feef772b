//! What the models are worth: whatever ordering, fence or comparison of the sources is left out,
//! one of them fails.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use crate::PREEMPTIONS;
use crate::weaken::{LIST, LISTED, WEAKEN};

/// What can be left out without any model failing, by the line of the source and by what it is,
/// and why it is there all the same.
const EXPLAINED: [(&str, &str, &str); 0] = [];

/// The output of a model in a process of its own; an error if it fails.
fn run(model: &str, set: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", model, "--nocapture"]).envs(set.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(text) } else { Err(text + &error) }
}

/// The models of this program.
fn models() -> Vec<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    let list = command.args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("weakenings::")).map(str::to_owned).collect()
}

#[test]
fn each_is_needed() {
    // What can be left out, and which models get there.
    let mut weakenings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for model in models() {
        let output = run(&model, &[(LIST, "1"), (PREEMPTIONS, "1")]).expect("the sources hold");
        for line in output.lines() {
            if let Some((_, weakening)) = line.split_once(LISTED) {
                weakenings.entry(weakening.to_owned()).or_default().push(model.clone());
            }
        }
    }
    let mut unneeded = Vec::new();
    for (weakening, models) in &weakenings {
        let finds = |model: &&String, preemptions: &str| {
            run(model, &[(WEAKEN, weakening), (PREEMPTIONS, preemptions)]).err()
        };
        let found = ["1", "2", "3"].iter().find_map(|preemptions| {
            models.iter().find_map(|model| Some((model, preemptions, finds(&model, preemptions)?)))
        });
        match found {
            Some((model, preemptions, why)) => {
                let why = why.lines().find(|line| line.contains("panicked")).unwrap_or_default();
                eprintln!("{weakening}: {model} {preemptions}: {why}")
            }
            None => {
                eprintln!("UNNEEDED {weakening}");
                unneeded.push(weakening)
            }
        }
    }
    assert_eq!(unneeded, [""; 0]);
}
