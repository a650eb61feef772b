//! What `evenkeel journal` shows, checks and exports, of runs that ended, go on or were cut off.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::gates::{self, open, started};
use crate::scratch::Scratch;

const CHAIN: &str = r#"
name = "chain"
[[task]]
name = "a"
command = ["true"]
[[sweep]]
name = "b"
product = { i = { from = 7, to = 7 } }
after = ["a"]
kernel = "noop"
meta = { colour = "blue" }
[[task]]
name = "c"
after = ["b"]
command = "echo why >&2; exit 3"
"#;

/// A folder with a run that has ended, in `run`.
fn ended() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("job.toml", CHAIN);
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(1);
    scratch
}

/// The file that is the journal.
fn volume(scratch: &Scratch) -> PathBuf {
    let names = fs::read_dir(scratch.path("run")).unwrap().flatten().map(|entry| entry.path());
    let mut found =
        names.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("journal."));
    let one = found.next().expect("there is one");
    assert_eq!(found.next(), None);
    one
}

fn json(scratch: &Scratch, args: &[&str], code: i32) -> Value {
    serde_json::from_str(&scratch.run(args).expect(code).stdout).unwrap()
}

/// With `N` for each number.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }) {
        if !(c == 'N' && out.ends_with('N')) {
            out.push(c);
        }
    }
    out
}

fn expect_export_is_what_the_run_wrote(scratch: &Scratch) {
    let wrote = scratch.read("run/records.jsonl");
    assert!(!wrote.is_empty());
    assert_eq!(scratch.run(&["journal", "export", "run"]).expect(0).stdout, wrote);
    let printed = scratch.run(&["journal", "export", "run", "--output", "again"]).expect(0).stdout;
    assert_eq!((printed.as_str(), scratch.read("again")), ("", wrote));
}

#[test]
fn a_journal_is_shown_an_entry_a_line() {
    let scratch = ended();
    let run = json(&scratch, &["journal", "verify", "run", "--json"], 0)["run"].clone();
    let shown = |args: &[&str]| {
        let finished = scratch.run(args).expect(0);
        let text = finished.shown(&scratch).replace(run.as_str().unwrap(), "RUN");
        format!("$ evenkeel {}\n{text}", args.join(" "))
    };
    let all = [
        shown(&["journal", "show", "run"]),
        shown(&["journal", "show", "run", "--task", "b-7"]),
        shown(&["journal", "show", "run", "--task", "2", "--tail", "1"]),
        without_numbers(&shown(&["journal", "verify", "run"])),
    ];
    insta::assert_snapshot!("journal_show", all.join("\n\n"));
    let refused = scratch.run(&["journal", "show", "run", "--task", "d"]).expect(2);
    assert_eq!(refused.stderr, "error: the job has no task `d`\n");
}

#[test]
fn a_journal_in_json_has_an_object_a_line() {
    let scratch = ended();
    let lines = scratch.run(&["journal", "show", "run", "--json"]).expect(0).stdout;
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let expected = [
        "opened",
        "submitted",
        "sealed",
        "granted",
        "ended",
        "granted",
        "ended",
        "granted",
        "ended",
        "closed",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        lines[5]["attempts"],
        serde_json::json!([{ "task": "b-7", "index": 1, "attempt": 1 }])
    );
    let records = scratch.read("run/records.jsonl");
    let second: Value = serde_json::from_str(records.lines().nth(1).unwrap()).unwrap();
    assert_eq!(lines[6]["record"], second);
    assert_eq!(second["meta"]["colour"], "blue");
    assert_eq!(lines[9]["verdict"]["exit_code"], 1);
}

#[test]
fn records_are_made_again_from_the_journal_alone() {
    let scratch = ended();
    expect_export_is_what_the_run_wrote(&scratch);
    scratch.run(&["run", "--resume", "run"]).expect(1);
    expect_export_is_what_the_run_wrote(&scratch);
    let wrote = scratch.read("run/records.jsonl");
    fs::remove_file(scratch.path("run/records.jsonl")).unwrap();
    assert_eq!(scratch.run(&["journal", "export", "run"]).expect(0).stdout, wrote);
    let refused = scratch.run(&["journal", "export", "run", "--output", "no/such"]).expect(3);
    assert!(refused.stderr.starts_with("error: cannot write no/such: "), "{}", refused.stderr);
    if std::path::Path::new("/dev/full").exists() {
        let refused = scratch.run(&["journal", "export", "run", "-o", "/dev/full"]).expect(3);
        assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);
    }
}

