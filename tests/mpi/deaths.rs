//! Ranks that are killed in the middle of a job.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::effects::{self, comes_to_a_random_moment, expect_only_the_unfinished_again};
use crate::launcher::{Launcher, run};
use crate::random::Random;
use crate::ranks::{self, Rank, ranks};
use crate::records::{self, Parents};
use crate::scratch::{Finished, Scratch};

/// How many of each kind are killed.
const KILLS: usize = 20;
const MASTER: usize = 0;
/// The sub-master of the second subcluster, and one that has no other role in each.
const SUB_MASTER: usize = 2;
const ORDINARY: [usize; 2] = [1, 3];

const ARGS: [&str; 7] = ["job.toml", "--run-dir", "run", "--subclusters", "2", "--lease", "1s"];

#[test]
fn nodes_and_sub_masters_that_are_killed_cost_only_time() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let mut random = Random::new();
    let (mut nodes, mut sub_masters, mut lost) = (0, 0, 0);
    while nodes < KILLS || sub_masters < KILLS {
        let mut victims = [SUB_MASTER, ORDINARY[random.below(2) as usize]];
        if random.below(2) == 0 {
            victims.reverse();
        }
        let (killed, attempts) = run_and_kill(launcher, &mut random, &victims);
        sub_masters += killed.iter().filter(|victim| **victim == SUB_MASTER).count();
        nodes += killed.iter().filter(|victim| ORDINARY.contains(victim)).count();
        lost += attempts;
    }
    eprintln!("{nodes} nodes and {sub_masters} sub-masters killed, {lost} attempts lost");
}

/// Sees that no record says of a node that its host saw end that it may have gone on.
#[track_caller]
fn expect_no_marks(scratch: &Scratch, killed: &[usize]) {
    for line in records::lines(&scratch.path("run")) {
        let reason = line.json["reason"].as_str().unwrap_or_default();
        let named = |victim: &usize| reason.starts_with(&format!("node {victim} "));
        let marked = line.json.get("overlap").is_some();
        assert!(!marked || !killed.iter().any(named), "{reason}");
    }
}

/// Kills `victims` one after the other, each at a moment that chance chooses, as long as the run
/// goes on, and sees that nothing is lost. Gives those that were killed, and how many attempts
/// were lost with them.
fn run_and_kill(launcher: Launcher, random: &mut Random, victims: &[usize]) -> (Vec<usize>, usize) {
    let scratch = Scratch::new();
    let job = effects::job(&scratch, random, 50);
    let mut running = scratch.start_command(launcher.surviving(&scratch, 4, &run(&ARGS)));
    let ranks = ranks::of_running(&mut running, &scratch);
    let (mut killed, mut moments) = (Vec::new(), Vec::new());
    for victim in victims {
        if comes_to_a_random_moment(&mut running, &scratch, random) {
            moments.push(effects::now());
            ranks[*victim].kill(&scratch);
            killed.push(*victim);
        }
    }
    running.wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    expect_no_marks(&scratch, &killed);
    expect_only_the_unfinished_again(&scratch.read("effects"), &moments);
    scratch.expect_no_process(Duration::from_secs(1));
    let lines = records::lines(&scratch.path("run"));
    let lost: Vec<_> = lines.iter().filter(|line| line.state != "done").collect();
    for line in &lost {
        assert_eq!(line.state, "lost", "killed {killed:?}: {}", line.json);
        // Nodes of a sub-master that is dead start afresh.
        let may_lose = |node: u64| {
            let of = |victim: &usize| *victim as u64 == node;
            let with_sub_master =
                killed.contains(&SUB_MASTER) && ranks[node as usize].subcluster == 1;
            killed.iter().any(of) || with_sub_master
        };
        let node = line.json["node"].as_u64();
        assert!(node.is_none_or(may_lose), "killed {killed:?}: {}", line.json);
    }
    (killed, lost.len())
}

#[test]
fn a_task_that_fails_is_what_the_run_ends_with() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        "name = \"j\"\n[[task]]\nname = \"bad\"\ncommand = [\"false\"]\n\
         [[task]]\nname = \"good\"\ncommand = [\"true\"]\n\
         [[task]]\nname = \"after\"\ncommand = [\"true\"]\nafter = [\"bad\"]\n",
    );
    scratch.start_command(launcher.command(&scratch, 4, &run(&ARGS))).wait().expect(1);
    let verdict = records::verdict(&scratch.path("run"));
    let counts = &verdict["counts"];
    assert_eq!(verdict["exit_code"], 1);
    assert_eq!([&counts["done"], &counts["failed"], &counts["cancelled"]], [1, 1, 1]);
}

/// A run that ended with one of its ranks.
struct Death {
    scratch: Scratch,
    job: Parents,
    moment: f64,
    finished: Finished,
}

/// Starts a run by `command`, kills `victim` at a moment that chance chooses, and waits for the
/// launcher to end by itself. Nothing if the run ended before.
fn end_by_a_death(
    command: impl Fn(&Scratch) -> Command,
    random: &mut Random,
    victim: usize,
) -> Option<Death> {
    let scratch = Scratch::new();
    let job = effects::job(&scratch, random, 50);
    let mut running = scratch.start_command(command(&scratch));
    let ranks = ranks::of_running(&mut running, &scratch);
    if !comes_to_a_random_moment(&mut running, &scratch, random) {
        running.wait().expect(0);
        return None;
    }
    let moment = effects::now();
    ranks[victim].signal(Signal::KILL);
    let finished = running.wait();
    scratch.expect_no_process(Duration::from_secs(1));
    ranks.iter().for_each(Rank::expect_gone);
    Some(Death { scratch, job, moment, finished })
}

