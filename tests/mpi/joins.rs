//! Worlds that come to a run, and outlive those above them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::effects;
use crate::launcher::{EVENKEEL, Launcher, run};
use crate::ranks::{self, Rank, ranks};
use crate::records::{self, Parents};
use crate::scratch::{LIMIT, Running, Scratch, poll};
use crate::sleepers::{busy, held, let_in, sleepers, start_open};

const OPEN: [&str; 5] = ["job.toml", "--run-dir", "run", "--listen", "lo"];

fn has_address(scratch: &Scratch) {
    assert!(poll(LIMIT, || scratch.path("run/address").exists()), "nobody can come");
}

/// Waits until nothing was given out or ended for a while: of that nobody may know but who is killed.
fn between_two_waves(scratch: &Scratch) {
    let mut last = (effects::journal(scratch), Instant::now());
    let is_quiet = || {
        let size = effects::journal(scratch);
        if size != last.0 {
            last = (size, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(300)
    };
    assert!(poll(LIMIT, is_quiet));
}

/// How often tasks were begun again, each of which is on record as lost as often at least.
fn begun_again(scratch: &Scratch, job: &Parents) -> usize {
    let ran = scratch.read("ran");
    let lines = records::lines(&scratch.path("run"));
    let again = job.keys().map(|task| {
        let i = task.strip_prefix("s-").unwrap();
        let times = ran.lines().filter(|line| *line == i).count();
        let lost = lines.iter().filter(|l| l.task == *task && l.state == "lost").count();
        assert!(times >= 1 && times <= 1 + lost, "{task} ran {times} times, {lost} lost");
        times - 1
    });
    again.sum()
}

/// So many worlds of two ranks come at once, and so many more in a row.
fn worlds_come(at_once: u64, in_a_row: u64) {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let all = at_once + in_a_row;
    let job = held(&scratch, 30 * all, 0.5);
    let run = start_open(&scratch, &["--single"]);
    let join = || scratch.start_command(launcher.command(&scratch, 2, &[EVENKEEL, "join", "run"]));
    let mut worlds: Vec<Running<'_>> = (0..at_once).map(|_| join()).collect();
    assert!(poll(LIMIT, || let_in(&run) == at_once), "{}", run.stderr());
    for before in at_once..all {
        worlds.push(join());
        assert!(poll(LIMIT, || let_in(&run) > before), "{}", run.stderr());
    }
    scratch.write("go", "");
    run.wait_within(3 * LIMIT).expect(0);
    for world in worlds {
        world.wait().expect(0);
    }
    records::expect_all_done(&scratch.path("run"), &job);
    assert_eq!(busy(&scratch), (0..=2 * all).collect(), "all take part");
}

#[test]
fn worlds_come_to_a_run_and_are_subclusters_of_it() {
    worlds_come(2, 2);
}

#[test]
#[ignore = "64 worlds on one machine: minutes"]
fn two_dozen_worlds_come_at_once_and_two_score_in_a_row() {
    worlds_come(24, 40);
}

#[test]
fn a_world_that_stands_by_is_brought_in_as_a_whole_when_the_run_is_late() {
    let Some(launcher) = Launcher::linked() else { return };
    for (time, all) in [("3s", BTreeSet::from([0, 1, 2])), ("10m", [0].into())] {
        let scratch = Scratch::new();
        let job = held(&scratch, 60, 0.5);
        let run = start_open(&scratch, &["--single"]);
        let join = [EVENKEEL, "join", "run", "--standby", time];
        let world = scratch.start_command(launcher.command(&scratch, 2, &join));
        let stand_by = || scratch.run(&["status", "run"]).stdout.contains("\n2 nodes stand by\n");
        assert!(poll(LIMIT, stand_by), "{}", world.stderr());
        scratch.write("go", "");
        run.wait_within(3 * LIMIT).expect(0);
        world.wait().expect(0);
        records::expect_all_done(&scratch.path("run"), &job);
        assert_eq!(busy(&scratch), all, "{time}");
    }
}

#[test]
fn the_ranks_of_a_joined_world_outlive_their_sub_master() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 60, 1.0);
    let run = start_open(&scratch, &["--single"]);
    let world = launcher.surviving(&scratch, 3, &[EVENKEEL, "join", "run"]);
    let world = scratch.start_command(world);
    assert!(poll(LIMIT, || ranks(&scratch).len() == 4), "{}", world.stderr());
    assert!(poll(LIMIT, || scratch.read("ran").lines().count() > 8));
    between_two_waves(&scratch);
    ranks(&scratch)[1].signal(Signal::KILL);
    run.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    assert!(begun_again(&scratch, &job) <= 1, "what ran on the one core of the dead");
    let after = world.stderr();
    assert!(after.contains("goes to p0 with what it runs"), "{after}");
}

#[test]
fn ranks_outlive_the_master_of_their_own_world() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let scratch = Scratch::new();
    let job = sleepers(&scratch, 40, 1.5);
    let args = [&OPEN[..], &["--subclusters", "2", "--reattach", "20s"]].concat();
    let mut world = scratch.start_command(launcher.surviving(&scratch, 4, &run(&args)));
    let ranks: Vec<Rank> = ranks::of_running(&mut world, &scratch);
    has_address(&scratch);
    assert!(poll(LIMIT, || scratch.read("ran").lines().count() > 6));
    between_two_waves(&scratch);
    ranks[0].signal(Signal::KILL);
    ranks[0].expect_gone();
    scratch.run(&["run", "--resume", "run", "--reattach", "20s"]).expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    assert!(begun_again(&scratch, &job) <= 1, "what ran on the one core of the master");
    let said = world.stderr();
    assert_eq!(said.matches("goes over to the master of epoch 2").count(), 2, "{said}");
    assert!(busy(&scratch).is_superset(&BTreeSet::from([1, 2, 3, 100_000])));
}
