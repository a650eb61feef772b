//! An idle pool burns nothing; a waiting worker does not either.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::model::CoreId;
use evenkeel::pool::{self, Pool};

use super::bounded;

/// Of each thread whose name begins with `prefix`: its state, and how often it has given up
/// or lost its processor.
fn threads(prefix: &str) -> Vec<(String, u64)> {
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
fn assert_asleep(prefix: &str, count: usize) {
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
