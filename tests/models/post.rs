//! A member's place in its team, without a pool.

use std::sync::Arc;

use crate::patience::Waiting;
use crate::sources::Source;
use crate::sync::thread::{self, Thread};
use crate::team::Team;

pub(crate) struct Post {
    team: Arc<Team>,
    seat: usize,
    thread: Thread,
    sources: Vec<Source>,
}

impl Post {
    pub(crate) fn take(team: &Arc<Team>, seat: usize) -> Post {
        let others = (0..team.len()).filter(|other| *other != seat);
        let sources = others.map(Source::Deque).chain([Source::List(0)]).collect();
        Post { team: Arc::clone(team), seat, thread: thread::current(), sources }
    }

    pub(crate) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    pub(crate) fn seat(&self) -> usize {
        self.seat
    }

    pub(crate) fn list(&self) -> usize {
        0
    }

    pub(crate) fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    pub(crate) fn waiting(&self) -> Waiting {
        Waiting::Park
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters
    }

    pub(crate) fn nearness(&self, _: usize) -> Near {
        Near
    }
}

pub(crate) struct Near;

/// Nobody asks for statistics.
pub(crate) struct Counters;

impl Counters {
    pub(crate) fn ran(&self, _: u64) {}

    pub(crate) fn stole(&self, _: Near, _: u64) {}

    pub(crate) fn took_listed(&self, _: bool) {}

    pub(crate) fn parks(&self) {}
}
