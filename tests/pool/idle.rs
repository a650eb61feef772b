//! An idle pool burns nothing, a waiting worker does not either, and both wake when they must.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::host;
use evenkeel::model::CoreId;
use evenkeel::pool::{self, Pool};

use super::{Random, bounded, pool};

/// Of each thread whose name begins with `prefix`: its state, and how often it has given up
/// or lost its processor.
pub(super) fn threads(prefix: &str) -> Vec<(String, u64)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let status = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let field = |status: &str, key: &str| {
        let line = status.lines().find(|line| line.starts_with(key));
        line.map(|line| line[key.len()..].trim().to_owned()).unwrap_or_default()
    };
    let mine = status.filter(|status| field(status, "Name:").starts_with(prefix));
    mine.map(|status| {
        let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
        let switches = switches.map(|key| field(&status, key).parse::<u64>().unwrap());
        (field(&status, "State:"), switches.iter().sum())
    })
    .collect()
}

/// Waits for a while in which all of them sleep and none is scheduled even once. There must be
/// one: what was under way before may still wake them, but only so often.
pub(super) fn assert_asleep(prefix: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let before = threads(prefix);
        assert_eq!(before.len(), count);
        // Not a wait for something to happen, but the while in which nothing may.
        thread::sleep(Duration::from_millis(200));
        let after = threads(prefix);
        if before == after && after.iter().all(|(state, _)| state.starts_with('S')) {
            return;
        }
        assert!(Instant::now() < deadline, "no rest: {before:?}, then {after:?}");
    }
}

#[test]
fn an_idle_pool_is_never_scheduled() {
    bounded(|| {
        let pool = Pool::builder().threads(4).name("idle").build().unwrap();
        pool.install(|| pool::join(|| (), || ()));
        assert_asleep("idle-c", 4);
        // A team of which only the leader has something to do, and that is to wait.
        let (began, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        pool.start(&[0, 1, 2].map(CoreId), move |_| {
            began.send(()).unwrap();
            let _ = ended.recv();
        });
        begun.recv().unwrap();
        assert_asleep("idle-c", 4);
        drop(end);
    });
}

#[test]
fn a_worker_that_waits_for_a_long_piece_of_work_parks() {
    bounded(|| {
        let pool = Pool::builder().threads(2).name("waits").build().unwrap();
        let (began, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        pool.spawn(move || {
            let ((taken, told), work) = (mpsc::channel(), (began, ended));
            pool::join(
                move || told.recv().unwrap(),
                move || {
                    taken.send(()).unwrap();
                    work.0.send(()).unwrap();
                    let _ = work.1.recv();
                },
            );
        });
        begun.recv().unwrap();
        assert_asleep("waits-c", 2);
        drop(end);
    });
}

/// Gets past only if two workers run this at the same time.
fn both() {
    let barrier = Barrier::new(2);
    pool::join(|| barrier.wait(), || barrier.wait());
}

#[test]
fn sleeping_members_come_when_called_and_go_when_the_team_is_over() {
    bounded(|| {
        let pool = Pool::builder().threads(2).name("called").build().unwrap();
        let (began, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        assert_asleep("called-c", 2);
        pool.start(&[0, 1].map(CoreId), move |_| {
            both();
            began.send(()).unwrap();
            let _ = ended.recv();
        });
        begun.recv().unwrap();
        assert_asleep("called-c", 2);
        drop(end);
        pool.install(both);
    });
}

/// Lets a random time pass.
fn dither(random: &mut Random, most: u64) {
    for _ in 0..random.below(most) {
        std::hint::spin_loop();
    }
}

#[test]
fn work_that_comes_while_a_worker_falls_asleep_is_not_missed() {
    bounded(|| {
        let (pool, mut random) = (pool(1), Random(3));
        let ran = Arc::new(AtomicUsize::new(0));
        for round in 1..=30_000 {
            let mine = Arc::clone(&ran);
            pool.spawn(move || mine.store(round, Ordering::Release));
            // Parking here would take longer than the worker takes to fall asleep.
            while ran.load(Ordering::Acquire) < round {
                thread::yield_now();
            }
            dither(&mut random, 2_000);
        }
    });
}

/// The worker that is woken for the work may find that it is called away at the same moment;
/// then the other one must be woken for it, for the team does not end before.
#[test]
fn a_worker_that_is_called_away_has_another_one_woken() {
    bounded(|| {
        let (pool, mut random) = (pool(2), Random(4));
        for _ in 0..1_000 {
            let (ran, run) = mpsc::channel();
            let (end, ended) = mpsc::channel();
            dither(&mut random, 4_000);
            pool.spawn(move || ran.send(()).unwrap());
            let core = CoreId(random.below(2) as u32);
            pool.start(&[core], move |_| {
                run.recv().unwrap();
                end.send(()).unwrap();
            });
            ended.recv().unwrap();
        }
    });
}

/// Who wakes a worker may keep it off its own core for that; work is run without.
#[test]
fn work_finds_its_worker_as_free_as_it_was() {
    bounded(|| {
        let before = host::current_thread_mask().unwrap();
        let pool = Pool::builder().threads(2).name("free").build().unwrap();
        for _ in 0..8 {
            assert_asleep("free-c", 2);
            let (send, receive) = mpsc::channel();
            pool.spawn(move || send.send(host::current_thread_mask().unwrap()).unwrap());
            assert_eq!(receive.recv().unwrap(), before);
        }
    });
}
