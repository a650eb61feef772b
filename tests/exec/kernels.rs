//! Kernels: what they are given, what they give back, how they end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel::exec::{Registry, Report, VALUE_LIMIT};
use evenkeel::model::{
    Addition, Attempt, CoreId, Ending, Exit, Finish, PeerId, Span, Task, TaskId, Value, Warning,
    WarningSignal,
};

use crate::support::{Bed, PATIENCE, kernel, key, map, settings, work};

fn bed(register: impl FnOnce(&mut Registry)) -> Bed {
    Bed::with(|config| register(&mut config.registry))
}

#[test]
fn a_kernel_sees_its_task() {
    let bed = bed(|registry| {
        registry.register("look", |task| {
            assert_eq!(task.args(), &Value::List(vec![4.into(), "t-4-1".into()]));
            assert_eq!(task.inputs(), [(TaskId(9), Value::Int(1)), (TaskId(2), Value::Int(2))]);
            assert_eq!(task.values().filter_map(Value::as_i64).collect::<Vec<_>>(), [1, 2]);
            assert_eq!((task.key(), task.attempt(), task.name()), (key(1), 1, "task-1"));
            assert_eq!((task.node(), task.cores()), (PeerId(3), &[CoreId(0), CoreId(1)][..]));
            assert_eq!(task.team().cores(), task.cores());
            assert_eq!(task.parameter("n"), Some(&Value::Int(4)));
            assert!(!task.cancelled());
            assert!(task.time_left().is_some_and(|left| left > Span::from_secs(50)));
            Ok("seen".into())
        });
    });
    let mut launch =
        kernel(1, "look", Value::List(vec!["%{n}".into(), "t-%{n}-%{TASK_ID}".into()]));
    work(&mut launch).inputs = vec![(TaskId(9), 1.into()), (TaskId(2), 2.into())];
    launch.cores = [CoreId(0), CoreId(1)].into();
    work(&mut launch).parameters = vec![("n".into(), 4.into())];
    launch.time_left = Some(Span::from_secs(100));
    let ending = bed.run(launch);
    assert_eq!((ending.exit, ending.value), (Exit::Code(0), "seen".into()), "{:?}", ending.reason);
}

#[test]
fn errors_and_panics_are_told() {
    let bed = bed(|registry| {
        registry.register("parse", |_| Ok("x".parse::<i64>()?.into()));
        registry.register("panic", |_| panic!("it is {}", "over"));
    });
    let reason = |name: &str| {
        let ending = bed.run(kernel(1, name, ()));
        assert_eq!(ending.exit, Exit::Code(1));
        ending.reason.unwrap()
    };
    assert_eq!(reason("parse"), "invalid digit found in string");
    assert_eq!(reason("panic"), "the kernel panicked: it is over");
    // The worker has survived.
    assert_eq!(bed.run(kernel(1, "noop", ())).exit, Exit::Code(0));
}

#[test]
fn a_value_over_the_limit_is_a_failure_and_one_at_it_is_not() {
    let bed = bed(|registry| {
        registry.register("bytes", |task| {
            Ok(vec![0u8; task.args().as_i64().unwrap_or(0) as usize].into())
        });
    });
    let give = |size: usize| bed.run(kernel(1, "bytes", size as i64));
    assert_eq!(give(VALUE_LIMIT).exit, Exit::Code(0));
    let over = give(VALUE_LIMIT + 1);
    assert_eq!((over.exit, over.value), (Exit::Code(1), Value::Unit));
    assert!(over.reason.unwrap().contains("65537 bytes, over the limit of 65536"));
}

