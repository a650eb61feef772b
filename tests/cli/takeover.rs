//! A process that stands still while another takes its run over, and then goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::effects;
use crate::random::Random;
use crate::records;
use crate::scratch::{LIMIT, Scratch, poll};

/// Makes the owner of the run look dead: as one does that is suspended with its whole host.
fn declare_dead(scratch: &Scratch) {
    let owner = scratch.path("run/owner.1");
    let text = fs::read_to_string(&owner).unwrap();
    let line = |line: &str| match line.strip_prefix("started ") {
        Some(_) => "started 1\n".to_owned(),
        None => format!("{line}\n"),
    };
    fs::write(owner, text.lines().map(line).collect::<String>()).unwrap();
}

/// All that is in the folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

/// Stops a run at a random moment, has another process end it, and lets the first go on. False if
/// there was nothing to take over yet, or no more.
fn takes_over(random: &mut Random) -> bool {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        "name = \"many\"\n[[sweep]]\nname = \"n\"\n\
         product = { i = { from = 1, to = 1500 } }\nkernel = \"noop\"\n",
    );
    let job = (1..=1500).map(|i| (format!("n-{i}"), Vec::new())).collect();
    let mut former = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    let goal = 1 + random.below(300_000);
    let size = |name: &str| fs::metadata(scratch.path(name)).map_or(0, |meta| meta.len());
    let mut ended = false;
    poll(LIMIT, || {
        ended = former.has_ended();
        let grown = effects::journal(&scratch).unwrap_or(0) + size("run/records.jsonl");
        ended || grown >= goal
    });
    if ended {
        return false;
    }
    former.signal(Signal::STOP);
    let told = scratch.run(&["journal", "show", "run"]).stdout.contains("submitted");
    if !told || scratch.path("run/verdict.json").exists() {
        return false;
    }
    declare_dead(&scratch);
    scratch.run(&["run", "--resume", "run"]).expect(0);
    let left = contents(&scratch.path("run"));
    former.signal(Signal::CONT);
    let former = former.wait().expect(3);
    assert!(former.stderr.contains("was taken over by another process"), "{}", former.stderr);
    assert_eq!(contents(&scratch.path("run")), left, "nothing changes any more");
    records::expect_all_done(&scratch.path("run"), &job);
    scratch.run(&["journal", "verify", "run"]).expect(0);
    let exported = scratch.run(&["journal", "export", "run"]).expect(0).stdout;
    assert_eq!(exported, scratch.read("run/records.jsonl"));
    true
}

#[test]
fn a_run_that_was_taken_over_writes_nothing_any_more_and_ends() {
    let mut random = Random::new();
    let taken = (0..40).filter(|_| takes_over(&mut random)).take(6).count();
    eprintln!("{taken} runs were taken over");
    assert_eq!(taken, 6);
}

/// So long a master stands still that sees afterwards, before anything else, whether it is one still.
const LONG: std::time::Duration = std::time::Duration::from_secs(11);

#[test]
fn a_master_that_stood_still_for_long_begins_nothing_under_another() {
    let scratch = Scratch::new();
    let folder = scratch.path("").display().to_string();
    scratch.write(
        "job.toml",
        &format!(
            "name = \"j\"\n[[sweep]]\nname = \"t\"\nproduct = {{ i = {{ from = 1, to = 40 }} }}\n\
             cwd = \"{folder}\"\ncommand = \"echo %{{i}} >> ran; sleep 0.5\"\n"
        ),
    );
    let mut former = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    let ran = || scratch.read("ran").lines().count();
    former.wait_until("some tasks", || ran() >= 4);
    former.signal(Signal::STOP);
    std::thread::sleep(LONG);
    declare_dead(&scratch);
    scratch.run(&["run", "--resume", "run"]).expect(0);
    let before = ran();
    former.signal(Signal::CONT);
    let former = former.wait().expect(3);
    assert!(former.stderr.contains("was taken over by another process"), "{}", former.stderr);
    assert_eq!(ran(), before, "it begins nothing");
}
