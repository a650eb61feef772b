//! What members of a team begin and end, and the one who waits until nothing is left.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::check;
use crate::context::Context;
use crate::sleep::park;
use crate::sync::thread::{self, Thread};
use crate::sync::{AtomicBool, Mutex, Ordering, heavy};
use crate::tally::{Tallies, Tally};

/// Scopes that wait, of which each has a thread.
struct Waiters([Mutex<Option<Thread>>; 2]);

impl Waiters {
    fn new() -> Waiters {
        Waiters(Default::default())
    }

    /// By what a tally knows the scope's worker.
    fn worker(n: usize) -> *const Context {
        ptr::without_provenance((n + 1) << 8)
    }

    /// What a scope's worker does when it has spawned so many closures and has nothing else to do.
    fn wait(&self, n: usize, tally: &Tally, spawned: u64) {
        *self.0[n].lock() = Some(thread::current());
        let is_over = || {
            let ended = tally.ended();
            ended == spawned + tally.begun()
        };
        while !is_over() {
            tally.announce(Waiters::worker(n));
            let reached = heavy();
            if !is_over() {
                park(reached);
            }
        }
    }

    /// What a member does when it has run a closure.
    fn end(&self, tally: &Tally, seat: usize) {
        if let Some(worker) = tally.end(seat, 1) {
            let n = (0..2).find(|n| Waiters::worker(*n) == worker).expect("one of the two");
            let waiter = self.0[n].lock().clone();
            waiter.expect("it was there when it entered itself").unpark();
        }
    }
}

/// What a closure writes, and the scope's worker reads when all is over.
#[derive(Default)]
struct Trace(UnsafeCell<u32>);

// SAFETY: loom sees who is at it.
unsafe impl Sync for Trace {}

impl Trace {
    fn leave(&self) {
        // SAFETY: as above.
        self.0.with_mut(|trace| unsafe { *trace += 1 });
    }

    fn is_left(&self) -> bool {
        // SAFETY: as above.
        self.0.with_mut(|trace| unsafe { *trace == 1 })
    }
}

#[test]
fn what_others_begin_is_waited_for_too() {
    struct Scope {
        waiters: Waiters,
        traces: [Trace; 2],
        /// Whether the inner closure lies where anybody may take it.
        offered: AtomicBool,
    }
    impl Scope {
        fn new() -> Scope {
            let (traces, offered) = Default::default();
            Scope { waiters: Waiters::new(), traces, offered }
        }

        fn run_inner(&self, tally: &Tally, seat: usize) {
            if self.offered.swap(false, Ordering::AcqRel) {
                self.traces[1].leave();
                self.waiters.end(tally, seat);
            }
        }
    }

    check(2, || {
        let tallies = Arc::new(Tallies::new(3));
        let (tally, scope) = (tallies.lend(), Arc::new(Scope::new()));
        let member = |work: fn(&Scope, &Tally)| {
            let (tallies, scope) = (Arc::clone(&tallies), Arc::clone(&scope));

            thread::spawn(move || {
                work(&scope, get(tally));
                drop(tallies);
            })
        };
        let members = [
            member(|scope, tally| {
                scope.traces[0].leave();
                tally.begin(1);
                scope.offered.store(true, Ordering::Release);
                scope.waiters.end(tally, 1);
                scope.run_inner(tally, 1);
            }),
            member(|scope, tally| scope.run_inner(tally, 2)),
        ];
        scope.waiters.wait(0, get(tally), 1);
        assert!(scope.traces.iter().all(Trace::is_left));
        // SAFETY: all is over.
        unsafe { tallies.take_back(tally) };
        members.into_iter().for_each(|member| member.join());
    });
}

#[test]
fn what_comes_from_outside_is_waited_for_too() {
    check(3, || {
        let tallies = Tallies::new(2);
        let tally = tallies.lend();
        let scope = Arc::new((Waiters::new(), Trace::default()));
        let member = thread::spawn({
            let scope = Arc::clone(&scope);
            move || {
                let tally = get(tally);
                thread::spawn(|| tally.begin_outside()).join();
                scope.0.end(tally, 1);
                scope.1.leave();
                scope.0.end(tally, 1);
            }
        });
        scope.0.wait(0, get(tally), 1);
        assert!(scope.1.is_left());
        member.join();
        // SAFETY: all is over.
        unsafe { tallies.take_back(tally) };
    });
}

/// Whoever has ended the last closure of a scope is held up before it looks who waits; meanwhile the
/// tally is that of another scope, whose worker waits for what the first one's ends.
#[test]
fn a_tally_comes_to_another_scope() {
    check(3, || {
        let tallies = Arc::new(Tallies::new(3));
        let waiters = Arc::new(Waiters::new());
        let tally = tallies.lend();
        let end = |seat| {
            let waiters = Arc::clone(&waiters);
            thread::spawn(move || waiters.end(get(tally), seat))
        };
        let late = end(1);
        waiters.wait(0, get(tally), 1);
        // SAFETY: all is over.
        unsafe { tallies.take_back(tally) };

        assert_eq!(tallies.lend(), tally);
        let second = thread::spawn({
            let waiters = Arc::clone(&waiters);
            move || waiters.wait(1, get(tally), 1)
        });
        let early = end(2);
        second.join();
        [late, early].into_iter().for_each(|member| member.join());
        // SAFETY: as above.
        unsafe { tallies.take_back(tally) };
    });
}

fn get<'a>(tally: NonNull<Tally>) -> &'a Tally {
    // SAFETY: its tallies are there until all threads of the model have ended.
    unsafe { tally.as_ref() }
}
