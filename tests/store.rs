//! The run folder and its journal on a real disk.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use evenkeel::model::{Epoch, Span};
use evenkeel::store::{
    Commit, Fold, Journal, LAUNCHER_LOG, Recovered, RunFolder, StoreError, Verbatim, Volume,
};

const DEADLINE: Duration = Duration::from_secs(20);
const FOREVER: Span = Span::from_secs(1000);

fn create(folder: &RunFolder, window: Span) -> (Journal, Receiver<Commit>) {
    let (sender, commits) = mpsc::channel();
    let on_commit = move |commit| drop(sender.send(commit));
    (Journal::create(folder, 7, window, |_| Verbatim, on_commit).unwrap(), commits)
}

/// Goes on with all that there is.
fn open(folder: &RunFolder) -> (Journal, Recovered) {
    let read = Journal::read(folder.path()).unwrap();
    let kept = read.records().map(<[u8]>::to_vec);
    let journal =
        Journal::go_on(folder, &read, kept, Journal::WINDOW, |_| Verbatim, |_| {}).unwrap();
    (journal, read)
}

/// The names of the files of the journal, and of nothing else.
fn volumes(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("journal"));
    names.sort();
    names
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
        assert_eq!(journal.append(b"more"), 1, "each owner counts its own");
        journal.close().unwrap();
        assert_eq!(volumes(root.path()), [format!("journal.{}", 2 + more)]);
        let read = Journal::read(root.path()).unwrap();
        let before = read.origin.unwrap();
        assert_eq!((before.volume.epoch, before.records), (1 + more, recovered.len()));
        assert_eq!((before.bytes, read.kept), (recovered.end(), recovered.len()));
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_noted() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    let path = root.path().join("journal.1");
    let whole = fs::metadata(&path).unwrap().len();
    let torn = [fs::read(&path).unwrap(), vec![0; 100]].concat();
    fs::write(&path, torn).unwrap();
    let read = Journal::read(root.path()).unwrap();
    assert_eq!(read.torn.map(|t| (t.offset, t.bytes)), Some((whole, 100)));
    assert_eq!(fs::metadata(&path).unwrap().len(), whole + 100, "reading changes nothing");
    let folder = RunFolder::open(root.path()).unwrap();
    let (journal, recovered) = open(&folder);
    assert_eq!(recovered.torn, read.torn);
    journal.append(b"four");
    journal.close().unwrap();
    let read = Journal::read(root.path()).unwrap();
    assert_eq!(
        (texts(&read), read.torn),
        (["one", "two", "three", "four"].map(str::to_owned).into(), None)
    );
    assert_eq!(read.origin.map(|origin| origin.bytes), Some(whole));
}

#[test]
fn a_takeover_that_dies_in_the_middle_leaves_the_journal_whole() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    let expected = ["one", "two", "three"];
    let read = || Journal::read(root.path()).unwrap();
    // It owned the folder, and no more.
    drop(RunFolder::open(root.path()).unwrap());
    // It had written half of its own file.
    let draft = root.path().join(".draft.3");
    fs::create_dir(&draft).unwrap();
    fs::write(draft.join("journal.3"), "evenkeel").unwrap();
    assert_eq!((texts(&read()), read().volume.epoch), (expected.map(str::to_owned).into(), 1));
    // It had put it in its place, and the former one was still there; whose owner adds to it.
    let former = fs::read(root.path().join("journal.1")).unwrap();
    let folder = RunFolder::open(root.path()).unwrap();
    let (journal, _) = open(&folder);
    drop((journal, folder));
    assert!(!draft.exists());
    fs::write(root.path().join("journal.1"), [former, vec![1; 50]].concat()).unwrap();
    assert_eq!(volumes(root.path()), ["journal.1", "journal.3"]);
    assert_eq!(texts(&read()), expected);
    assert_eq!((read().volume.epoch, read().torn), (3, None));
    let folder = RunFolder::open(root.path()).unwrap();
    drop(open(&folder));
    assert_eq!(volumes(root.path()), ["journal.4"]);
    assert_eq!(texts(&read()), expected);
}

