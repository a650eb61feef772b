//! Processes that come to a run, leave it, and outlive its master.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use evenkeel::comm::Transport;
use evenkeel::comm::channel::network;
use evenkeel::comm::link::{Bridge, Destination, Dial, Secret, Setup};
use evenkeel::sched::Frame;
use rustix::process::Signal;

use crate::random::Random;
use crate::records;
use crate::scratch::{LIMIT, Running, Scratch, poll};
use crate::sleepers::{busy, held, let_in, sleepers, start_open};

fn join(scratch: &Scratch) -> Running<'_> {
    scratch.start(&["join", "run"])
}

fn address(scratch: &Scratch, word: &str) -> String {
    let text = scratch.read("run/address");
    let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {word} in {text:?}")).to_owned()
}

#[test]
fn a_process_that_joins_takes_part_and_is_told_of_the_end() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 40, 0.2);
    let run = start_open(&scratch, &[]);
    let mode = fs::metadata(scratch.path("run/address")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let joined = join(&scratch);
    run.wait().expect(0);
    let joined = joined.wait().expect(0);
    assert!(joined.stderr.contains("takes part in the run at run"), "{}", joined.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0, 1].into());
    let nodes = scratch.read("run/nodes.json");
    assert!(nodes.contains("\"subcluster\": 1"), "{nodes}");
    assert!(!scratch.path("run/address").exists(), "nobody is to come any more");
    let late = scratch.run(&["join", "run", "--patience", "0s"]).expect(3);
    assert!(late.stderr.contains("or it was started without --listen, or has ended"), "{late:?}");
    scratch.expect_no_process(Duration::from_secs(1));
}

#[test]
fn who_has_the_address_and_the_secret_needs_no_folder() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 30, 0.2);
    let run = start_open(&scratch, &[]);
    let mut without = scratch.command(&["join", &address(&scratch, "at")]);
    without.env_remove("EVENKEEL_SECRET");
    let refused = scratch.start_command(without).wait().expect(2);
    assert!(refused.stderr.contains("EVENKEEL_SECRET"), "{refused:?}");
    let mut with = scratch.command(&["join", &address(&scratch, "at")]);
    with.env("EVENKEEL_SECRET", address(&scratch, "secret"));
    let joined = scratch.start_command(with);
    run.wait().expect(0);
    joined.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0, 1].into());
}

#[test]
fn who_joined_leaves_when_it_is_asked_to_and_gives_back_what_it_had_not_begun() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 40, 0.2);
    let run = start_open(&scratch, &[]);
    let mut joined = join(&scratch);
    joined.wait_until("it takes part", || scratch.read("ran").lines().count() > 6);
    joined.signal(Signal::TERM);
    assert!(poll(LIMIT, || joined.has_ended()));
    assert!(!scratch.path("run/verdict.json").exists(), "it left before the end");
    joined.wait().expect(0);
    run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let lost = records::verdict(&scratch.path("run"))["counts"]["lost"].clone();
    assert_eq!(lost, 0, "it left with notice");
}

#[test]
fn nodes_and_subclusters_are_drained_from_outside() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 80, 0.2);
    let run = start_open(&scratch, &[]);
    let [mut first, mut second] = [join(&scratch), join(&scratch)];
    assert!(poll(LIMIT, || let_in(&run) == 2));
    let unknown = scratch.run(&["drain", "run", "7"]).expect(3);
    assert!(unknown.stderr.contains("there has never been a node 7 in this run"), "{unknown:?}");
    scratch.run(&["drain", "run", "1"]).expect(0);
    scratch.run(&["drain", "run", "--subcluster", "2"]).expect(0);
    assert!(poll(LIMIT, || first.has_ended() && second.has_ended()), "{}", run.stderr());
    assert!(!scratch.path("run/verdict.json").exists(), "they left before the end");
    first.wait().expect(0);
    second.wait().expect(0);
    run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(records::verdict(&scratch.path("run"))["counts"]["lost"], 0);
}

#[test]
fn what_a_joined_process_ran_that_was_killed_is_run_elsewhere() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 30, 0.3);
    let run = start_open(&scratch, &["--lease", "1s"]);
    let mut joined = join(&scratch);
    joined.wait_until("it takes part", || scratch.read("ran").lines().count() > 6);
    joined.signal(Signal::KILL);
    run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
}

