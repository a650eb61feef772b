//! Owners that live, die, sleep and race.

use std::process::{Child, Command, Stdio};
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// A process that lives until it is dropped.
struct Process(Child);

impl Process {
    fn start() -> Process {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Process(child.expect("cat starts"))
    }

    fn owner(&self) -> Owner {
        let pid = self.0.id();
        Owner { pid, started: start_of(pid).expect("it lives"), ..Owner::current() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn owned_by(owner: &Owner) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("owner.1"), owner.text()).unwrap();
    folder
}

fn elsewhere() -> Owner {
    Owner { host: "far".to_owned(), place: "another boot".to_owned(), ..Owner::current() }
}

#[test]
fn an_owner_that_lives_is_respected_and_a_dead_one_is_not() {
    let mut process = Process::start();
    let owner = process.owner();
    let folder = owned_by(&owner);
    match Ownership::take(folder.path(), LONG) {
        Err(StoreError::Owned { owner: found, .. }) => assert_eq!(found, owner),
        other => panic!("{other:?}"),
    }
    process.0.kill().unwrap();
    // Dead as soon as it is a zombie, also where nobody waits for it.
    let deadline = Instant::now() + LONG;
    while owner.life() == Life::Alive && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(Ownership::take(folder.path(), LONG).unwrap().number(), 2);
}

#[test]
fn a_process_that_only_has_the_number_of_the_owner_is_not_the_owner() {
    let process = Process::start();
    let owner = Owner { started: process.owner().started - 1, ..process.owner() };
    assert_eq!(owner.life(), Life::Dead);
    assert!(Ownership::take(owned_by(&owner).path(), LONG).is_ok());
}

#[test]
fn one_process_cannot_own_a_folder_twice_and_numbers_only_grow() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..4 {
        let ownership = Ownership::take(folder.path(), LONG).unwrap();
        assert_eq!(ownership.number(), number);
        assert!(matches!(Ownership::take(folder.path(), LONG), Err(StoreError::Owned { .. })));
        assert_eq!(Owner::of(folder.path()).unwrap(), Some(Owner::current()));
        drop(ownership);
        assert_eq!(Owner::of(folder.path()).unwrap(), None);
    }
}

#[test]
fn a_silent_owner_elsewhere_is_replaced_and_notices() {
    let folder = owned_by(&elsewhere());
    let started = Instant::now();
    let first = Ownership::take(folder.path(), SHORT).unwrap();
    assert!(started.elapsed() >= SHORT);
    first.confirm().unwrap();

    // As another host would see the first one.
    fs::write(folder.path().join("owner.2"), elsewhere().text()).unwrap();
    let second = Ownership::take(folder.path(), SHORT).unwrap();
    assert!(matches!(first.confirm(), Err(StoreError::TakenOver(_))));
    drop(first);
    second.confirm().unwrap();
    assert_eq!(second.number(), 3);
}

