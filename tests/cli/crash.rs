//! The whole process killed at random moments, and the run taken up again.

use std::fs;

use crate::effects::{self, comes_to_a_random_moment, expect_only_the_unfinished_again};
use crate::random::Random;
use crate::records;
use crate::scratch::Scratch;

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
