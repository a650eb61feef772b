//! The writer against a disk that fails and a machine that crashes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::begin::Begun;
use super::writer::{Confirm, Queue, Writer};
use super::*;
use crate::store::disk::{Disk, Tail};

const VOLUME: Volume = Volume { epoch: 1, part: 0 };

/// Small pages, so that a group spans many.
const PAGE: usize = 16;

/// A disk with a page cache, as Linux has it: what is written is durable only after a sync, a
/// failed sync writes some pages and forgets that the others were dirty, and a crash leaves any
/// of the dirty ones.
struct Sim {
    cache: Vec<u8>,
    dirty: Vec<bool>,
    durable: Vec<u8>,
    /// So many bytes more can be written before the machine crashes.
    until_crash: usize,
    crashed: bool,
    /// In how many of 256 calls something goes wrong.
    faults: u64,
    random: u64,
}

impl Sim {
    fn new(seed: u64, faults: u64, until_crash: usize) -> Sim {
        let durable = format::head(&Head { run: 1, volume: VOLUME, kept: 0, origin: None });
        Sim {
            cache: durable.clone(),
            dirty: vec![false; durable.len()],
            durable,
            until_crash,
            crashed: false,
            faults,
            random: seed | 1,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % below
    }

    fn is_unlucky(&mut self) -> bool {
        self.draw(256) < self.faults
    }

    fn check(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("crashed")) } else { Ok(()) }
    }

    /// What the file holds after a crash.
    fn after_crash(&mut self) -> Vec<u8> {
        let mut image = self.durable.clone();
        let (shorter, longer) = (image.len(), self.cache.len());
        if longer > shorter {
            let grown = self.draw((longer - shorter + 1) as u64) as usize;
            image.resize(shorter + grown, 0);
        }
        for start in (0..image.len().min(longer)).step_by(PAGE) {
            let kept = self.draw(2) == 0;
            for at in start..(start + PAGE).min(image.len()).min(longer) {
                if kept && self.dirty[at] {
                    image[at] = self.cache[at];
                }
            }
        }
        image
    }
}

impl Disk for Arc<Mutex<Sim>> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut sim = self.lock();
        sim.check()?;
        let mut n = bytes.len();
        let mut full = false;
        if sim.is_unlucky() {
            match sim.draw(4) {
                0 => return Err(io::ErrorKind::Interrupted.into()),
                1 => return Err(io::ErrorKind::StorageFull.into()),
                _ => n = sim.draw(n as u64 + 1) as usize,
            }
            full = n == 0;
        }
        n = n.min(sim.until_crash);
        sim.until_crash -= n;
        let at = offset as usize;
        assert!(at <= sim.cache.len(), "a hole in the journal");
        let end = at + n;
        if sim.cache.len() < end {
            sim.cache.resize(end, 0);
            sim.dirty.resize(end, false);
        }
        sim.cache[at..end].copy_from_slice(&bytes[..n]);
        sim.dirty[at..end].fill(true);
        sim.crashed = sim.until_crash == 0;
        if full { Ok(0) } else { sim.check().map(|()| n) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut sim = self.lock();
        sim.check()?;
        if sim.is_unlucky() {
            sim.durable = sim.after_crash();
            sim.dirty.fill(false);
            return Err(io::Error::other("the disk did not answer"));
        }
        let length = sim.cache.len();
        sim.durable.resize(length, 0);
        for at in 0..length {
            if std::mem::take(&mut sim.dirty[at]) {
                sim.durable[at] = sim.cache[at];
            }
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut sim = self.lock();
        sim.check()?;
        sim.cache.truncate(len as usize);
        sim.dirty.truncate(len as usize);
        Ok(())
    }
}

/// The record at `place`: no two alike, of different lengths.
fn record(place: u64) -> Vec<u8> {
    place.to_le_bytes().repeat((place % 5) as usize)
}

/// What writes a journal on the disk `sim`.
fn writer(
    sim: &Arc<Mutex<Sim>>,
    queue: Arc<Queue<Vec<u8>>>,
    confirm: Confirm,
    on_commit: Box<dyn FnMut(Commit) + Send>,
) -> Writer<Verbatim, Arc<Mutex<Sim>>> {
    let tail = Tail::new(sim.clone(), sim.lock().cache.len() as u64);
    let path = PathBuf::from(VOLUME.name());
    Writer {
        queue,
        scribe: Verbatim,
        begun: Begun { run: 1, volume: VOLUME, path, tail, records: 0 },
        window: Duration::ZERO,
        confirm,
        rewrite: Box::new(|_, _| unreachable!("nobody asks for it")),
        on_commit,
        durable: 0,
        group: Vec::new(),
        spare: Vec::new(),
    }
}

