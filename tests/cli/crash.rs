//! The whole process killed at random moments, and the run taken up again.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::random::Random;
use crate::records::{self, Parents};
use crate::scratch::{Running, Scratch};

/// An ending that was seen so long before a kill must be durable by then: the window of the
/// group commit, and what a busy machine may add to it.
const DURABLE_AFTER: f64 = 0.1 + 0.9;

/// A command that leaves a line when it starts and one when it ends.
const TASK: &str = r#"
cwd = "SCRATCH"
command = "echo start $EVENKEEL_TASK_NAME $EVENKEEL_ATTEMPT $(date +%s.%N) >> effects; sleep PAUSE; echo end $EVENKEEL_TASK_NAME $EVENKEEL_ATTEMPT $(date +%s.%N) >> effects"
"#;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn job(scratch: &Scratch, random: &mut Random, n: u64) -> Parents {
    let folder = scratch.path("").display().to_string();
    let task = TASK.replace("SCRATCH", &folder).replace("PAUSE", "0.05");
    let mut text = "name = \"crash\"\n".to_owned();
    let mut job = Parents::new();
    for i in 0..n {
        let parents: Vec<String> = match i {
            0..8 => Vec::new(),
            _ => vec![format!("t{}", random.below(i))],
        };
        let body = if i % 5 == 4 { "kernel = \"sleep\"\nargs = { seconds = 0.02 }" } else { &task };
        writeln!(text, "[[task]]\nname = \"t{i}\"\nafter = {parents:?}\n{body}").unwrap();
        job.insert(format!("t{i}"), parents);
    }
    scratch.write("job.toml", &text);
    job
}

/// Waits for a moment that chance chooses: so many more lines of records or of effects, or
/// bytes of the journal, than there are now. False if the run ended before.
fn comes_to_a_random_moment(
    running: &mut Running<'_>,
    scratch: &Scratch,
    random: &mut Random,
) -> bool {
    let size = |name: &str| fs::metadata(scratch.path(name)).map_or(0, |meta| meta.len());
    let (name, more) = match random.below(8) {
        0 => return !running.has_ended(),
        1 => ("run", 1),
        2 => ("run/journal", 1),
        3 | 4 => ("run/journal", 1 + random.below(1500)),
        5 | 6 => ("effects", 1 + random.below(300)),
        _ => ("run/records.jsonl", 1 + random.below(1500)),
    };
    let goal = size(name) + more;
    let mut ended = false;
    let came = crate::scratch::poll(crate::scratch::LIMIT, || {
        ended = running.has_ended();
        // Records are written anew by whoever goes on, so that they may shrink at first.
        ended || size(name) >= goal
    });
    assert!(came, "{name} stays below {goal} bytes; stderr: {}", running.stderr());
    !ended
}

/// Kills and resumes one run until it ends by itself; gives how often it was killed.
fn until_the_end(random: &mut Random, kills: u32, shape: &[&str]) -> u32 {
    let scratch = Scratch::new();
    let job = job(&scratch, random, 120);
    let run = [&["run", "job.toml", "--run-dir", "run"], shape].concat();
    let resume = [&["run", "--resume", "run"], shape].concat();
    let mut killed = Vec::new();
    let begun = |scratch: &Scratch| scratch.path("run/journal").exists();
    loop {
        let mut running = scratch.start(if begun(&scratch) { &resume } else { &run });
        let more = killed.len() < kills as usize;
        if more && comes_to_a_random_moment(&mut running, &scratch, random) {
            killed.push(now());
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

/// Sees that a command whose end was long durable when the process was killed was not run
/// again. Gives how many were run again though they had ended.
fn expect_only_the_unfinished_again(effects: &str, killed: &[f64]) -> usize {
    let mut ended: BTreeMap<&str, f64> = BTreeMap::new();
    let mut again = 0;
    for line in effects.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, task, _, at] = words[..] else { continue };
        let Ok(at) = at.parse::<f64>() else { continue };
        if what == "end" {
            ended.insert(task, at);
        } else if let Some(end) = ended.get(task) {
            again += 1;
            let kill = killed.iter().rfind(|kill| **kill <= at);
            let kill = kill.unwrap_or_else(|| panic!("{task} was run again, and nothing died"));
            let held = kill - end;
            assert!(held < DURABLE_AFTER, "{task} ended {held} s before the kill and ran again");
        }
    }
    again
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
