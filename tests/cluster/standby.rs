//! A master whose host dies, a standby on another, and a third that goes on meanwhile.

use crate::hosts::Hosts;
use crate::launcher::EVENKEEL;
use crate::ranks::ranks;
use crate::records;
use crate::scratch::{LIMIT, Scratch, poll};
use crate::sweep;

#[test]
#[ignore = "takes a minute: make hosts"]
fn a_standby_takes_over_from_a_host_that_dies_and_what_ran_elsewhere_counts() {
    let Some(hosts) = Hosts::new(3) else { return };
    let scratch = Scratch::new();
    let job = sweep::job_of(&scratch, 300, "sleep 1");
    let start = |words: &[&str]| scratch.start_command(hosts.command(&scratch, words));
    let run = ["run", "h0", EVENKEEL, "run", "--single", "job.toml", "--run-dir", "run"];
    let more = ["--listen", "eth0", "--lease", "2s", "--reattach", "2m"];
    let mut run = start(&[&run[..], &more].concat());
    run.wait_until("the address", || scratch.path("run/address").exists());
    let joined = start(&["run", "h2", EVENKEEL, "join", "run", "--single"]);
    assert!(poll(LIMIT, || ranks(&scratch).len() == 2), "{}", run.stderr());
    let standby = ["run", "h1", EVENKEEL, "run", "--single", "--resume", "run"];
    let standby = start(&[&standby[..], &["--standby-master", "--reattach", "2m"]].concat());
    assert!(poll(LIMIT, || standby.stderr().contains("stands by")), "{}", standby.stderr());
    assert!(poll(LIMIT, || sweep::recorded(&scratch, "run") >= 20));
    hosts.does("kill h0");
    standby.wait_within(5 * LIMIT).expect(0);
    let joined = joined.wait().expect(0);
    assert!(joined.stderr.contains("goes over to the master of epoch 2"), "{}", joined.stderr);
    records::expect_all_done(&scratch.path("run"), &job);
    let lines = records::lines(&scratch.path("run"));
    let of_h2 = lines.iter().filter(|l| l.state == "done" && l.json["host"] == "h2").count();
    let lost = lines.iter().filter(|line| line.state == "lost").count();
    eprintln!("{of_h2} tasks were done by the one that went on, {lost} attempts were lost");
    assert!(lost <= 4, "what ran and waited on two cores: {lost}");
}