#[test]
fn tasks_are_added_only_by_an_attempt_that_ends_well() {
    let bed = bed(|registry| {
        registry.register("add", |task| {
            let first = task.submit(Task::kernel("a", "noop", ()));
            let second = Task::kernel("b", "noop", ()).after([task.key().task]);
            let second = task.submit(Addition { task: second, siblings: vec![first] });
            assert_eq!((first, second), (0, 1));
            if task.args() == &Value::Bool(true) { Ok(().into()) } else { Err("no")? }
        });
    });
    let ending = bed.run(kernel(5, "add", true));
    assert_eq!(ending.added.len(), 2, "{ending:?}");
    assert_eq!(ending.added[1].siblings, [0]);
    assert_eq!(ending.added[1].task.after[0].task, TaskId(5));
    assert!(bed.run(kernel(5, "add", false)).added.is_empty());
}

#[test]
fn a_kernel_over_its_time_has_failed_by_that() {
    let bed = bed(|registry| {
        registry.register("patient", |task| {
            while !task.cancelled() {
                std::thread::yield_now();
            }
            Ok(1.into())
        });
    });
    let limited = |name: &str| {
        let mut launch = kernel(1, name, 100.0);
        launch.time_left = Some(Span::from_millis(20));
        bed.run(launch)
    };
    for name in ["patient", "sleep", "spin"] {
        let ending = limited(name);
        assert_eq!((ending.exit, ending.value), (Exit::TimeLimit, Value::Unit), "{name}");
        assert!(ending.reason.unwrap().contains("20.00 ms"));
    }
}

#[test]
fn a_kernel_is_warned_as_its_task_asks() {
    let bed = bed(|registry| {
        registry.register("heed", |task| {
            let at_first = task.warned();
            while !task.warned() && !task.cancelled() {
                std::thread::yield_now();
            }
            Ok(Value::List(vec![at_first.into(), task.cancelled().into()]))
        });
    });
    let mut launch = kernel(1, "heed", ());
    launch.time_left = Some(Span::from_secs(1000));
    let before = Span::from_millis(999_000);
    settings(&mut launch).warning = Some(Warning { signal: WarningSignal::Usr1, before });
    let ending = bed.run(launch);
    assert_eq!(ending.value, Value::List(vec![false.into(), false.into()]));
}

#[test]
fn a_kernel_sees_that_it_was_stopped() {
    let bed = Bed::new();
    bed.executor.launch(kernel(1, "sleep", 1000.0));
    bed.started(key(1));
    bed.executor.stop(key(1), Span::ZERO);
    let ending = bed.ended(key(1));
    assert_eq!((ending.exit, ending.reason.as_deref()), (Exit::Code(1), Some("cancelled")));
}

#[test]
fn a_kernel_that_is_stopped_while_it_waits_never_begins() {
    let bed = Bed::new();
    bed.executor.launch(kernel(1, "sleep", 1000.0));
    bed.started(key(1));
    bed.executor.launch(kernel(2, "noop", ()));
    bed.executor.stop(key(2), Span::ZERO);
    bed.executor.stop(key(1), Span::ZERO);
    let ending = bed.ended(key(2));
    assert_eq!(ending.exit, Exit::CouldNotStart);
    assert!(ending.reason.unwrap().contains("before it started"));
}

#[test]
fn kernels_that_are_launched_together_on_a_core_are_told_of_together() {
    let bed = Bed::new();
    bed.executor.launch_all((1..=50).map(|task| kernel(task, "sum", i64::from(task))).collect());
    let ended = loop {
        if let Report::Ended(ended) = bed.reports.recv_timeout(PATIENCE).unwrap() {
            break ended;
        }
    };
    let values: Vec<Value> = ended.iter().map(|finish| finish.ending.value.clone()).collect();
    assert_eq!(values, (1..=50).map(Value::Int).collect::<Vec<_>>());
    assert!(ended.is_sorted_by(|a, b| a.end <= b.start), "one after the other");
}

