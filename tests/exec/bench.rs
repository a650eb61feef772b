//! How fast tasks can be started; by hand: `cargo test --release --test exec -- --ignored
//! --nocapture rate`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::exec::Report;
use evenkeel::model::{CoreId, Launch};

use crate::support::{Bed, PATIENCE, command, kernel};

const TASKS: u32 = 10_000;

#[test]
#[ignore = "a measurement"]
fn rate_of_true_beside_xargs() {
    for pinned in [false, true] {
        let bed = Bed::with(|config| config.pinned = pinned);
        rate(&format!("true, pinned: {pinned}"), TASKS, bed, |task| command(task, &["true"]));
    }
    let begin = Begin::now();
    let mut xargs =
        Command::new("xargs").args(["-P2", "-n1", "true"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = xargs.stdin.take().unwrap();
    for task in 0..TASKS {
        writeln!(input, "{task}").unwrap();
    }
    drop(input);
    assert!(xargs.wait().unwrap().success());
    say("xargs -P2", TASKS, begin.clock.elapsed(), &begin);
}

#[test]
#[ignore = "a measurement"]
fn rate_of_noop() {
    rate("noop", 100_000, Bed::new(), |task| kernel(task, "noop", ()));
}

/// Runs `n` tasks with two in flight, one on each core.
fn rate(what: &str, n: u32, bed: Bed, task: impl Fn(u32) -> Launch) {
    let begin = Begin::now();
    // By task, the core that it got.
    let mut cores = Vec::with_capacity(n as usize);
    for number in 0..2 {
        cores.push(CoreId(number));
        bed.executor.launch(Launch { cores: vec![CoreId(number)], ..task(number) });
    }
    let mut done = 0;
    while done < n {
        let report = bed.reports.recv_timeout(PATIENCE).unwrap();
        let Report::Ended { key, ending, .. } = report else { continue };
        assert!(ending.exit.is_success());
        done += 1;
        let number = cores.len() as u32;
        if number < n {
            let core = cores[key.task.index()];
            cores.push(core);
            bed.executor.launch(Launch { cores: vec![core], ..task(number) });
        }
    }
    let took = begin.clock.elapsed();
    // With the guard, what it and its children used is counted.
    drop(bed);
    say(what, n, took, &begin);
}

struct Begin {
    clock: Instant,
    cpu: f64,
}

impl Begin {
    fn now() -> Begin {
        Begin { clock: Instant::now(), cpu: cpu_seconds() }
    }
}

/// Of this process and of all children that it has reaped: a measure that the load of the
/// machine changes less than the rate.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: f64 = fields.skip(11).take(4).map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

#[expect(clippy::print_stdout, reason = "a measurement that nobody sees is none")]
fn say(who: &str, n: u32, took: Duration, begin: &Begin) {
    let n = f64::from(n);
    let rate = n / took.as_secs_f64();
    let cpu = (cpu_seconds() - begin.cpu) / n * 1e6;
    println!("{who}: {rate:.0} tasks/s, {cpu:.0} µs of processor time each");
}