#[test]
fn an_owner_elsewhere_that_beats_is_respected() {
    let folder = owned_by(&elsewhere());
    let path = folder.path().join("owner.1");
    thread::scope(|scope| {
        let taker = scope.spawn(|| Ownership::take(folder.path(), LONG));
        let mut beat = SystemTime::now();
        while !taker.is_finished() {
            beat += Duration::from_secs(1);
            File::options().write(true).open(&path).unwrap().set_modified(beat).unwrap();
            thread::yield_now();
        }
        match taker.join().unwrap() {
            Err(StoreError::Owned { owner, .. }) => assert_eq!(owner, elsewhere()),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_half_written_claim_of_a_dead_process_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    for cut in [0, 5, Owner::current().text().len() - 1] {
        let text = &Owner::current().text()[..cut];
        assert_eq!(Owner::parse(text), None);
        fs::write(folder.path().join("owner.9"), text).unwrap();
        drop(Ownership::take(folder.path(), SHORT).unwrap());
        fs::remove_file(folder.path().join("released.10")).unwrap();
    }
}

#[test]
fn of_many_that_race_for_a_folder_one_wins() {
    const RACERS: usize = 8;
    for _ in 0..20 {
        let mut process = Process::start();
        let folder = owned_by(&process.owner());
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        let barrier = Barrier::new(RACERS);
        let race = || {
            barrier.wait();
            let won = Ownership::take(folder.path(), LONG);
            // Nobody lets go before all have tried.
            barrier.wait();
            won.is_ok()
        };
        let winners = thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(race)).collect();
            racers.into_iter().filter_map(|r| r.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(winners, 1);
    }
}

/// One that owns `folder`, and another one that has taken it over since: as it looks to hosts
/// that do not see each other's processes.
fn taken_over(folder: &Path) -> (Ownership, Ownership) {
    let first = Ownership::take(folder, SHORT).unwrap();
    let claim = first.claim.path(folder);
    fs::write(claim, elsewhere().text()).unwrap();
    let second = Ownership::take(folder, SHORT).unwrap();
    (first, second)
}

#[test]
fn what_a_former_owner_had_in_hand_comes_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verdict.json");
    let first = Ownership::take(folder.path(), SHORT).unwrap();
    // It has written its draft, and stands still before it puts it in its place.
    first.confirm().unwrap();
    fs::write(first.draft("verdict.json"), "late").unwrap();
    fs::write(first.claim.path(folder.path()), elsewhere().text()).unwrap();
    let second = Ownership::take(folder.path(), SHORT).unwrap();
    fs::write(second.draft("verdict.json"), "new").unwrap();
    second.put("verdict.json").unwrap();
    assert!(matches!(first.put("verdict.json"), Err(StoreError::TakenOver(_))));
    assert!(matches!(first.withdraw("verdict.json"), Err(StoreError::TakenOver(_))));
    assert!(fs::write(first.draft("verdict.json"), "later").is_err(), "there is no place for it");
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    second.withdraw("verdict.json").unwrap();
    second.withdraw("verdict.json").unwrap();
    assert!(!path.exists());
}

#[test]
fn nothing_is_left_of_the_drafts_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let (first, second) = taken_over(folder.path());
    assert_eq!(names(), [".draft.2", "owner.2"]);
    drop(first);
    assert_eq!(names(), [".draft.2", "owner.2"]);
    drop(second);
    assert_eq!(names(), ["released.2"]);
    // One died in the middle of taking over.
    for left in [".void.1", ".draft.3"] {
        fs::create_dir(folder.path().join(left)).unwrap();
        fs::write(folder.path().join(left).join("file"), "").unwrap();
    }
    let third = Ownership::take(folder.path(), SHORT).unwrap();
    assert_eq!((third.number(), names()), (3, vec![".draft.3".to_owned(), "owner.3".to_owned()]));
}

#[test]
fn an_heir_waits_for_the_death_of_an_owner_and_not_for_its_sleep() {
    let mut process = Process::start();
    let owner = process.owner();
    let folder = owned_by(&owner);
    thread::scope(|scope| {
        let heir = scope.spawn(|| Ownership::inherit(folder.path(), LONG));
        process.0.kill().unwrap();
        assert_eq!(heir.join().unwrap().unwrap().expect("it is dead").number(), 2);
    });
    // One that lives and does nothing is taken for hung.
    let process = Process::start();
    let folder = owned_by(&process.owner());
    let taken = Ownership::inherit(folder.path(), SHORT).unwrap().expect("it gives no sign");
    assert_eq!(taken.number(), 2);
    // One that lets go leaves nothing.
    drop(taken);
    assert!(Ownership::inherit(folder.path(), LONG).unwrap().is_none());
}

#[test]
fn an_heir_leaves_an_owner_alone_that_gives_signs_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Ownership::take(folder.path(), SHORT).unwrap();
    thread::scope(|scope| {
        let heir = scope.spawn(|| Ownership::inherit(folder.path(), SHORT));
        let until = Instant::now() + 4 * SHORT;
        while Instant::now() < until {
            let touched = File::options().write(true).open(owner.claim.path(folder.path()));
            touched.unwrap().set_modified(SystemTime::now()).unwrap();
            thread::sleep(SHORT / 10);
        }
        assert!(!heir.is_finished(), "{:?}", heir.join());
        drop(owner);
        assert!(heir.join().unwrap().unwrap().is_none());
    });
}