#[test]
fn what_has_not_begun_is_given_back_and_what_has_ended_before_is_told() {
    let bed = Bed::new();
    let names = [(1, "noop"), (2, "sleep"), (3, "noop"), (4, "noop")];
    bed.executor.launch_all(names.map(|(task, name)| kernel(task, name, 1000.0)).into());
    bed.started(key(2));
    bed.executor.withdraw(&[key(1), key(2), key(4)]);
    let told = |bed: &Bed| loop {
        match bed.reports.recv_timeout(PATIENCE).unwrap() {
            Report::Started { .. } => {}
            other => break other,
        }
    };
    let Report::Ended(ended) = told(&bed) else { panic!("what has ended comes first") };
    assert_eq!(ended.iter().map(|finish| finish.key).collect::<Vec<_>>(), [key(1)]);
    let Report::Withdrawn(back) = told(&bed) else { panic!("then what is given back") };
    assert_eq!(back.iter().map(|launch| launch.key).collect::<Vec<_>>(), [key(4)]);
    // It may be launched again, here too.
    bed.executor.launch(back.into_iter().next().unwrap());
    bed.executor.stop(key(2), Span::ZERO);
    let mut left = BTreeSet::from([2, 3, 4].map(key));
    while !left.is_empty() {
        if let Report::Ended(ended) = told(&bed) {
            ended.iter().for_each(|finish| assert!(left.remove(&finish.key), "{finish:?}"));
        }
    }
}

#[test]
fn nothing_is_told_after_an_abort() {
    let bed = Bed::new();
    bed.executor.launch(kernel(1, "sleep", 1000.0));
    bed.started(key(1));
    bed.executor.abort();
    bed.executor.launch(kernel(2, "noop", ()));
    assert!(bed.reports.recv_timeout(Duration::from_millis(50)).is_err());
}

#[test]
fn fail_fails_so_many_times() {
    let bed = Bed::new();
    let attempt = |n: u16| {
        let args = map(&[("message", "not yet %{ATTEMPT}".into()), ("times", 2.into())]);
        let mut launch = kernel(1, "fail", args);
        launch.key.attempt = Attempt(n);
        bed.run(launch)
    };
    assert_eq!(attempt(1).reason.as_deref(), Some("not yet 1"));
    assert_eq!(attempt(2).exit, Exit::Code(1));
    assert_eq!(attempt(3).exit, Exit::Code(0));
    assert_eq!(bed.run(kernel(1, "fail", ())).reason.as_deref(), Some("failed as it was asked to"));
}

#[test]
fn the_slices_of_pi_sum_up_to_pi() {
    let bed = Bed::new();
    let n = 100_000;
    let slices: Vec<Value> = (0..4)
        .map(|i: i64| {
            let (from, to) = (i * n / 4, (i + 1) * n / 4);
            let args = map(&[("from", from.into()), ("to", to.into()), ("n", n.into())]);
            bed.run(kernel(1, "pi", args)).value
        })
        .collect();
    let mut sum = kernel(2, "sum", ());
    work(&mut sum).inputs = (0..).map(TaskId).zip(slices).collect();
    let pi = bed.run(sum).value.as_f64().unwrap();
    assert!((pi - std::f64::consts::PI).abs() < 1e-9, "{pi}");
}

#[test]
fn sum_keeps_whole_numbers_whole() {
    let bed = Bed::new();
    let sum = |args: Value| bed.run(kernel(1, "sum", args));
    let nested = Value::List(vec![1.into(), map(&[("x", 2.into())]), Value::List(vec![3.into()])]);
    assert_eq!(sum(nested).value, Value::Int(6));
    assert_eq!(sum(vec![0.5, 1.0].into()).value, Value::Float(1.5));
    assert_eq!(sum(().into()).value, Value::Int(0));
    let large = Value::List(vec![i64::MAX.into(), i64::MAX.into()]);
    assert_eq!(sum(large).value, Value::Float(i64::MAX as f64 * 2.0));
    assert!(sum("x".into()).reason.unwrap().contains("was given text"));
}

