//! Pools of rayon's on given cores.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use evenkeel::host::{Host, current_thread_mask};
use evenkeel::model::{Core, CoreId};
use evenkeel::pool::rayon_on;

use super::bounded;

#[test]
fn each_thread_has_the_name_and_the_units_of_its_core() {
    bounded(|| {
        let host = Host::discover().unwrap();
        if !host.real {
            return;
        }
        let cores: Vec<Core> = host.allowed.cores().take(2).cloned().collect();
        let seen = Mutex::new(BTreeSet::new());
        rayon_on(&cores).unwrap().broadcast(|_| {
            let name = thread::current().name().map(String::from);
            // Where nobody tells, they run where the system likes.
            seen.lock().unwrap().insert((name, current_thread_mask().ok()));
        });
        let expected = |core: &Core| {
            let told = current_thread_mask().is_ok();
            (Some(format!("rayon-{}", core.id)), told.then(|| core.units.clone()))
        };
        assert_eq!(seen.into_inner().unwrap(), cores.iter().map(expected).collect());
    });
}

#[test]
fn cores_that_cannot_be_had_are_refused() {
    let none = rayon_on(&[]).unwrap_err().to_string();
    assert_eq!(none, "a pool needs at least one core");
    let absent = Core { id: CoreId(7), package: 0, cache: 0, units: vec![1 << 20] };
    let error = rayon_on(&[absent]).unwrap_err().to_string();
    assert!(error.starts_with("could not pin a worker to core c7 (units [1048576])"), "{error}");
}
