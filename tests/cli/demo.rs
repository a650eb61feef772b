//! The demo, as it runs where nobody watches.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::records::{self, Parents};
use crate::scratch::Scratch;

/// What the demo may take without optimisation, beside other tests.
const PATIENCE: Duration = Duration::from_secs(240);

/// The tasks of the demo.
fn job() -> Parents {
    let mut job = Parents::new();
    let tile = |row: u32, column: u32| format!("tile-{row}-{column}");
    for row in 0..20 {
        job.extend((0..30).map(|column| (tile(row, column), Vec::new())));
        job.insert(format!("row-{row}"), (0..30).map(|column| tile(row, column)).collect());
    }
    job.insert("image".to_owned(), (0..20).map(|row| format!("row-{row}")).collect());
    job
}

#[test]
fn the_demo_shows_that_it_was_right() {
    let scratch = Scratch::new();
    let finished = scratch.start(&["demo"]).wait_within(PATIENCE).expect(0);
    let shown = &finished.stdout;
    let folder = scratch.path("evenkeel-runs/demo-1");
    records::expect_all_done(&folder, &job());
    assert!(!shown.contains('\x1b'), "no terminal, no escapes: {shown}");
    assert!((10..=16).contains(&shown.lines().count()), "some 15 lines: {shown}");
    let line = |start: &str| {
        let line = shown.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no line begins with {start}: {shown}"))
    };
    assert!(line("records ").contains(" hold: "), "{shown}");
    let lines = records::lines(&folder);
    let image = lines.iter().find(|line| line.task == "image" && line.state == "done").unwrap();
    let sum = image.json["value"]["crc32"].as_u64().unwrap();
    assert!(line("checksum ").contains(&format!("{sum:08x}, as on one core")), "{shown}");
    if let Some(killed) = shown.lines().find(|line| line.starts_with("killed ")) {
        assert!(killed.contains("node 3"), "{killed}");
    } else {
        assert!(line("no node is killed: ").len() > 20, "{shown}");
    }
    let png = fs::read(folder.join("demo.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"), "a picture");
    scratch.expect_no_process(Duration::from_secs(1));
    // What it says to try next can be typed as it stands there.
    let next = shown.lines().skip_while(|line| !line.starts_with("try next")).collect::<Vec<_>>();
    assert_eq!(next.len(), 3, "{shown}");
    for command in next.iter().map(|line| line["try next".len()..].trim()) {
        let mut shell = scratch.program("sh");
        // The last one runs the job again: that it is understood is enough.
        shell.args(["-c", &command.replace(" run ", " check ")]);
        scratch.start_command(shell).wait().expect(0);
    }
}

#[test]
fn a_demo_that_is_interrupted_leaves_a_run_that_can_go_on() {
    let scratch = Scratch::new();
    let mut running = scratch.start(&["demo", "--no-launcher", "--run-dir", "out"]);
    running.wait_until("a record", || !scratch.read("out/records.jsonl").is_empty());
    running.signal(Signal::INT);
    let finished = running.wait().expect(4);
    assert!(finished.stderr.contains("run --resume out"), "{}", finished.stderr);
    scratch.expect_no_process(Duration::from_secs(1));
    let status = scratch.run(&["status", "out", "--exit-code"]).expect(4);
    assert!(status.stdout.contains("interrupted"), "{}", status.stdout);
}

#[test]
fn a_demo_that_cannot_be_says_why() {
    let scratch = Scratch::new();
    let finished = scratch.run(&["demo", "--nodes", "1"]).expect(2);
    assert!(finished.stderr.contains("2 subclusters of 1 nodes"), "{}", finished.stderr);
    scratch.write("out.toml", "name = \"mine\"");
    let finished = scratch.run(&["demo", "--run-dir", "out"]).expect(2);
    assert!(finished.stderr.contains("out.toml: another job"), "{}", finished.stderr);
    assert_eq!(scratch.read("out.toml"), "name = \"mine\"");
    fs::create_dir(scratch.path("full")).unwrap();
    scratch.write("full/file", "");
    let finished = scratch.run(&["demo", "--no-launcher", "--run-dir", "full"]).expect(2);
    assert!(finished.stderr.contains("full"), "{}", finished.stderr);
    assert!(!scratch.path("full.toml").exists());
}
