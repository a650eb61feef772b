//! The run folder and its journal on a real disk.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use evenkeel::model::{Epoch, Span};
use evenkeel::store::{Commit, Journal, LAUNCHER_LOG, Recovered, RunFolder, StoreError};

const DEADLINE: Duration = Duration::from_secs(20);
const FOREVER: Span = Span::from_secs(1000);

fn create(folder: &RunFolder, window: Span) -> (Journal, Receiver<Commit>) {
    let (sender, commits) = mpsc::channel();
    let on_commit = move |commit| drop(sender.send(commit));
    (Journal::create(folder, 7, window, on_commit).unwrap(), commits)
}

fn open(folder: &RunFolder) -> (Journal, Recovered) {
    Journal::open(folder, Journal::WINDOW, |_| {}).unwrap()
}

/// Waits until `records` are durable.
fn wait(commits: &Receiver<Commit>, records: u64) {
    loop {
        match commits.recv_timeout(DEADLINE).expect("a commit in time") {
            Commit::Durable(upto) if upto >= records => return,
            Commit::Durable(_) => {}
            Commit::Failed { error } => panic!("{error}"),
        }
    }
}

fn texts(recovered: &Recovered) -> Vec<String> {
    recovered.records().map(|r| String::from_utf8_lossy(r).into_owned()).collect()
}

/// A folder with a journal of three groups: `one`, `two` and `three`.
fn three_groups(path: &Path) {
    let folder = RunFolder::create(path).unwrap();
    let (journal, commits) = create(&folder, Span::ZERO);
    for (text, place) in ["one", "two", "three"].into_iter().zip(1..) {
        assert_eq!(journal.append(text.as_bytes()), place);
        wait(&commits, place);
    }
    journal.close().unwrap();
}

#[test]
fn a_journal_goes_on_where_it_ended() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    for more in 0..3 {
        let folder = RunFolder::open(root.path()).unwrap();
        assert_eq!(folder.epoch(), Epoch(2 + more));
        let (journal, recovered) = open(&folder);
        assert_eq!((recovered.run, recovered.torn), (7, None));
        assert_eq!(recovered.len(), 3 + u64::from(more));
        assert_eq!(texts(&recovered)[..3], ["one", "two", "three"]);
        assert_eq!(journal.append(b"more"), recovered.len() + 1);
        journal.close().unwrap();
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_noted() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    let path = root.path().join("journal");
    let whole = fs::metadata(&path).unwrap().len();
    let torn = [fs::read(&path).unwrap(), vec![0; 100]].concat();
    fs::write(&path, torn).unwrap();
    let read = Journal::read(root.path()).unwrap();
    assert_eq!(read.torn.map(|t| (t.offset, t.bytes)), Some((whole, 100)));
    assert_eq!(fs::metadata(&path).unwrap().len(), whole + 100, "reading changes nothing");
    let folder = RunFolder::open(root.path()).unwrap();
    let (journal, recovered) = open(&folder);
    assert_eq!(recovered.torn, read.torn);
    assert_eq!(fs::metadata(&path).unwrap().len(), whole);
    journal.append(b"four");
    journal.close().unwrap();
    let read = Journal::read(root.path()).unwrap();
    assert_eq!(
        (texts(&read), read.torn),
        (["one", "two", "three", "four"].map(str::to_owned).into(), None)
    );
}

#[test]
fn damage_is_an_error_with_its_place_and_nothing_is_cut() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    let path = root.path().join("journal");
    let mut bytes = fs::read(&path).unwrap();
    let two = bytes.windows(3).position(|w| w == b"two").unwrap();
    bytes[two] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let folder = RunFolder::open(root.path()).unwrap();
    match Journal::open(&folder, FOREVER, |_| {}) {
        Err(error @ StoreError::Damaged { .. }) => {
            let place = format!("damaged at byte {}", two - 8);
            assert!(error.to_string().contains(&place), "{error}");
        }
        other => panic!("{:?}", other.map(|(_, recovered)| recovered)),
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_that_is_no_journal_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("journal"), "something else entirely, longer than a header")
        .unwrap();
    assert!(matches!(Journal::read(root.path()), Err(StoreError::NotAJournal(_))));
}

#[test]
fn a_record_waits_for_its_window_unless_flushed_or_in_company() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (journal, commits) = create(&folder, FOREVER);
    journal.append(b"after a quiet time, at once");
    wait(&commits, 1);
    journal.append(b"within the window");
    assert!(commits.try_recv().is_err());
    journal.flush();
    wait(&commits, 2);
    for _ in 0..1000 {
        journal.append(b"one of a thousand");
    }
    wait(&commits, 1002);
    journal.append(b"the last");
    journal.close().unwrap();
    assert_eq!(Journal::read(root.path()).unwrap().len(), 1003);
}

