//! Parking: whoever brings something to do wakes one who sleeps, however late either is.

use std::ptr;
use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::check;
use crate::deque::{Deque, Entry};
use crate::latch::Latch;
use crate::sleep::{Sleep, Waker, park};
use crate::sync::{AtomicUsize, Ordering, heavy, thread};

/// Things to do, as bare a number as can be: it hands nothing over but itself.
struct Team {
    sleep: Sleep,
    things: AtomicUsize,
}

impl Team {
    fn new() -> Arc<Team> {
        Arc::new(Team { sleep: Sleep::new(1), things: AtomicUsize::new(0) })
    }

    fn bring(&self) {
        self.things.store(self.things.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.sleep.wake_one(Waker::GoesOn);
    }

    /// Sleeps until there are so many.
    fn await_things(&self, seat: usize, things: usize) {
        while self.things.load(Ordering::Relaxed) < things {
            self.sleep.announce(seat, &thread::current());
            let reached = heavy();
            if self.things.load(Ordering::Relaxed) < things {
                park(reached);
            }
            self.sleep.withdraw(seat);
        }
    }

    /// Two threads that sleep until there is one.
    fn two_sleepers(self: &Arc<Self>) -> [thread::JoinHandle<()>; 2] {
        [1, 2].map(|seat| {
            let team = Arc::clone(self);
            thread::spawn(move || team.await_things(seat, 1))
        })
    }
}

#[test]
fn no_wake_up_is_lost() {
    check(3, || {
        let team = Team::new();
        // A thread of its own: the end of those that it had made would wake it too.
        let sleeper = thread::spawn({
            let team = Arc::clone(&team);
            move || team.await_things(0, 2)
        });
        team.bring();
        team.bring();
        sleeper.join();
    });
}

/// Each thing that is brought wakes another sleeper.
#[test]
fn as_many_are_woken_as_things_are_brought() {
    check(2, || {
        let team = Team::new();
        let sleepers = team.two_sleepers();
        team.bring();
        team.sleep.wake_one(Waker::GoesOn);
        sleepers.into_iter().for_each(|sleeper| sleeper.join());
    });
}

#[test]
fn all_are_woken() {
    check(2, || {
        let team = Team::new();
        let sleepers = team.two_sleepers();
        team.things.store(1, Ordering::Relaxed);
        team.sleep.wake_all();
        sleepers.into_iter().for_each(|sleeper| sleeper.join());
    });
}

/// Who asks and parks is woken by what is pushed after that, also if the owner is just answering
/// somebody else, or has no slots yet.
#[test]
fn no_request_is_lost() {
    struct Owner {
        deque: Deque,
        sleep: Sleep,
    }
    impl Owner {
        fn push(&self) {
            let entry = Entry::new(ptr::without_provenance_mut(2), false);
            // SAFETY: the caller is the owner, and nobody takes the entry for something.
            if unsafe { self.deque.push(entry) && self.deque.attend() } {
                self.sleep.wake_one(Waker::GoesOn);
            }
        }
    }

    check(3, || {
        let owner = Arc::new(Owner { deque: Deque::new(), sleep: Sleep::new(1) });
        let asker = thread::spawn({
            let owner = Arc::clone(&owner);
            move || {
                owner.sleep.announce(1, &thread::current());
                owner.deque.insist();
                let reached = heavy();
                if !owner.deque.has_entries() {
                    park(reached);
                }
                owner.sleep.withdraw(1);
            }
        });
        // SAFETY: there is no other owner.
        unsafe { owner.deque.own(2) };
        owner.push();
        // SAFETY: as above.
        unsafe { owner.deque.pop() };
        owner.push();
        asker.join();
    });
}

/// Who asks while another does is seen to sleep by the one who takes both requests for one.
#[test]
fn no_request_hides_another() {
    check(2, || {
        let shared = Arc::new((Deque::new(), Sleep::new(1)));
        let (deque, sleep) = &*shared;
        // SAFETY: there is no other owner.
        unsafe { deque.own(2) };
        let askers = [true, false].map(|sleeps| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (deque, sleep) = &*shared;
                if sleeps {
                    sleep.announce(1, &thread::current());
                }
                deque.insist();
            })
        });
        // SAFETY: as above.
        let is_seen = unsafe { deque.attend() } && sleep.has_any();
        askers.into_iter().for_each(|asker| asker.join());
        assert!(is_seen || deque.is_asked(), "the request is answered or stands");
    });
}

/// The latch goes with the frame of its waiter, which may not wait for the setter to be done.
#[test]
fn a_latch_is_set_once_and_not_touched_after() {
    struct Frame {
        latch: Latch,
        result: UnsafeCell<u32>,
    }

    check(3, || {
        let frame = Frame { latch: Latch::for_this_thread(), result: UnsafeCell::new(0) };
        let frame = Box::new(frame);
        let address = ptr::from_ref(&*frame);
        let setter = thread::spawn(move || {
            // SAFETY: the frame is there until the latch is set.
            unsafe {
                (*address).result.with_mut(|result| *result = 1);
                Latch::set(&raw const (*address).latch);
            }
        });
        frame.latch.wait();
        // SAFETY: loom sees whether the setter is still at it.
        assert_eq!(frame.result.with_mut(|result| unsafe { *result }), 1);
        drop(frame);
        setter.join();
    });
}
