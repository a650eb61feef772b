//! Runs that were recorded, stepped through again.

use std::fs;

use crate::scratch::Scratch;

const JOB: &str = r#"
name = "recorded"
[[sweep]]
name = "part"
product = { i = { from = 1, to = 30 } }
kernel = "sum"
args = { value = "%{i}" }
[[sweep]]
name = "command"
product = { i = { from = 1, to = 10 } }
command = "test %{i} != 3 || test $EVENKEEL_ATTEMPT = 2"
retries = 1
[[task]]
name = "last"
kernel = "sum"
after = ["command"]
"#;

fn recorded(shape: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("job.toml", &JOB.replace("\"%{i}\" }", "1 }"));
    let args = [&["run", "job.toml", "--run-dir", "run", "--record"], shape].concat();
    scratch.run(&args).expect(0);
    scratch
}

#[test]
fn a_run_on_one_node_is_replayed_to_the_byte() {
    let scratch = recorded(&[]);
    let replayed = scratch.run(&["replay", "run"]).expect(0);
    assert_eq!(replayed.stdout.lines().count(), 1);
    assert!(replayed.stdout.contains("all the same"), "{}", replayed.stdout);
}

#[test]
fn a_run_on_many_nodes_is_replayed_to_the_byte() {
    let scratch = recorded(&["--nodes", "4", "--subclusters", "2"]);
    let replayed = scratch.run(&["replay", "run"]).expect(0);
    assert_eq!(replayed.stdout.lines().count(), 4);
}

#[test]
fn a_resumed_run_is_replayed_from_where_it_was_taken_up() {
    let scratch = Scratch::new();
    scratch.write("job.toml", &JOB.replace("\"%{i}\" }", "1 }"));
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run", "--record"]);
    running.wait_until("a record", || !scratch.read("run/records.jsonl").is_empty());
    running.kill();
    scratch.run(&["run", "--resume", "run", "--record"]).expect(0);
    scratch.run(&["replay", "run"]).expect(0);
}

/// Where the blocks of a recording begin, lengths left out: after the seat, each step is a time,
/// an event and actions.
fn blocks(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = 4;
    let mut blocks = Vec::new();
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        blocks.push(at + 4..at + 4 + length);
        at += 4 + length;
    }
    blocks
}

#[test]
fn a_byte_that_differs_is_found() {
    let scratch = recorded(&[]);
    let path = scratch.path("run/inputs-0");
    let good = fs::read(&path).unwrap();
    let blocks = blocks(&good);
    let actions: Vec<_> = blocks[1..].chunks(3).filter_map(|step| step.get(2)).collect();
    let (first, last) = {
        let mut with_actions = actions.iter().filter(|block| !block.is_empty());
        (with_actions.next().unwrap().start, with_actions.next_back().unwrap().end - 1)
    };
    for at in [first, last] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        let differs = scratch.run(&["replay", "run"]).expect(3);
        assert!(differs.stderr.contains("step"), "{}", differs.stderr);
    }
    fs::write(&path, &good).unwrap();
    scratch.run(&["replay", "run"]).expect(0);
}

#[test]
fn a_recording_that_is_none_is_bad_input() {
    let scratch = recorded(&[]);
    fs::write(scratch.path("run/inputs-0"), "nothing that was recorded").unwrap();
    scratch.run(&["replay", "run"]).expect(2);
}
