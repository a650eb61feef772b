//! Where the workers may run.
#![cfg(target_os = "linux")]

use std::sync::mpsc;
use std::thread;

use evenkeel::host::{Host, current_thread_mask, pin_current_thread};
use evenkeel::model::{Domain, Topology};
use evenkeel::pool::{Builder, Pool};

use super::bounded;

/// The units that each worker of a pool may run on.
fn masks(pool: Builder) -> Vec<Vec<u32>> {
    let pool = pool.build().unwrap();
    let mask = |core| {
        let (send, receive) = mpsc::channel();
        pool.start(&[core], move |_| send.send(current_thread_mask().unwrap()).unwrap());
        receive.recv().unwrap()
    };
    pool.cores().iter().copied().map(mask).collect()
}

/// Two cores of this machine, as far as it has two, with these in each domain.
fn two_cores(domains: &[&[usize]]) -> Option<Topology> {
    let host = Host::discover().unwrap();
    let cores: Vec<_> = host.allowed.cores().take(2).cloned().collect();
    let domain = |cores_of: &&[usize]| Domain {
        cores: cores_of.iter().map(|at| cores[*at].clone()).collect(),
        ..Domain::default()
    };
    (host.real && cores.len() == 2).then(|| Topology {
        domains: domains.iter().map(domain).collect(),
        distances: vec![vec![10; domains.len()]; domains.len()],
    })
}

fn units(host: &Topology, at: usize) -> Vec<u32> {
    host.cores().nth(at).expect("it has two").units.clone()
}

#[test]
fn each_worker_keeps_to_its_domain() {
    bounded(|| {
        let Some(host) = two_cores(&[&[0], &[1]]) else { return };
        let expected = [units(&host, 0), units(&host, 1)];
        assert_eq!(masks(Pool::builder().topology(host)), expected);
    });
}

#[test]
fn a_domain_is_shared_by_its_workers() {
    bounded(|| {
        let Some(host) = two_cores(&[&[0, 1]]) else { return };
        let mut both = [units(&host, 0), units(&host, 1)].concat();
        both.sort_unstable();
        let pinned = [units(&host, 0), units(&host, 1)];
        assert_eq!(masks(Pool::builder().topology(host.clone()).pin(true)), pinned);
        assert_eq!(masks(Pool::builder().topology(host)), [both.clone(), both]);
    });
}

#[test]
fn a_part_of_a_domain_is_kept_to() {
    bounded(|| {
        let Some(host) = two_cores(&[&[1]]) else { return };
        let expected = [units(&host, 0)];
        assert_eq!(masks(Pool::builder().topology(host)), expected);
    });
}

#[test]
fn who_is_not_to_be_bound_is_not() {
    bounded(|| {
        let before = current_thread_mask().unwrap();
        for pool in [
            Pool::builder().threads(2),
            Pool::builder()
                .topology(two_cores(&[&[0], &[1]]).unwrap_or(Topology::flat(2)))
                .pin(false),
        ] {
            assert_eq!(masks(pool), [before.clone(), before.clone()]);
        }
    });
}

#[test]
fn a_pool_of_which_nothing_is_said_has_the_cores_of_its_builder() {
    bounded(|| {
        let before = current_thread_mask().unwrap();
        let host = Host::discover().unwrap();
        let all = masks(Pool::builder());
        assert_eq!(all.len(), host.workers());
        assert!(all.iter().flatten().all(|unit| before.contains(unit)));

        let last = [*before.last().expect("a thread may run somewhere")];
        let built = thread::spawn(move || {
            pin_current_thread(&last).unwrap();
            masks(Pool::builder())
        });
        let built = built.join().unwrap();
        if host.real {
            assert_eq!(built, [last]);
        }
    });
}
