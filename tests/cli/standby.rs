//! Processes that join a run and stand by.

use rustix::process::Signal;

use crate::records;
use crate::scratch::{LIMIT, Running, Scratch, poll};
use crate::sleepers::{busy, held, sleepers, start_open};

/// A run that others may join, and one that stands by as long as that may take so much longer.
fn with_standby<'a>(scratch: &'a Scratch, time: &str) -> [Running<'a>; 2] {
    let run = start_open(scratch, &[]);
    let joined = scratch.start(&["join", "run", "--standby", time]);
    assert!(poll(LIMIT, || stands_by(scratch)), "{}", joined.stderr());
    assert!(joined.stderr().contains("stands by for the run at run"), "{}", joined.stderr());
    assert!(run.stderr().contains("as subcluster 1, to stand by"), "{}", run.stderr());
    [run, joined]
}

/// Whether the run says that one does.
fn stands_by(scratch: &Scratch) -> bool {
    scratch.run(&["status", "run"]).stdout.contains("\n1 node stands by\n")
}

#[test]
fn who_stands_by_is_brought_in_when_the_end_of_the_run_slips() {
    let scratch = Scratch::new();
    let job = held(&scratch, 40, 0.5);
    let [run, joined] = with_standby(&scratch, "3s");
    let status = scratch.run(&["status", "run", "--json"]).stdout;
    assert!(status.contains("\"standing_by\": 1"), "{status}");
    scratch.write("go", "");
    let run = run.wait().expect(0);
    let joined = joined.wait().expect(0);
    assert!(run.stderr.contains("node 1 that stood by is brought in: the run "), "{}", run.stderr);
    assert!(joined.stderr.contains("p1 is brought in"), "{}", joined.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0, 1].into());
    assert!(!scratch.read("run/nodes.json").contains("standby"));
    assert!(!run.stdout.contains("not needed"), "{}", run.stdout);
}

#[test]
fn who_is_not_needed_runs_nothing_and_ends_with_the_run() {
    let scratch = Scratch::new();
    let job = held(&scratch, 10, 0.2);
    let [run, joined] = with_standby(&scratch, "10m");
    scratch.write("go", "");
    let run = run.wait().expect(0);
    let joined = joined.wait().expect(0);
    assert!(!joined.stderr.contains("brought in"), "{}", joined.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0].into());
    assert!(run.stdout.contains("standby     1 node was not needed\n"), "{}", run.stdout);
    let nodes = scratch.read("run/nodes.json");
    assert!(nodes.contains("\"standby\": \"now\""), "{nodes}");
    let status = scratch.run(&["status", "run"]).stdout;
    assert!(!status.contains("stands by"), "the run is over: {status}");
}

#[test]
fn who_stands_by_takes_over_where_no_other_node_is_left() {
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 60, 0.3);
    let [run, joined] = with_standby(&scratch, "10m");
    scratch.run(&["drain", "run", "0"]).expect(0);
    let run = run.wait().expect(0);
    joined.wait().expect(0);
    let why = "node 1 that stood by is brought in: no other node that is left can run what waits";
    assert!(run.stderr.contains(why), "{}", run.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), [0, 1].into());
}

#[test]
fn who_stands_by_does_so_for_the_next_master_too() {
    let scratch = Scratch::new();
    let job = held(&scratch, 10, 0.2);
    let [mut run, joined] = with_standby(&scratch, "10m");
    run.signal(Signal::KILL);
    assert!(poll(LIMIT, || run.has_ended()));
    let next = scratch.start(&["run", "--resume", "run"]);
    let over = || joined.stderr().contains("goes over to the master of epoch 2");
    assert!(poll(LIMIT, || over() && stands_by(&scratch)), "{}", joined.stderr());
    scratch.write("go", "");
    let next = next.wait().expect(0);
    joined.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    assert!(!busy(&scratch).contains(&1), "{}", next.stderr);
    assert!(next.stdout.contains("1 node was not needed"), "{}", next.stdout);
}