#[test]
fn a_journal_that_was_taken_over_ends_and_blocks_nobody() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (journal, commits) = create(&folder, Span::ZERO);
    journal.append(b"mine");
    wait(&commits, 1);
    fs::remove_file(root.path().join("owner.1")).unwrap();
    journal.append(b"too late");
    match commits.recv_timeout(DEADLINE).unwrap() {
        Commit::Failed { error: StoreError::TakenOver(_) } => {}
        other => panic!("{other:?}"),
    }
    let big = vec![0; 48 << 20];
    for _ in 0..4 {
        journal.append(&big);
    }
    assert!(matches!(journal.close(), Err(StoreError::TakenOver(_))));
    assert!(matches!(folder.publish("verdict.json", b"{}"), Err(StoreError::TakenOver(_))));
    assert_eq!(texts(&Journal::read(root.path()).unwrap()), ["mine"]);
}

#[test]
fn the_owner_shows_that_it_lives_while_nothing_happens() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (_journal, _commits) = create(&folder, FOREVER);
    let touched = || fs::metadata(root.path().join("owner.1")).unwrap().modified().unwrap();
    let first = touched();
    let deadline = Instant::now() + DEADLINE;
    while touched() == first {
        assert!(Instant::now() < deadline, "no beat");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_is_not_put_where_something_else_is() {
    let root = tempfile::tempdir().unwrap();
    let new = root.path().join("a/b/c");
    drop(RunFolder::create(&new).unwrap());
    drop(RunFolder::create(&new).expect("nothing was written there yet"));
    assert!(matches!(RunFolder::open(&new), Err(StoreError::NoRun(_))));
    assert!(matches!(RunFolder::create(root.path()), Err(StoreError::NotEmpty(_))));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "left as it was");
    three_groups(&new);
    assert!(matches!(RunFolder::create(&new), Err(StoreError::HoldsRun(_))));
    let folder = RunFolder::open(&new).unwrap();
    assert!(matches!(RunFolder::open(&new), Err(StoreError::Owned { .. })));
    drop(folder);
    RunFolder::open(&new).unwrap();
}

#[test]
fn whether_a_run_could_go_somewhere_is_seen_from_outside() {
    let root = tempfile::tempdir().unwrap();
    let new = root.path().join("new");
    RunFolder::check_vacant(&new).unwrap();
    assert!(!new.exists());
    fs::create_dir(&new).unwrap();
    fs::write(new.join(LAUNCHER_LOG), "what a launcher said before the run began").unwrap();
    RunFolder::check_vacant(&new).unwrap();
    assert!(matches!(RunFolder::check_vacant(root.path()), Err(StoreError::NotEmpty(_))));
    three_groups(&new);
    assert!(matches!(RunFolder::check_vacant(&new), Err(StoreError::HoldsRun(_))));
}

#[test]
fn a_published_file_is_whole_and_leaves_nothing_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    folder.publish("verdict.json", b"old").unwrap();
    folder.publish("verdict.json", b"new").unwrap();
    assert_eq!(fs::read(root.path().join("verdict.json")).unwrap(), b"new");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    fs::create_dir(root.path().join("taken")).unwrap();
    let error = folder.publish("taken", b"").unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
}

#[test]
fn lines_can_be_cut_and_go_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let path = root.path().join("records.jsonl");
    let mut lines = folder.lines("records.jsonl").unwrap();
    lines.append("one\ntwo\n").unwrap();
    assert_eq!((lines.len(), fs::read_to_string(&path).unwrap().len()), (8, 0));
    lines.truncate(4).unwrap();
    lines.flush().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    drop(lines);
    let mut lines = folder.lines("records.jsonl").unwrap();
    lines.append("zwei\n").unwrap();
    lines.truncate(0).unwrap();
    lines.append("eins\n").unwrap();
    lines.truncate(100).unwrap();
    drop(lines);
    assert_eq!(fs::read_to_string(&path).unwrap(), "eins\n");
}

#[test]
fn a_full_disk_is_told_and_tried_again() {
    // Where every write fails with "no space left on device".
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    std::os::unix::fs::symlink(full, root.path().join("full")).unwrap();
    let mut lines = folder.lines("full").unwrap();
    lines.append("kept\n").unwrap();
    let error = lines.flush().unwrap_err().to_string();
    assert!(error.contains("free some space"), "{error}");
    assert_eq!(lines.len(), 5);
}