/// So many come at once, and so many more in a row; all take part.
fn many_join(at_once: u64, in_a_row: u64) {
    let scratch = Scratch::new();
    let all = at_once + in_a_row;
    let job = held(&scratch, 20 * all, 0.5);
    let mut run = start_open(&scratch, &[]);
    let mut joined: Vec<Running<'_>> = (0..at_once).map(|_| join(&scratch)).collect();
    while (joined.len() as u64) < all {
        let before = let_in(&run);
        joined.push(join(&scratch));
        let come = poll(LIMIT, || let_in(&run) > before);
        assert!(come && !run.has_ended(), "{}", run.stderr());
    }
    assert!(poll(LIMIT, || let_in(&run) == all), "{}", run.stderr());
    scratch.write("go", "");
    run.wait_within(3 * LIMIT).expect(0);
    for one in joined {
        one.wait().expect(0);
    }
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), (0..=all).collect(), "all take part");
}

#[test]
fn many_come_at_once_and_in_a_row() {
    many_join(6, 8);
}

#[test]
#[ignore = "64 processes with their tasks on one machine: a minute or two"]
fn two_dozen_come_at_once_and_two_score_in_a_row() {
    many_join(24, 40);
}

/// Processes that are killed on their way in.
fn killed_on_the_way(times: u64) {
    let mut random = Random::new();
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 40 + times, 0.2);
    let run = start_open(&scratch, &["--lease", "1s"]);
    for _ in 0..times {
        let one = join(&scratch);
        // The moment is what is random here: a join takes some 50 ms.
        thread::sleep(Duration::from_micros(random.below(80_000)));
        one.signal(Signal::KILL);
    }
    let came = let_in(&run);
    let run = run.wait_within(3 * LIMIT).expect(0);
    eprintln!("{times} were killed on their way in, of which {came} had been let in");
    assert!(!run.stderr.contains("panicked"), "{run:?}");
    records::expect_all_done(&scratch.path("run"), &job);
}

#[test]
fn who_dies_on_its_way_in_does_not_disturb_the_run() {
    killed_on_the_way(50);
}

/// What somebody says who dials with a secret, of a version.
fn refusal(at: &str, secret: Secret, version: u32, hello: &'static [u8]) -> String {
    let setup = Setup { version, silence: LIMIT, note: Box::new(|_| {}) };
    let bridge = Bridge::new(network(1).remove(0), 7..8, setup).unwrap();
    let (told, refused) = std::sync::mpsc::channel();
    let addresses = vec![at.to_owned()];
    bridge.links().dial(Dial {
        whereto: Box::new(move || {
            Ok(Destination { addresses: addresses.clone(), secret: secret.clone() })
        }),
        hello: Box::new(|| hello.into()),
        welcomed: Box::new(|_| None),
        trouble: Box::new(move |trouble| {
            let _ = told.send(trouble.to_string());
            std::ops::ControlFlow::Break(())
        }),
    });
    let said = refused.recv_timeout(LIMIT).expect("it is refused");
    drop(bridge.waker());
    said
}

#[test]
fn strangers_are_refused_with_a_clear_line_and_the_run_goes_on() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 80, 0.2);
    let run = start_open(&scratch, &[]);
    let (at, secret) = (address(&scratch, "at"), address(&scratch, "secret"));

    // Without the secret, by the program itself.
    let mut other = scratch.command(&["join", &at, "--patience", "0s"]);
    other.env("EVENKEEL_SECRET", Secret::random().unwrap().to_hex());
    let other = scratch.start_command(other).wait().expect(3);
    assert!(other.stderr.contains("it has another secret, or it is no evenkeel"), "{other:?}");
    // With it, of another version, of another run, or saying what makes no sense.
    let known = || secret.parse::<Secret>().unwrap();
    let version = u32::from(Frame::VERSION);
    let said = refusal(&at, known(), version + 1, b"");
    assert!(said.contains("use the same evenkeel everywhere"), "{said}");
    let said = refusal(&at, known(), version, b"\xff\xff\xff");
    assert!(said.contains("cannot be read"), "{said}");
    let another = match address(&scratch, "run") {
        run if run.starts_with('1') => run.replacen('1', "2", 1),
        run => format!("1{}", &run[1..]),
    };
    let copy = scratch.read("run/address").replace(&address(&scratch, "run"), &another);
    scratch.write("copy", &copy);
    let said = scratch.run(&["join", "copy"]).expect(3).stderr;
    assert!(said.contains("is looked for"), "{said}");
    scratch.write("copy", "evenkeel-address 2\n");
    let said = scratch.run(&["join", "copy"]).expect(3).stderr;
    assert!(said.contains("not the address of a run"), "{said}");

    // Garbage is closed at once, half a message after a while.
    let mut garbage = TcpStream::connect(&at).unwrap();
    garbage.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = garbage.write_all(&[b'x'; 4096]);
    assert!(matches!(garbage.read(&mut [0; 64]), Ok(0) | Err(_)));
    let mut half = TcpStream::connect(&at).unwrap();
    half.set_read_timeout(Some(LIMIT)).unwrap();
    half.write_all(b"evenk").unwrap();
    // A thousand at once; who knows the secret comes in all the same.
    let crowd: Vec<TcpStream> = (0..1000).filter_map(|_| TcpStream::connect(&at).ok()).collect();
    let joined = join(&scratch);
    assert!(matches!(half.read(&mut [0; 64]), Ok(0) | Err(_)), "half a message is waited for");

    let run = run.wait().expect(0);
    joined.wait().expect(0);
    drop(crowd);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0, 1].into());
    assert!(run.stderr.contains("the secret was not proved"), "{}", run.stderr);
}

