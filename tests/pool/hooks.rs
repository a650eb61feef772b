//! What is called when workers start and stop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use evenkeel::model::CoreId;
use evenkeel::pool::Pool;

use super::bounded;

#[test]
fn each_worker_calls_the_hooks_once_on_its_own_thread() {
    bounded(|| {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let calls = Arc::clone(&calls);
            move |core: CoreId| {
                let thread = std::thread::current().name().map(String::from);
                calls.lock().unwrap().push((what, core, thread));
            }
        };
        let (start, stop) = (note("start"), note("stop"));
        let pool = Pool::builder().threads(3).name("h").on_start(start).on_stop(stop).build();
        let expected = |what| {
            let of = |i| (what, CoreId(i), Some(format!("h-c{i}")));
            (0..3).map(of).collect::<BTreeSet<_>>()
        };
        let take =
            || std::mem::take(&mut *calls.lock().unwrap()).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(take(), expected("start"), "all have started when the pool is there");
        drop(pool);
        assert_eq!(take(), expected("stop"), "all have stopped when the pool is gone");
    });
}

#[test]
fn a_pool_whose_workers_cannot_start_is_not_built() {
    bounded(|| {
        let fails = |core| assert_ne!(core, CoreId(1), "on purpose");
        let error = Pool::builder().threads(2).on_start(fails).build().unwrap_err();
        assert_eq!(error.to_string(), "what was to be called on core c1 first panicked");
    });
}

#[test]
fn a_panic_at_the_end_is_reported() {
    bounded(|| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let pool = Pool::builder()
            .threads(1)
            .on_stop(|_| panic!("at the end"))
            .on_panic(move |payload| {
                heard.lock().unwrap().push(*payload.downcast::<&str>().unwrap());
            })
            .build()
            .unwrap();
        drop(pool);
        assert_eq!(*told.lock().unwrap(), ["at the end"]);
    });
}
