//! How tasks are ended: by limits, on request, with their node, with their guard. Nothing is
//! left behind.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::model::{Exit, Span, Warning, WarningSignal};

use crate::support::{
    Bed, Killed, PATIENCE, command, guards, is_alive, is_child, key, kill, pids, settings, sh,
};

/// A script that writes the ids of its process and of two in its background, and goes on.
fn family(path: &Path) -> String {
    let path = path.display();
    format!("sleep 100 & a=$!; sleep 100 & printf '%s\\n' $$ $a $! >> {path}; wait")
}

/// A script that does `first`, writes the id of its process, and goes on.
fn ready(first: &str, path: &Path) -> String {
    format!("{first}; echo $$ > {}; while :; do sleep 0.01; done", path.display())
}

#[test]
fn a_time_limit_asks_first() {
    let bed = Bed::new();
    let mut task = command(1, &["sleep", "100"]);
    task.time_left = Some(Span::from_millis(50));
    let ending = bed.run(task);
    assert_eq!(ending.exit, Exit::TimeLimit);
    assert_eq!(
        ending.reason.as_deref(),
        Some("over its time limit of 50.00 ms: signal 15 (SIGTERM)")
    );
}

#[test]
fn a_warning_reaches_the_whole_group_before_the_time_is_up() {
    let bed = Bed::new();
    let script = "trap 'wait; exit 7' USR1; sh -c 'trap \"echo warned; exit\" USR1; echo ready; \
                  while :; do sleep 0.01; done' & wait";
    let mut task = sh(1, script);
    task.time_left = Some(Span::from_secs(1000));
    let before = Span::from_millis(998_000);
    settings(&mut task).warning = Some(Warning { signal: WarningSignal::Usr1, before });
    let ending = bed.run(task);
    // It ended by itself, long before the limit.
    assert_eq!(ending.exit, Exit::Code(7), "{:?}", ending.reason);
    let tail = ending.tail.as_str();
    assert!(tail.starts_with("ready\n") && tail.ends_with("warned\n"), "{tail}");
}

#[test]
fn a_time_limit_that_is_ignored_kills() {
    let bed = Bed::new();
    let mut task = sh(1, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    task.time_left = Some(Span::from_millis(200));
    settings(&mut task).grace = Span::from_millis(100);
    let begin = Instant::now();
    let ending = bed.run(task);
    assert_eq!((ending.exit, ending.tail.as_str()), (Exit::TimeLimit, "ready\n"));
    assert!(ending.reason.unwrap().contains("did not end within 100.00 ms of SIGTERM"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_program_may_use_its_grace() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let trap = "trap 'echo saved; exit 3' TERM";
    bed.executor.launch(sh(1, &ready(trap, file.path())));
    let _task = Killed(pids(file.path(), 1));
    bed.executor.stop(key(1), Span::from_secs(20));
    let end = bed.ended(key(1));
    assert_eq!(end.exit, Exit::Code(3));
    assert!(end.tail.ends_with("saved\n"), "{}", end.tail);
    assert_eq!(end.reason.as_deref(), Some("stopped from outside: exit code 3"));
}

#[test]
fn stopping_reaches_the_whole_group_even_a_stopped_one() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    bed.executor.launch(sh(1, &family(file.path())));
    let all = Killed(pids(file.path(), 3));
    for pid in &all.0 {
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }
    bed.executor.stop(key(1), Span::from_secs(20));
    assert_eq!(bed.ended(key(1)).exit, Exit::Signal(15));
    until_gone(&all, PATIENCE);
}

#[test]
fn a_second_stop_can_only_hasten() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    bed.executor.launch(sh(1, &ready("trap '' TERM", file.path())));
    let _task = Killed(pids(file.path(), 1));
    bed.executor.stop(key(1), Span::from_secs(1000));
    bed.executor.stop(key(1), Span::ZERO);
    bed.executor.stop(key(1), Span::from_secs(1000));
    assert_eq!(bed.ended(key(1)).exit, Exit::Signal(9));
}

#[test]
fn what_a_task_leaves_in_its_background_goes_with_it() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    // It holds the pipe, which must not keep the attempt from ending.
    let begin = Instant::now();
    let ending = bed.sh(&format!("sleep 100 & echo $! > {path}; echo done"));
    assert_eq!((ending.exit, ending.tail.as_str()), (Exit::Code(0), "done\n"));
    assert!(begin.elapsed() < PATIENCE);
    until_gone(&Killed(pids(file.path(), 1)), PATIENCE);
}

#[test]
fn a_daemon_that_left_its_group_is_found() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    let script = format!(
        "setsid sh -c 'echo $$ > {path}; exec sleep 100' & while ! [ -s {path} ]; do sleep 0.01; done"
    );
    assert_eq!(bed.sh(&script).exit, Exit::Code(0));
    let daemon = Killed(pids(file.path(), 1));
    until_gone(&daemon, PATIENCE);
}