#[test]
fn a_tile_and_a_product_are_what_they_should_be() {
    let bed = Bed::new();
    let tile = |x: f64, y: f64, pixels: i64| -> Ending {
        let args = [("x", x.into()), ("y", y.into()), ("size", 0.1.into())];
        let rest = [("pixels", pixels.into()), ("limit", 50.into())];
        bed.run(kernel(1, "mandelbrot", map(&[args.as_slice(), &rest].concat())))
    };
    let count = |ending: &Ending, name: &str| ending.value.get(name).and_then(Value::as_i64);
    let inside = tile(-0.05, -0.05, 8);
    assert_eq!((count(&inside, "escaped"), count(&inside, "iterations")), (Some(0), Some(3200)));
    let outside = tile(2.0, 2.0, 8);
    assert_eq!(count(&outside, "escaped"), Some(64));
    assert!(tile(0.0, 0.0, 241).reason.unwrap().contains("not 241"));
    assert_eq!(tile(0.0, 0.0, 240).exit, Exit::Code(0), "the largest tile fits in a value");
    let product = |seed: i64| {
        bed.run(kernel(1, "matmul", map(&[("n", 20.into()), ("seed", seed.into())]))).value
    };
    assert_eq!(product(3), product(3));
    // 400 products of two numbers in [0, 1), a quarter each in the mean.
    let trace = product(3).as_f64().unwrap();
    assert!((50.0..150.0).contains(&trace), "{trace}");
}

/// What `stitch` or `crc32` makes of these images, each with its width.
fn of_images(bed: &Bed, name: &str, images: &[(i64, &[u8])]) -> Ending {
    let mut launch = kernel(1, name, ());
    let image = |(width, bytes): &(i64, &[u8])| {
        map(&[("width", (*width).into()), ("image", bytes.to_vec().into())])
    };
    work(&mut launch).inputs = (0..).map(TaskId).zip(images.iter().map(image)).collect();
    bed.run(launch)
}

#[test]
fn images_are_put_side_by_side_line_by_line() {
    let bed = Bed::new();
    let stitched = of_images(&bed, "stitch", &[(2, b"abefij"), (1, b"cgk"), (1, b"dhl")]);
    let whole = map(&[("width", 4.into()), ("image", b"abcdefghijkl".to_vec().into())]);
    assert_eq!(stitched.value, whole);
    let reason = |images: &[(i64, &[u8])]| of_images(&bed, "stitch", images).reason.unwrap();
    assert_eq!(reason(&[(1, b"ab"), (3, b"abc")]), "an image 1 high beside one 2 high");
    assert_eq!(reason(&[(2, b"abc")]), "3 pixels are no image that is 2 wide");
    assert_eq!(reason(&[(0, b"abc")]), "3 pixels are no image that is 0 wide");
    let mut number = kernel(1, "stitch", ());
    work(&mut number).inputs = vec![(TaskId(0), 7.into())];
    let given = bed.run(number).reason.unwrap();
    assert_eq!(given, "`stitch` takes images and was given a whole number");
}

#[test]
fn a_checksum_is_that_of_all_bytes_in_order() {
    let bed = Bed::new();
    // The check value of this CRC.
    let sum = map(&[("crc32", 0xcbf4_3926_u32.into()), ("bytes", 9.into())]);
    assert_eq!(of_images(&bed, "crc32", &[(4, b"1234"), (1, b"56789")]).value, sum);
    let none = map(&[("crc32", 0.into()), ("bytes", 0.into())]);
    assert_eq!(of_images(&bed, "crc32", &[]).value, none);
}

#[test]
fn kernels_run_beside_each_other_and_are_told_once() {
    let bed = Bed::new();
    for task in 0..200 {
        let mut launch = kernel(task, "sum", i64::from(task));
        launch.cores = [CoreId(task % 2)].into();
        bed.executor.launch(launch);
    }
    let mut values = BTreeMap::new();
    while values.len() < 200 {
        if let Report::Ended(ended) = bed.reports.recv_timeout(PATIENCE).unwrap() {
            for Finish { key, ending, .. } in ended {
                assert_eq!(values.insert(key.task.0, ending.value), None);
            }
        }
    }
    assert!(values.iter().all(|(task, value)| *value == Value::Int(i64::from(*task))));
}
