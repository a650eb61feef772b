//! How fast tasks can be started; by hand: `cargo test --release --test exec -- --ignored
//! --nocapture rate`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use evenkeel::exec::Report;
use evenkeel::model::CoreId;

use crate::support::{Bed, PATIENCE, command};

const TASKS: u32 = 10_000;

#[test]
#[ignore = "a measurement"]
fn rate_of_true_beside_xargs() {
    for pinned in [false, true] {
        let bed = Bed::with(|config| config.pinned = pinned);
        let begin = Instant::now();
        let start = |task: u32| {
            let mut launch = command(task, &["true"]);
            launch.cores = vec![CoreId(task % 2)];
            bed.executor.launch(launch);
        };
        let (mut next, mut done) = (2, 0);
        (0..next).for_each(start);
        while done < TASKS {
            if let Report::Ended { ending, .. } = bed.reports.recv_timeout(PATIENCE).unwrap() {
                assert!(ending.exit.is_success());
                done += 1;
                if next < TASKS {
                    start(next);
                    next += 1;
                }
            }
        }
        say(&format!("exec, pinned {pinned}"), begin);
    }
    let begin = Instant::now();
    let mut xargs =
        Command::new("xargs").args(["-P2", "-n1", "true"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = xargs.stdin.take().unwrap();
    for task in 0..TASKS {
        writeln!(input, "{task}").unwrap();
    }
    drop(input);
    assert!(xargs.wait().unwrap().success());
    say("xargs -P2", begin);
}

#[expect(clippy::print_stdout, reason = "a measurement that nobody sees is none")]
fn say(who: &str, begin: Instant) {
    let rate = f64::from(TASKS) / begin.elapsed().as_secs_f64();
    println!("{who}: {rate:.0} tasks/s");
}