#[test]
fn a_run_that_goes_on_is_looked_into_and_left_alone() {
    let (scratch, job) = gates::scratch();
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run"]);
    running.wait_until("a task that runs", || started(&scratch) > 0);
    running.wait_until("the entry that says so", || {
        scratch.run(&["journal", "show", "run"]).expect(0).stdout.contains("granted")
    });
    scratch.run(&["journal", "verify", "run"]).expect(0);
    assert_eq!(scratch.run(&["journal", "export", "run"]).expect(0).stdout, "");
    assert!(scratch.path("run/owner.1").exists());
    open(&scratch);
    running.wait().expect(0);
    crate::records::expect_all_done(&scratch.path("run"), &job);
    expect_export_is_what_the_run_wrote(&scratch);
}

#[test]
fn a_run_that_was_cut_off_has_records_too() {
    let (scratch, job) = gates::scratch();
    let quick = "[[task]]\nname = \"quick\"\npriority = 1\ncommand = [\"true\"]\n";
    scratch.write("more.toml", &(scratch.read("job.toml") + quick));
    let mut running = scratch.start(&["run", "more.toml", "--run-dir", "run"]);
    running.wait_until("a record", || scratch.read("run/records.jsonl").contains("\"quick\""));
    running.wait_until("a task that runs", || started(&scratch) > 0);
    running.kill();
    expect_export_is_what_the_run_wrote(&scratch);
    scratch.run(&["journal", "verify", "run"]).expect(0);
    open(&scratch);
    scratch.run(&["run", "--resume", "run"]).expect(0);
    assert!(crate::records::lines(&scratch.path("run")).len() > job.len());
    expect_export_is_what_the_run_wrote(&scratch);
}

#[test]
fn what_is_wrong_with_a_journal_is_found_with_its_place() {
    let scratch = ended();
    let path = volume(&scratch);
    let whole = fs::read(&path).unwrap();
    let verify = ["journal", "verify", "run", "--json"];

    fs::write(&path, [&whole[..], b"half of it"].concat()).unwrap();
    let torn = json(&scratch, &verify, 0);
    assert_eq!(torn["torn"], serde_json::json!({ "offset": whole.len(), "bytes": 10 }));
    let text = scratch.run(&["journal", "verify", "run"]).expect(0).stdout;
    assert!(text.contains("the last 10 bytes") && text.ends_with("sound\n"), "{text}");

    // In the name of the first task.
    let at = whole.windows(5).position(|w| w == b"chain").unwrap();
    let mut damaged = whole.clone();
    damaged[at] ^= 4;
    fs::write(&path, &damaged).unwrap();
    let found = json(&scratch, &verify, 3);
    let problem = &found["problems"][0];
    assert_eq!((&found["sound"], &problem["file"]), (&false.into(), &"journal.1".into()));
    let offset = problem["offset"].as_u64().unwrap() as usize;
    assert!(offset <= at && at - offset < 60, "{problem}");
    let refused = scratch.run(&["journal", "verify", "run"]).expect(3);
    assert!(refused.stderr.contains(&format!("damaged at byte {offset}")), "{}", refused.stderr);

    fs::write(&path, "no journal at all").unwrap();
    scratch.run(&["journal", "verify", "run"]).expect(3);
    fs::write(&path, [b"evenkeel", &9u32.to_le_bytes()[..], &[0; 60]].concat()).unwrap();
    let refused = scratch.run(&["journal", "verify", "run"]).expect(3);
    assert!(refused.stderr.contains("format version 9"), "{}", refused.stderr);
    fs::remove_file(&path).unwrap();
    for command in ["show", "verify", "export"] {
        let refused = scratch.run(&["journal", command, "run"]).expect(2);
        assert_eq!(refused.stderr, "error: run holds no run: it has no journal\n");
    }
}
