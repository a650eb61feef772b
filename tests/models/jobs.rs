//! A job that another has taken, and the one who waits for it.

use std::ptr;

use loom::cell::UnsafeCell;

use crate::check;
use crate::job::{Job, Progress};
use crate::sync::thread::{self, Thread};

/// One who runs jobs or waits for them.
struct Member {
    /// Something of its own, which the other may look at.
    name: UnsafeCell<&'static str>,
    thread: Thread,
}

impl Member {
    fn new(name: &'static str) -> Member {
        Member { name: UnsafeCell::new(name), thread: thread::current() }
    }

    fn name(&self) -> &'static str {
        // SAFETY: loom sees whether it was written before.
        self.name.with(|name| unsafe { *name })
    }
}

/// What the waiter has in its frame.
#[repr(C)]
struct Frame {
    job: Job<Member>,
    body: UnsafeCell<u32>,
    result: UnsafeCell<u32>,
}

impl Frame {
    fn new() -> Box<Frame> {
        Box::new(Frame {
            job: Job::new(run),
            body: UnsafeCell::new(20),
            result: UnsafeCell::new(0),
        })
    }

    fn result(&self) -> u32 {
        // SAFETY: as in `name`. The waiter may do with it what it likes.
        self.body.with_mut(|body| unsafe { *body = 0 });
        // SAFETY: loom sees whether anybody else is at it.
        self.result.with_mut(|result| unsafe { *result })
    }
}

/// Runs the job, and wakes who has entered.
unsafe fn run(this: *const Job<Member>, _: &Member) {
    let frame = this.cast::<Frame>();
    // SAFETY: the frame is there up to `finish`.
    let waiter = unsafe {
        let body = (*frame).body.with(|body| *body);
        (*frame).result.with_mut(|result| *result = body + 1);
        Job::finish(this)
    };
    if let Some(waiter) = waiter {
        // SAFETY: the waiter is there longer than its thief.
        let waiter = unsafe { &*waiter };
        assert_eq!(waiter.name(), "waiter");
        waiter.thread.unpark();
    }
}

/// Has another thread take and run the job; the thief is `member`, which outlives the frame.
fn thief(job: &Job<Member>) -> thread::JoinHandle<Box<Member>> {
    let job = ptr::from_ref(job);
    thread::spawn(move || {
        let member = Box::new(Member::new("thief"));
        // SAFETY: the job is there until it is done.
        unsafe { (*job).take(&member)(job, &member) };
        member
    })
}

#[test]
fn the_waiter_sees_the_taker_and_the_result() {
    check(3, || {
        let frame = Frame::new();
        let thief = thief(&frame.job);
        // A thread of its own, or the end of the thief that it had made would wake it; and named by
        // now, or the thief would know the name from where it was made.
        let waiter = thread::spawn(move || {
            let me = Box::new(Member::new("waiter"));
            loop {
                // SAFETY: the thief gives its place back when it is joined.
                match unsafe { frame.job.progress(run) } {
                    Progress::Offered => loom::thread::yield_now(),
                    Progress::Taken(by) => {
                        assert_eq!(by.name(), "thief");
                        if !frame.job.enter(by, &me) {
                            break;
                        }
                    }
                    Progress::Awaited => thread::park(),
                    Progress::Done => break,
                }
            }
            assert_eq!(frame.result(), 21);
            drop(frame);
            me
        });
        let places = [waiter.join(), thief.join()];
        drop(places);
    });
}
