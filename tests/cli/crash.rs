//! The whole process killed at random moments, and the run taken up again.

use std::fs;

use rustix::process::Signal;

use crate::effects::{self, comes_to_a_random_moment, expect_only_the_unfinished_again};
use crate::random::Random;
use crate::records;
use crate::scratch::{LIMIT, Scratch, poll};

/// Kills and resumes one run until it ends by itself; gives how often it was killed.
fn until_the_end(random: &mut Random, kills: u32, shape: &[&str]) -> u32 {
    let scratch = Scratch::new();
    let job = effects::job(&scratch, random, 120);
    let run = [&["run", "job.toml", "--run-dir", "run"], shape].concat();
    let resume = [&["run", "--resume", "run"], shape].concat();
    let mut killed = Vec::new();
    let begun = |scratch: &Scratch| effects::journal(scratch).is_some();
    loop {
        let mut running = scratch.start(if begun(&scratch) { &resume } else { &run });
        let more = killed.len() < kills as usize;
        if more && comes_to_a_random_moment(&mut running, &scratch, random) {
            killed.push(effects::now());
            running.kill();
            continue;
        }
        let finished = running.wait();
        if !finished.stderr.contains("before its job was written down") {
            finished.expect(0);
            break;
        }
        // Then nothing may have been started either.
        finished.expect(2);
        assert_eq!(scratch.read("effects"), "");
        fs::remove_dir_all(scratch.path("run")).unwrap();
    }
    scratch.expect_no_process(std::time::Duration::from_secs(1));
    records::expect_all_done(&scratch.path("run"), &job);
    let again = expect_only_the_unfinished_again(&scratch.read("effects"), &killed);
    let lost = records::verdict(&scratch.path("run"))["counts"]["lost"].clone();
    eprintln!(
        "{} tasks, {} kills, {lost} attempts on record as lost, {again} commands that had ended \
         were run again",
        job.len(),
        killed.len()
    );
    killed.len() as u32
}

#[test]
fn a_run_that_is_killed_at_random_moments_is_taken_up_again() {
    let mut random = Random::new();
    let mut kills = 0;
    for shape in
        [&[][..], &["--nodes", "2"], &["--nodes", "4", "--subclusters", "2"]].iter().cycle()
    {
        kills += until_the_end(&mut random, 10, shape);
        if kills >= 20 {
            break;
        }
    }
}

/// How many lines the commands have left.
fn lines(scratch: &Scratch) -> u64 {
    scratch.read("effects").lines().count() as u64
}

/// A run of 10 000 tasks whose master is killed a hundred times, at moments spread over all of it.
/// `standby`: another process waits each time and takes over by itself, else the next is started then.
fn a_hundred_deaths(standby: bool) {
    const TASKS: u64 = 10_000;
    const DEATHS: u64 = 100;
    let mut random = Random::new();
    let scratch = Scratch::new();
    let job = effects::job(&scratch, &mut random, TASKS);
    let mut running = scratch.start(&["run", "job.toml", "--run-dir", "run", "--nodes", "2"]);
    assert!(poll(LIMIT, || effects::journal(&scratch).is_some()));
    let next = |more: &[&str]| {
        scratch.start(&[&["run", "--resume", "run", "--nodes", "2"], more].concat())
    };
    let stand_by = || {
        let waiting = next(&["--standby-master"]);
        assert!(poll(LIMIT, || waiting.stderr().contains("stands by")), "{}", waiting.stderr());
        waiting
    };
    let mut killed = Vec::new();
    for death in 1..=DEATHS {
        let waiting = standby.then(stand_by);
        // Two lines each of four tasks in five.
        let goal = death * (TASKS * 8 / 5) / (DEATHS + 1) - random.below(100).min(death);
        let came = poll(5 * LIMIT, || running.has_ended() || lines(&scratch) >= goal);
        assert!(came && !running.has_ended(), "{death}: {}", running.stderr());
        killed.push(effects::now());
        running.signal(Signal::KILL);
        assert!(poll(LIMIT, || running.has_ended()));
        running = waiting.unwrap_or_else(|| next(&[]));
    }
    running.wait_within(10 * LIMIT).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let again = expect_only_the_unfinished_again(&scratch.read("effects"), &killed);
    let lost = records::verdict(&scratch.path("run"))["counts"]["lost"].clone();
    eprintln!(
        "{} tasks, {DEATHS} deaths, {lost} attempts on record as lost, {again} commands that had \
         ended were run again",
        job.len()
    );
    scratch.run(&["journal", "verify", "run"]).expect(0);
}

#[test]
#[ignore = "minutes"]
fn ten_thousand_tasks_survive_a_hundred_deaths_of_their_master() {
    a_hundred_deaths(false);
}

#[test]
#[ignore = "minutes"]
fn ten_thousand_tasks_survive_a_hundred_deaths_without_a_hand() {
    a_hundred_deaths(true);
}