/// Goes on with the run, on threads or on ranks, and sees that all comes to be done. False if
/// the run had died before there was anything to go on with.
fn resumes(launcher: Launcher, on_ranks: bool, death: &Death) -> bool {
    let scratch = &death.scratch;
    let running = match on_ranks {
        true => {
            let args = run(&["--resume", "run", "--subclusters", "2"]);
            scratch.start_command(launcher.command(scratch, 4, &args))
        }
        false => scratch.start(&["run", "--resume", "run", "--nodes", "2"]),
    };
    let finished = running.wait();
    let too_early = ["it has no journal", "before its job was written down"];
    if too_early.iter().any(|words| finished.stderr.contains(words)) {
        finished.expect(2);
        assert_eq!(scratch.read("effects"), "", "then nothing was started either");
        return false;
    }
    finished.expect(0);
    records::expect_all_done(&scratch.path("run"), &death.job);
    expect_only_the_unfinished_again(&scratch.read("effects"), &[death.moment]);
    scratch.expect_no_process(Duration::from_secs(1));
    assert_eq!(ranks(scratch).len(), if on_ranks { 4 } else { 2 });
    true
}

/// Has runs end by the death of each of `victims`, started by `command`, and be resumed in both
/// ways in turn, after `check`.
fn expect_resumed(
    launcher: Launcher,
    command: impl Fn(&Scratch) -> Command,
    victims: &[usize],
    check: impl Fn(&Death),
) {
    let mut random = Random::new();
    for (victim, on_ranks) in victims.iter().zip([true, false].into_iter().cycle()) {
        loop {
            let death = end_by_a_death(&command, &mut random, *victim);
            death.iter().for_each(&check);
            if death.is_some_and(|death| resumes(launcher, on_ranks, &death)) {
                break;
            }
        }
    }
}

#[test]
fn a_run_whose_master_is_killed_has_no_verdict_and_goes_on_when_resumed() {
    let Some(launcher) = Launcher::linked_and_surviving() else { return };
    let command = |scratch: &Scratch| launcher.surviving(scratch, 4, &run(&ARGS));
    expect_resumed(launcher, command, &[MASTER; 4], |death| {
        assert!(!death.scratch.path("run/verdict.json").exists());
    });
}

#[test]
fn a_world_that_ends_with_a_rank_leaves_a_run_that_goes_on_when_resumed() {
    let Some(launcher) = Launcher::linked() else { return };
    let command = |scratch: &Scratch| launcher.command(scratch, 4, &run(&ARGS));
    expect_resumed(launcher, command, &[MASTER, 1, SUB_MASTER, 3], |death| {
        assert_ne!(death.finished.status.code(), Some(0), "{:#?}", death.finished);
    });
}

/// `evenkeel launch`, which starts the launcher of the linked MPI by itself.
fn launch(scratch: &Scratch, args: &[&str]) -> Command {
    scratch.command(&[&["launch", "-n", "4", "run"], args].concat())
}

#[test]
fn a_launch_ends_with_the_verdict_of_its_run() {
    if Launcher::linked().is_none() {
        return;
    }
    for (program, code) in [("true", 0), ("false", 1)] {
        let scratch = Scratch::new();
        let job = format!("name = \"j\"\n[[task]]\nname = \"a\"\ncommand = [\"{program}\"]\n");
        scratch.write("job.toml", &job);
        scratch.start_command(launch(&scratch, &ARGS)).wait().expect(code);
        assert_eq!(records::verdict(&scratch.path("run"))["exit_code"], code);
        scratch.expect_no_process(Duration::from_secs(1));
    }
}

#[test]
fn a_launch_whose_run_lost_its_master_or_its_world_says_so_and_how_to_go_on() {
    let Some(launcher) = Launcher::linked() else { return };
    // Where the others outlive a rank, the death of one more is no end.
    let victims: &[usize] = if launcher.outlives_ranks() { &[MASTER] } else { &[MASTER, 3] };
    expect_resumed(
        launcher,
        |scratch| launch(scratch, &ARGS),
        victims,
        |death| {
            let Finished { status, stderr, .. } = &death.finished;
            assert_eq!(status.code(), Some(3), "{stderr}");
            assert!(!death.scratch.path("run/verdict.json").exists());
        },
    );
}

#[test]
fn a_launch_goes_on_with_a_run() {
    if Launcher::linked().is_none() {
        return;
    }
    let mut random = Random::new();
    loop {
        let death = end_by_a_death(|scratch| launch(scratch, &ARGS), &mut random, MASTER);
        let Some(Death { scratch, job, finished, .. }) = death else { continue };
        // It says how, unless it died before there was anything to go on with.
        if finished.stderr.contains("run --resume run") {
            scratch.start_command(launch(&scratch, &["--resume", "run"])).wait().expect(0);
            return records::expect_all_done(&scratch.path("run"), &job);
        }
    }
}
