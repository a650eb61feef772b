//! How fast the scheduler alone is: `cargo test --release --test sched -- --ignored pace`.

use std::collections::VecDeque;
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
                Action::Publish(records) => published += records.len() as u32,
                Action::Launch(launches) => {
                    let end =
                        |l: Launch| Finish { key: l.key, start: now, end: now, ending: well() };
                    let ended = launches.into_iter().map(end).collect();
                    process.step(now, Event::Ended(ended), &mut more);
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

#[test]
#[ignore = "it measures, and means something in a release build only"]
#[expect(clippy::print_stderr, reason = "the figure is what it is for")]
fn pace_of_noop_tasks_over_a_thousand_nodes() {
    const TASKS: u32 = 100_000;
    let seats = {
        let story = Story::of(&[&[1; 1000]]);
        (0..1000).map(|n| story.seat(n).clone()).collect::<Vec<_>>()
    };
    let mut processes: Vec<Process> = seats.iter().map(Process::new).collect();
    let batch = Batch {
        tasks: (0..TASKS).map(|_| task("noop")).collect(),
        ranks: vec![0; TASKS as usize],
        ..Batch::default()
    };
    let mut post: VecDeque<(PeerId, Event)> = VecDeque::new();
    for n in (1..1000).map(node) {
        post.extend([(node(0), Event::Up(n)), (n, Event::Up(node(0)))]);
    }
    post.extend(seats.iter().map(|seat| (seat.peer, Event::Start)));
    post.push_back((node(0), Event::Submit(Box::new(batch))));
    post.push_back((node(0), Event::Seal));
    let (mut appended, mut published) = (0u64, 0);
    let began = Instant::now();
    while let Some((peer, event)) = post.pop_front() {
        let now = Time::ZERO + Span::from(began.elapsed());
        let mut actions = Vec::new();
        let before = appended;
        processes[peer.index()].step(now, event, &mut actions);
        processes[peer.index()].step(now, Event::Flush, &mut actions);
        for action in actions {
            match action {
                Action::Send { to, frame } => {
                    post.push_back((to, Event::Frame { from: peer, frame }));
                }
                Action::Append(_) => appended += 1,
                Action::Publish(records) => published += records.len() as u32,
                Action::Launch(launches) => {
                    let end =
                        |l: Launch| Finish { key: l.key, start: now, end: now, ending: well() };
                    let ended = launches.into_iter().map(end).collect();
                    post.push_back((peer, Event::Ended(ended)));
                }
                _ => {}
            }
        }
        if appended > before {
            post.push_back((peer, Event::Durable(appended)));
        }
    }
    let rate = f64::from(TASKS) / began.elapsed().as_secs_f64();
    eprintln!("{rate:.0} tasks/s over 1000 nodes");
    assert_eq!(published, TASKS);
}