/// Appends groups of these sizes, each when the one before is durable, until all are or the
/// disk crashes. Gives how many records were reported durable.
///
/// All on this thread: the queue is filled from the callback.
fn drive(sim: &Arc<Mutex<Sim>>, groups: &[u64]) -> u64 {
    let queue = Arc::new(Queue::default());
    let reported = Arc::new(AtomicU64::new(0));
    let mut places = 1..;
    let mut fill = move |queue: &Queue<Vec<u8>>, n: u64| {
        for place in places.by_ref().take(n as usize) {
            assert_eq!(queue.append(record(place), 1), place);
        }
    };
    let on_commit = {
        let (queue, sim, reported) = (queue.clone(), sim.clone(), reported.clone());
        let mut groups = Vec::from(groups).into_iter();
        fill(&queue, groups.next().unwrap_or(0));
        move |commit| match commit {
            Commit::Durable(upto) => {
                assert!(reported.swap(upto, Ordering::Relaxed) < upto);
                match groups.next() {
                    Some(n) => fill(&queue, n),
                    None => queue.close(),
                }
            }
            Commit::Failed { .. } if sim.lock().crashed => queue.close(),
            Commit::Failed { .. } => queue.flush(),
        }
    };
    let result = writer(sim, queue, Box::new(|| Ok(())), Box::new(on_commit)).run();
    assert_eq!(
        result.is_err(),
        sim.lock().crashed && reported.load(Ordering::Relaxed) < groups.iter().sum()
    );
    reported.load(Ordering::Relaxed)
}

fn check(recovered: &Recovered, reported: u64, appended: u64) {
    assert!(recovered.len() >= reported, "{} of {reported} durable", recovered.len());
    assert!(recovered.len() <= appended);
    for (found, place) in recovered.records().zip(1..) {
        assert_eq!(found, record(place), "record {place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_leaves_a_prefix_with_all_that_was_reported_durable(
        seed: u64,
        faults in prop_oneof![Just(0u64), 0..128u64],
        crash in 1..4000usize,
        groups in prop::collection::vec(1..20u64, 1..10),
    ) {
        let sim = Arc::new(Mutex::new(Sim::new(seed, faults, crash)));
        let reported = drive(&sim, &groups);
        let image = sim.lock().after_crash();
        let recovered = format::scan(image).expect("a crash is not damage");
        check(&recovered, reported, groups.iter().sum());
    }

    #[test]
    fn a_disk_that_fails_and_comes_back_loses_nothing(
        seed: u64,
        faults in 0..160u64,
        groups in prop::collection::vec(1..20u64, 1..10),
    ) {
        let sim = Arc::new(Mutex::new(Sim::new(seed, faults, usize::MAX)));
        let appended = groups.iter().sum();
        prop_assert_eq!(drive(&sim, &groups), appended);
        let recovered = format::scan(sim.lock().durable.clone()).expect("whole");
        prop_assert_eq!(recovered.len(), appended);
        check(&recovered, appended, appended);
    }
}

#[test]
fn a_group_that_was_written_while_another_took_over_is_not_reported() {
    // Of two groups of three records each, before and after each write: where it happens.
    for taken_at in 0..4 {
        let sim = Arc::new(Mutex::new(Sim::new(1, 0, usize::MAX)));
        let queue = Arc::new(Queue::default());
        let fill = |queue: &Queue<Vec<u8>>, places: std::ops::RangeInclusive<u64>| {
            places.for_each(|place| assert_eq!(queue.append(record(place), 1), place));
        };
        fill(&queue, 1..=3);
        let mut looks = 0..;
        let (disk, seen) = (sim.clone(), Arc::new(Mutex::new(None)));
        let successor = seen.clone();
        let confirm = move || {
            if looks.next() < Some(taken_at) {
                return Ok(());
            }
            // Whoever takes over reads what is there by now.
            successor.lock().get_or_insert_with(|| disk.lock().cache.clone());
            Err(StoreError::TakenOver(PathBuf::from("run")))
        };
        let reported = Arc::new(AtomicU64::new(0));
        let (count, filled) = (reported.clone(), queue.clone());
        let on_commit = move |commit| {
            if let Commit::Durable(upto) = commit {
                count.store(upto, Ordering::Relaxed);
                fill(&filled, 4..=6);
            }
        };
        let ended = writer(&sim, queue, Box::new(confirm), Box::new(on_commit)).run();
        assert!(matches!(ended, Err(StoreError::TakenOver(_))), "{ended:?}");
        let reported = reported.load(Ordering::Relaxed);
        assert_eq!(reported, if taken_at < 2 { 0 } else { 3 });
        let read = format::scan(seen.lock().take().expect("somebody took over")).unwrap();
        assert!(read.len() >= reported, "{} of {reported} are read", read.len());
    }
}

#[test]
fn a_record_that_is_too_long_ends_the_journal_which_says_so_and_blocks_nobody() {
    let sim = Arc::new(Mutex::new(Sim::new(1, 0, usize::MAX)));
    let queue = Arc::new(Queue::default());
    queue.append(vec![0; format::LONGEST_RECORD + 1], 1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let all = told.clone();
    let on_commit = move |commit| all.lock().push(commit);
    let ended = writer(&sim, queue.clone(), Box::new(|| Ok(())), Box::new(on_commit)).run();
    let is_too_long = |error: &StoreError| matches!(error, StoreError::TooLong { bytes, .. } if *bytes == format::LONGEST_RECORD + 1);
    assert!(ended.as_ref().is_err_and(is_too_long), "{ended:?}");
    let told = told.lock();
    assert!(matches!(&told[..], [Commit::Failed { error }] if is_too_long(error)), "{told:?}");
    for place in 2..5 {
        assert_eq!(queue.append(record(place), usize::MAX / 2), place);
    }
}
