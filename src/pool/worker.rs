//! What the threads of a pool do: find work, run it, park, go from team to team.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::thread::{self, Thread};

use crossbeam::deque::{Steal, Worker as Deque};
use crossbeam::utils::Backoff;

use super::shared::Shared;
use super::sources::{Source, sources};
use super::team::{LEADER, Team};
use super::work::{Work, catch};
use crate::model::CoreId;

thread_local! {
    /// The innermost post of this thread; null outside any pool.
    static CURRENT: Cell<*const Post> = const { Cell::new(ptr::null()) };
}

/// The core whose worker the caller runs on; `None` outside any pool.
#[must_use]
pub fn current_core() -> Option<CoreId> {
    Post::with(|post| post.map(|post| post.shared.core(post.worker)))
}

/// The life of worker `worker`: in the commons while no team calls it.
pub(super) fn live(shared: &Arc<Shared>, worker: usize) {
    let commons = Post::take(shared, worker, Arc::clone(shared.commons()));
    let _here = commons.enter();
    loop {
        commons.help_until(|| shared.is_called(worker) || shared.is_closing());
        // Read before the queue: a team that was called before the closing is then in it.
        let closing = shared.is_closing();
        match shared.next_team(worker) {
            Some(team) => serve(shared, worker, team),
            None if closing => break,
            None => {}
        }
    }
    while let Some(work) = commons.find() {
        work.run();
    }
}

/// Takes a worker through its time in `team`.
fn serve(shared: &Arc<Shared>, worker: usize, team: Arc<Team>) {
    let post = Post::take(shared, worker, team);
    let here = post.enter();
    if post.seat == LEADER {
        for seat in &post.team.seats()[LEADER + 1..] {
            shared.wake(seat.worker);
        }
        let opening = post.team.take_opening().expect("a team is opened once, by its leader");
        post.run_counted(|| opening(&post.team));
    }
    post.help_until(|| post.team.is_over());
    drop(here);
    post.leave();
}

/// A worker's place in a team while it is there: what running code finds its pool by.
///
/// Lives in a stack frame of the worker's thread.
pub(super) struct Post {
    shared: Arc<Shared>,
    worker: usize,
    thread: Thread,
    team: Arc<Team>,
    seat: usize,
    deque: Deque<Work>,
    sources: Vec<Source>,
}

impl Post {
    fn take(shared: &Arc<Shared>, worker: usize, team: Arc<Team>) -> Post {
        let seat = team.seats().iter().position(|s| s.worker == worker);
        let seat = seat.expect("a worker is called by teams that it is a member of");
        Post {
            worker,
            thread: thread::current(),
            seat,
            deque: team.seats()[seat].take(),
            sources: sources(&team, seat, shared.victims(worker)),
            shared: Arc::clone(shared),
            team,
        }
    }

    /// Gives back what a later team of the same workers can use. The team is over.
    fn leave(self) {
        let Post { shared, worker, team, seat, deque, .. } = self;
        team.seats()[seat].put_back(deque);
        if seat == LEADER {
            shared.keep(worker, team);
        }
    }

    /// Makes this the current post until the guard goes.
    fn enter(&self) -> Entered<'_> {
        Entered { before: CURRENT.replace(self), _post: self }
    }

    /// Calls `body` with the post of the calling thread, if it is a worker's.
    pub(super) fn with<R>(body: impl FnOnce(Option<&Post>) -> R) -> R {
        let post = CURRENT.get();
        // SAFETY: null, or set by `enter` from a post in a frame further down this thread's
        // stack, whose guard takes it back before the post goes. That frame cannot go while
        // `body` runs above it, and the reference cannot leave `body`.
        body(unsafe { post.as_ref() })
    }

    pub(super) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    /// Whether this is a worker of that pool.
    pub(super) fn is_of(&self, pool: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, pool)
    }

    /// Puts work where this worker looks first, and wakes another of the team for it.
    pub(super) fn push(&self, work: Work) {
        self.deque.push(work);
        self.team.sleep().wake_one();
    }

    /// Takes back what was pushed last and has not been stolen.
    pub(super) fn pop(&self) -> Option<Work> {
        self.deque.pop()
    }

    fn find(&self) -> Option<Work> {
        self.pop().or_else(|| self.steal())
    }

    fn steal(&self) -> Option<Work> {
        loop {
            let mut lost_a_race = false;
            for source in &self.sources {
                let taken = match *source {
                    Source::Deque(seat) => self.team.seats()[seat].steal(),
                    Source::List(list) => self.team.lists()[list].steal(),
                };
                match taken {
                    Steal::Success(work) => return Some(work),
                    Steal::Retry => lost_a_race = true,
                    Steal::Empty => {}
                }
            }
            if !lost_a_race {
                return None;
            }
        }
    }

    /// Runs work of the team until `done`; parks when there is none. Whoever makes `done` true
    /// unparks this thread afterwards, or wakes all of the team.
    pub(super) fn help_until(&self, done: impl Fn() -> bool) {
        let mut backoff = Backoff::new();
        // Whether somebody woke this worker for work that it has not looked for yet.
        let mut owing = false;
        while !done() {
            if let Some(work) = self.find() {
                work.run();
                (backoff, owing) = (Backoff::new(), false);
            } else if backoff.is_completed() {
                owing = self.park_unless(&done);
                backoff = Backoff::new();
            } else {
                owing = false;
                backoff.snooze();
            }
        }
        if owing {
            self.team.sleep().wake_one();
        }
    }

    /// Parks until there may be something to do. `true` if woken for work.
    fn park_unless(&self, done: impl Fn() -> bool) -> bool {
        let sleep = self.team.sleep();
        sleep.announce(self.seat, &self.thread);
        if !done() && !self.team.has_work() {
            thread::park();
        }
        !sleep.withdraw(self.seat)
    }

    /// Runs what the team counts: an opening or detached work. Once the pool is closing it is
    /// dropped instead.
    pub(super) fn run_counted(&self, body: impl FnOnce()) {
        let ended = catch(|| if self.shared.is_closing() { drop(body) } else { body() });
        if let Err(payload) = ended {
            self.shared.report(payload);
        }
        self.team.end_one();
    }
}

/// Hands `work` to `team`: to the caller's own deque if it is on duty there, else to a list.
pub(super) fn submit(team: &Arc<Team>, work: Work) {
    Post::with(|post| match post {
        Some(post) if Arc::ptr_eq(&post.team, team) => post.push(work),
        _ => team.inject(work),
    });
}

/// Has `body` run some time later by `team`, with nobody waiting for it.
pub(super) fn detach(team: &Arc<Team>, body: impl FnOnce() + Send + 'static) {
    team.begin_one();
    let counted = || {
        Post::with(|post| post.expect("work is run by workers").run_counted(body));
    };
    // SAFETY: it borrows nothing, and `run_counted` catches panics.
    submit(team, unsafe { Work::boxed(counted) });
}

/// Takes a post back when the worker leaves it.
struct Entered<'a> {
    before: *const Post,
    _post: &'a Post,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}
