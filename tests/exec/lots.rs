//! Kernels that are launched together on the same cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{hint, thread};

use evenkeel::exec::Report;
use evenkeel::model::{AttemptKey, Ending, Exit, Finish, Span, Value};

use crate::support::{Bed, PATIENCE, kernel, key};

/// The next `n` attempts that end, in that order.
fn ended(bed: &Bed, n: usize) -> Vec<Finish> {
    let mut all = Vec::new();
    while all.len() < n {
        if let Report::Ended(ended) = bed.reports.recv_timeout(PATIENCE).unwrap() {
            all.extend(ended);
        }
    }
    all
}

fn keys(finishes: &[Finish]) -> Vec<AttemptKey> {
    finishes.iter().map(|finish| finish.key).collect()
}

#[test]
fn each_is_run_once_however_often_it_is_launched() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let bed = Bed::with(|config| {
        config.registry.register("wait", |task| {
            while !task.cancelled() {
                thread::yield_now();
            }
            Ok(().into())
        });
        config.registry.register("count", move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(().into())
        });
    });
    let [first, second, third] = [(1, "wait"), (2, "count"), (3, "count")];
    let launches = |names: &[(u32, &str)]| {
        bed.executor.launch_all(names.iter().map(|(task, name)| kernel(*task, name, ())).collect());
    };
    launches(&[first, second, second, first, third]);
    bed.started(key(1));
    launches(&[first, third]);
    bed.executor.stop(key(1), Span::ZERO);
    assert_eq!(keys(&ended(&bed, 3)), [1, 2, 3].map(key));
    // Then all the same again, and none of it is left of before.
    launches(&[second]);
    assert_eq!(keys(&ended(&bed, 1)), [key(2)]);
    assert_eq!(runs.load(Ordering::Relaxed), 3);
}

#[test]
fn who_is_stopped_while_others_run_never_begins_and_the_others_are_what_they_are() {
    let bed = Bed::new();
    let names = [(1, "sleep"), (2, "sum"), (3, "nonsense"), (4, "noop"), (5, "sum"), (6, "sum")];
    let launches = names.map(|(task, name)| kernel(task, name, f64::from(task) * 1000.0));
    bed.executor.launch_all(launches.into());
    let refused = ended(&bed, 1);
    assert_eq!(keys(&refused), [key(3)], "it waits for nobody");
    let reason = refused[0].ending.reason.as_deref().unwrap();
    assert!(reason.starts_with("no kernel is registered as `nonsense`"), "{reason}");
    bed.started(key(1));
    // Those that are left move up, and stay who they are.
    bed.executor.withdraw(&[key(4)]);
    bed.executor.stop(key(5), Span::ZERO);
    bed.executor.stop(key(1), Span::ZERO);
    let ended = ended(&bed, 4);
    assert_eq!(keys(&ended), [1, 2, 5, 6].map(key));
    let ending = |at: usize| -> &Ending { &ended[at].ending };
    assert_eq!(ending(0).reason.as_deref(), Some("cancelled"));
    assert_eq!(ending(1).value, Value::Float(2000.0));
    assert_eq!(ending(2).exit, Exit::CouldNotStart);
    assert_eq!(ending(3).value, Value::Float(6000.0));
}

#[test]
fn each_has_the_processor_time_that_it_used_itself() {
    let bed = Bed::with(|config| {
        config.registry.register("busy", |_| {
            // So many steps, and not so much time: who has to share its core needs as many.
            (0..5_000_000_u64).for_each(|step| _ = hint::black_box(step));
            Ok(().into())
        });
    });
    let short = (0..100).map(|task| kernel(task, "noop", ()));
    let long = [kernel(100, "sleep", 0.05), kernel(101, "busy", ()), kernel(102, "sleep", 0.05)];
    bed.executor.launch_all(short.chain(long).collect());
    let ended = ended(&bed, 103);
    let took = |finish: &Finish| finish.end.since(finish.start);
    let used = |finish: &Finish| finish.ending.usage.cpu;
    for finish in &ended {
        assert!(used(finish) <= took(finish), "{finish:?}");
    }
    for asleep in [&ended[100], &ended[102]] {
        assert!(used(asleep).0 < took(asleep).0 / 2, "{asleep:?}");
    }
    assert!(used(&ended[101]) > used(&ended[102]), "{:?}", &ended[101..]);
}
