//! What belongs to a worker while it has its place in a team.

use std::ptr;
use std::sync::Arc;
use std::thread::{self, Thread};

use super::blocking::StandIn;
use super::context::Context;
use super::list::Priority;
use super::patience::Waiting;
use super::shared::Shared;
use super::sources::{Source, sources};
use super::team::Team;
use super::work::{Work, catch, hold};
use crate::model::CoreId;

/// A worker's turn of duty in a team. Lives in a stack frame of the worker's thread.
pub(super) struct Post {
    shared: Arc<Shared>,
    /// The worker that this is, or that it stands in for; `None` for other guests.
    worker: Option<usize>,
    thread: Thread,
    team: Arc<Team>,
    seat: usize,
    sources: Vec<Source>,
}

/// The core whose worker the caller runs on; `None` outside any pool, and on a thread that takes
/// part without being a worker.
#[must_use]
pub fn current_core() -> Option<CoreId> {
    Context::with(|cx| cx.and_then(|cx| cx.post().core()))
}

impl Post {
    pub(super) fn take(shared: &Arc<Shared>, worker: usize, team: Arc<Team>) -> Post {
        let seat = team.seats().iter().position(|s| s.worker == worker);
        let seat = seat.expect("a worker is called by teams that it is a member of");
        Post::at(shared, team, seat, Some(worker))
    }

    /// For the one who has that seat, and is, or stands in for, `worker`.
    pub(super) fn at(
        shared: &Arc<Shared>,
        team: Arc<Team>,
        seat: usize,
        worker: Option<usize>,
    ) -> Post {
        let number = team.seats()[seat].worker;
        Post {
            worker,
            thread: thread::current(),
            seat,
            sources: sources(&team, seat, shared.victims(number)),
            shared: Arc::clone(shared),
            team,
        }
    }

    /// The team, when the worker leaves it.
    pub(super) fn leave(self) -> Arc<Team> {
        self.team
    }

    pub(super) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    pub(super) fn seat(&self) -> usize {
        self.seat
    }

    /// Which of the team's lists is that of this worker's domain.
    pub(super) fn list(&self) -> usize {
        self.team.seats()[self.seat].list
    }

    /// What the workers of the pool do when there is nothing to do.
    pub(super) fn waiting(&self) -> Waiting {
        self.shared.waiting()
    }

    pub(super) fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The other seats of the team, nearest first.
    pub(super) fn victims(&self) -> impl Iterator<Item = usize> {
        self.sources.iter().filter_map(|source| match *source {
            Source::Deque(seat) => Some(seat),
            Source::List(_) => None,
        })
    }

    pub(super) fn core(&self) -> Option<CoreId> {
        self.worker.map(|worker| self.shared.core(worker))
    }

    /// Has another thread stand in for this worker until what comes back goes; `None` for a guest
    /// who does not stand in for one himself.
    pub(super) fn bring_stand_in(&self) -> Option<StandIn> {
        let worker = self.worker?;
        self.shared.stand_ins(worker).bring(&self.shared, worker, &self.team)
    }

    /// Whether this is a worker of that pool.
    pub(super) fn is_of(&self, pool: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, pool)
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

/// Has `body` run some time later by `team`, with nobody waiting for it: out of the caller's own
/// deque if it is on duty there, else from a list.
pub(super) fn detach(team: &Arc<Team>, body: impl FnOnce() + Send + 'static) {
    Context::with(|cx| match cx {
        Some(cx) if ptr::eq(cx.team(), Arc::as_ptr(team)) => {
            team.begin_one();
            // SAFETY: it borrows nothing, `run_counted` catches panics, and only members of the
            // team run what is in its deques.
            let entry = unsafe { hold(cx, |cx| cx.post().run_counted(body)) };
            cx.offer(entry);
        }
        _ => team.inject(count(team, body), None, Priority::default()),
    });
}

/// `body` for a list of `team`, counted there, with nobody waiting for it.
pub(super) fn count(team: &Team, body: impl FnOnce() + Send + 'static) -> Work {
    team.begin_one();
    // SAFETY: it borrows nothing, and `run_counted` catches panics.
    unsafe { Work::new(|cx| cx.post().run_counted(body)) }
}
