//! How fast the scheduler alone is: `cargo test --release --test sched -- --ignored pace`.

use std::time::Instant;

use evenkeel::model::*;
use evenkeel::sched::{Action, Batch, Event, Machine, Process};

use crate::story::*;

#[test]
#[ignore = "it measures, and means something in a release build only"]
#[expect(clippy::print_stderr, reason = "the figure is what it is for")]
fn pace_of_noop_tasks_through_one_process() {
    const TASKS: u32 = 100_000;
    let seat = Story::of(&[&[2]]).seat(0).clone();
    let mut process = Process::new(&seat);
    let (mut actions, mut appended, mut published) = (Vec::new(), 0u64, 0);
    let batch = Batch {
        tasks: (0..TASKS).map(|_| task("noop")).collect(),
        ranks: vec![0; TASKS as usize],
        ..Batch::default()
    };
    process.step(Time(1), Event::Start, &mut actions);
    let began = Instant::now();
    process.step(Time(1), Event::Submit(Box::new(batch)), &mut actions);
    process.step(Time(1), Event::Seal, &mut actions);
    while !actions.is_empty() {
        let now = Time::ZERO + Span::from(began.elapsed());
        let mut more = Vec::new();
        let before = appended;
        for action in actions {
            match action {
                Action::Append(_) => appended += 1,
                Action::Publish(_) => published += 1,
                Action::Launch(launch) => {
                    let ended =
                        Event::Ended { key: launch.key, start: now, end: now, ending: well() };
                    process.step(now, ended, &mut more);
                }
                _ => {}
            }
        }
        if appended > before {
            process.step(now, Event::Durable(appended), &mut more);
        }
        actions = more;
    }
    let rate = f64::from(TASKS) / began.elapsed().as_secs_f64();
    eprintln!("{rate:.0} tasks/s");
    assert_eq!(published, TASKS);
}