/// A run whose master is killed; what others had in hand that joined goes on. `standby`: another
/// process has been waiting for that, else one is started.
fn outlives_its_master(standby: bool) {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 24, 1.5);
    let mut run = start_open(&scratch, &[]);
    let mut joined = join(&scratch);
    joined.wait_until("it runs tasks", || scratch.read("ran").lines().count() >= 6);
    let resume = |more: &[&str]| scratch.start(&[&["run", "--resume", "run"], more].concat());
    let waiting = standby.then(|| {
        let waiting = resume(&["--standby-master"]);
        assert!(poll(LIMIT, || waiting.stderr().contains("stands by")));
        waiting
    });
    run.signal(Signal::KILL);
    assert!(poll(LIMIT, || run.has_ended()));
    let next = waiting.unwrap_or_else(|| resume(&[]));
    let next = next.wait().expect(0);
    assert!(next.stderr.contains("others may join at"), "as before: {}", next.stderr);
    let joined = joined.wait().expect(0);
    assert!(joined.stderr.contains("goes over to the master of epoch 2"), "{}", joined.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    // What was lost was the master's own; what the other had in hand ran once.
    let lines = records::lines(&scratch.path("run"));
    let lost: Vec<&str> =
        lines.iter().filter(|l| l.state == "lost").map(|l| l.task.as_str()).collect();
    let ran = scratch.read("ran");
    for task in job.keys() {
        let i = task.strip_prefix("s-").unwrap();
        let times = ran.lines().filter(|line| *line == i).count();
        assert!(times == 1 || (times == 2 && lost.contains(&task.as_str())), "{task}: {times}");
    }
    scratch.run(&["journal", "verify", "run"]).expect(0);
}

#[test]
fn who_joined_goes_on_without_a_master_and_goes_over_to_the_next() {
    outlives_its_master(false);
}

#[test]
fn a_standby_takes_over_by_itself() {
    outlives_its_master(true);
}

#[test]
fn a_standby_that_is_not_needed_ends_like_the_run() {
    let scratch = Scratch::new();
    sleepers(&scratch, 10, 0.2);
    let run = start_open(&scratch, &[]);
    let standby = scratch.start(&["run", "--resume", "run", "--standby-master"]);
    run.wait().expect(0);
    let standby = standby.wait().expect(0);
    assert!(standby.stderr.contains("the run has ended by itself: all 10"), "{standby:?}");
}

#[test]
fn a_process_where_no_command_is_found_is_drained_and_the_run_ends_well() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 60, 0.1);
    let text = scratch.read("job.toml").replace("echo %{i} >> ran; sleep", "exec sleep");
    scratch.write("job.toml", &(text + "retries = 20000\n"));
    let run = start_open(&scratch, &[]);
    let mut broken = scratch.command(&["join", "run"]);
    broken.env("PATH", scratch.path("nowhere"));
    let mut broken = scratch.start_command(broken);
    assert!(poll(LIMIT, || broken.has_ended()), "{}", run.stderr());
    assert!(!scratch.path("run/verdict.json").exists(), "it left before the end");
    broken.wait().expect(0);
    let run = run.wait().expect(0);
    let said: Vec<&str> =
        run.stderr.lines().filter(|line| line.contains("failed there in a row")).collect();
    assert!(said.len() == 1 && said[0].contains("node 1 on"), "{said:?}");
    records::expect_all_done(&scratch.path("run"), &job);
    let lines = records::lines(&scratch.path("run"));
    let failed = lines.iter().filter(|line| line.state == "failed");
    assert!(failed.clone().count() >= 5);
    assert!(failed.clone().all(|line| line.json["node"] == 1), "nothing failed elsewhere");
}