#[test]
fn dropping_leaves_nothing_behind_at_once() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    bed.executor.launch(sh(1, &family(file.path())));
    bed.executor.launch(sh(2, &format!("setsid sh -c 'echo $$ >> {path}; exec sleep 100' & wait")));
    let all = Killed(pids(file.path(), 4));
    drop(bed);
    assert!(all.0.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_guard_that_dies_takes_its_tasks_along_and_another_comes() {
    // In a process of its own, so that there are only its own guards to be found.
    let (status, text) = in_child("guard_dies_here", Stdio::piped());
    assert!(status, "{text}");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn guard_dies_here() {
    let bed = Bed::new();
    for round in 0..3 {
        let file = tempfile::NamedTempFile::new().unwrap();
        bed.executor.launch(sh(1, &family(file.path())));
        bed.executor.launch(command(2, &["sleep", "100"]));
        let all = Killed(pids(file.path(), 3));
        bed.started(key(2));
        // Neighbouring cores have different guards; both tasks are on the same core.
        let guards = guards();
        assert_eq!(guards.len(), 2, "in round {round}");
        let guard = guards.into_iter().find(|guard| is_child(all.0[0], *guard));
        kill(guard.expect("a guard is the parent of its tasks"));
        let ends = [bed.ended(key(1)), bed.ended(key(2))];
        for end in ends {
            assert_eq!(end.exit, Exit::Signal(9));
            assert!(end.reason.unwrap().contains("the guard died"));
        }
        assert!(all.0.iter().all(|pid| !is_alive(*pid)));
        assert_eq!(bed.sh("echo again").tail, "again\n");
    }
}

#[test]
fn a_node_that_is_killed_leaves_no_task_behind() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut node = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "ends::node_is_killed_here"])
        .env("TASK_PIDS", file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _node = Killed(vec![node.id() as i32]);
    let all = Killed(pids(file.path(), 7));
    node.kill().unwrap();
    node.wait().unwrap();
    until_gone(&all, Duration::from_secs(1));
}

#[test]
#[ignore = "run by another test, which kills it"]
fn node_is_killed_here() {
    let path = std::env::var("TASK_PIDS").expect("the test that runs this one says where");
    let bed = Bed::new();
    bed.executor.launch(sh(1, &family(Path::new(&path))));
    bed.executor.launch(sh(2, &format!("trap '' TERM HUP; {}", family(Path::new(&path)))));
    let escaped = format!("setsid sh -c 'echo $$ >> {path}; exec sleep 100' & wait");
    bed.executor.launch(sh(3, &escaped));
    bed.ended(key(1));
}

#[test]
fn what_waits_to_be_started_goes_with_the_node() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    for task in 0..500 {
        bed.executor
            .launch(sh(task, &format!("echo $$ >> {}; exec sleep 100", file.path().display())));
    }
    let first = Killed(pids(file.path(), 1));
    let begin = Instant::now();
    drop(bed);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    until_gone(&first, Duration::ZERO);
    let begun = Killed(pids(file.path(), 1));
    until_gone(&begun, Duration::ZERO);
}

#[test]
fn a_callback_may_call_the_executor() {
    use evenkeel::exec::{Executor, ExecutorConfig, Registry, Report};
    use std::sync::{Arc, OnceLock, mpsc};

    let (sender, done) = mpsc::channel();
    let slot: Arc<OnceLock<Executor>> = Arc::default();
    let config = ExecutorConfig {
        topology: evenkeel::model::Topology::flat(1),
        pinned: false,
        registry: Registry::default(),
        clock: evenkeel::host::Clock::start(),
        scratch: None,
    };
    let inside = Arc::downgrade(&slot);
    let executor = Executor::start(config, move |report| {
        let Some(slot) = inside.upgrade() else { return };
        let Some(executor) = slot.get() else { return };
        match report {
            Report::Ended(ended) if ended[0].key == key(1) => {
                executor.launch(command(2, &["true"]));
            }
            Report::Ended(ended) => drop(sender.send(ended[0].key)),
            Report::Withdrawn(_) => {}
            Report::Started { key, .. } => executor.stop(key, Span::from_secs(20)),
        }
    });
    let executor = slot.get_or_init(|| executor.unwrap());
    executor.launch(command(1, &["sleep", "100"]));
    assert_eq!(done.recv_timeout(PATIENCE).unwrap(), key(2));
    // The last hold on the executor is not to be let go of by its own thread.
    executor.abort();
}

fn until_gone(pids: &Killed, bound: Duration) {
    let is_gone = || pids.0.iter().all(|pid| !is_alive(*pid));
    crate::support::until("all tasks are gone", bound, is_gone);
}

/// Runs one of the ignored tests in a process of its own.
fn in_child(test: &str, output: Stdio) -> (bool, String) {
    let null = File::open("/dev/null").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", &format!("ends::{test}")])
        .stdin(null)
        .stdout(output)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let _child = Killed(vec![child.id() as i32]);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && text.contains("1 passed"), text)
}