#[test]
fn damage_is_an_error_with_its_place_and_nothing_is_cut() {
    let root = tempfile::tempdir().unwrap();
    three_groups(root.path());
    let path = root.path().join("journal.1");
    let mut bytes = fs::read(&path).unwrap();
    let two = bytes.windows(3).position(|w| w == b"two").unwrap();
    bytes[two] ^= 1;
    fs::write(&path, &bytes).unwrap();
    match Journal::read(root.path()) {
        Err(error @ StoreError::Damaged { .. }) => {
            let place = format!("journal.1 is damaged at byte {}", two - 8);
            assert!(error.to_string().contains(&place), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_journal_of_another_version_is_named() {
    let root = tempfile::tempdir().unwrap();
    let head = [b"evenkeel", &1u32.to_le_bytes()[..], &[0; 20]].concat();
    for name in ["journal", "journal.7"] {
        fs::write(root.path().join(name), &head).unwrap();
        let error = Journal::read(root.path()).unwrap_err();
        assert!(matches!(error, StoreError::Version { found: 1, .. }), "{error}");
        assert!(error.to_string().contains(&format!("{name} has format version 1")), "{error}");
    }
    assert!(matches!(RunFolder::create(root.path()), Err(StoreError::HoldsRun(_))));
}

#[test]
fn a_file_that_is_no_journal_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("journal.1"), "something else entirely, longer than a header")
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
        journal.append(big.clone());
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
    let names = || fs::read_dir(root.path()).unwrap().count();
    assert_eq!(names(), 3, "with two of the owner");
    fs::create_dir(root.path().join("taken")).unwrap();
    let error = folder.publish("taken", b"").unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
    assert_eq!(names(), 4);
    folder.retract("verdict.json").unwrap();
    folder.retract("verdict.json").unwrap();
    assert_eq!(names(), 3);
    drop(folder);
    assert!(root.path().join("released.1").exists());
    assert_eq!(names(), 2, "and the one that is taken");
}

#[test]
fn lines_are_begun_anew_and_not_in_the_file_that_others_have_open() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let read = || fs::read_to_string(root.path().join("records.jsonl")).unwrap();
    let mut lines = folder.lines("records.jsonl").unwrap();
    lines.append(|buffer| buffer.extend(b"one\ntwo\n")).unwrap();
    assert_eq!(read(), "", "nobody has flushed");
    lines.flush().unwrap();
    assert_eq!(read(), "one\ntwo\n");
    let mut others = folder.lines("records.jsonl").unwrap();
    assert_eq!(read(), "");
    lines.append(|buffer| buffer.extend(b"too late\n")).unwrap();
    lines.flush().unwrap();
    others.append(|buffer| buffer.extend(b"eins\n")).unwrap();
    drop((others, lines));
    assert_eq!(read(), "eins\n");
}

/// Leaves out what it has left out already, or begins with a dash.
#[derive(Default)]
struct Shorter {
    left_out: Vec<u8>,
}

impl Fold for Shorter {
    fn keeps(&mut self, record: &[u8]) -> bool {
        if record.starts_with(b"-") {
            self.left_out.extend(&record[1..]);
        }
        !record.starts_with(b"-")
    }

    fn rest(&mut self) -> Vec<Vec<u8>> {
        vec![self.left_out.clone()]
    }
}

#[test]
fn a_journal_is_compacted_while_it_is_written() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (journal, commits) = create(&folder, Span::ZERO);
    let mut place = 0;
    let mut told = Vec::new();
    for part in 1..=3u32 {
        for text in ["a", "-1", "-2", "b"] {
            place = journal.append(text.as_bytes());
        }
        if part != 2 {
            wait(&commits, place);
        }
        journal.compact(Box::new(Shorter::default()));
        let deadline = Instant::now() + DEADLINE;
        let name = format!("journal.1.{part}");
        while volumes(root.path()) != [name.clone()] {
            assert!(Instant::now() < deadline, "{:?}", volumes(root.path()));
            std::thread::sleep(Duration::from_millis(1));
        }
        told.extend(["a", "b", "12"].map(str::to_owned));
        let read = Journal::read(root.path()).unwrap();
        assert_eq!((texts(&read), read.torn), (told.clone(), None));
        assert_eq!((read.volume, read.kept), (Volume { epoch: 1, part }, read.len()));
    }
    journal.append(b"after");
    journal.close().unwrap();
    told.push("after".to_owned());
    assert_eq!(texts(&Journal::read(root.path()).unwrap()), told);
}

#[test]
fn a_journal_that_cannot_be_compacted_goes_on_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (journal, commits) = create(&folder, Span::ZERO);
    // Where the new part would be.
    fs::create_dir(root.path().join("journal.1.1")).unwrap();
    journal.compact(Box::new(Shorter::default()));
    for text in ["-one", "-two"] {
        wait(&commits, journal.append(text.as_bytes()));
    }
    journal.close().unwrap();
    fs::remove_dir(root.path().join("journal.1.1")).unwrap();
    assert_eq!(texts(&Journal::read(root.path()).unwrap()), ["-one", "-two"]);
    assert_eq!(volumes(root.path()), ["journal.1"]);
}
