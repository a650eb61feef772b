//! A team as the models have it: its members, what they share, and nothing of the pool around it.

use std::sync::Arc;

use crate::context::{Context, Seated};
use crate::list::{List, Priority};
use crate::post::Post;
use crate::sleep::{Sleep, Waker};
use crate::sync::{AtomicBool, Ordering, thread};
use crate::tally::Tallies;
use crate::work::Work;

/// So few that a deque has to grow.
pub(crate) const SLOTS: usize = 1;

pub(crate) struct Team {
    seats: Vec<Seat>,
    lists: [List; 1],
    sleep: Sleep,
    tallies: Tallies,
    over: AtomicBool,
}

pub(crate) struct Seat {
    pub(crate) place: Seated,
}

impl Team {
    fn new(members: usize) -> Arc<Team> {
        Arc::new(Team {
            seats: (0..members).map(|seat| Seat { place: Seated::new(seat) }).collect(),
            lists: [List::default()],
            sleep: Sleep::new(1),
            tallies: Tallies::new(members),
            over: AtomicBool::new(false),
        })
    }

    /// A team of so many in which the first does `work` while the others help.
    pub(crate) fn run(members: usize, work: impl FnOnce(&Context) + Send + 'static) {
        let team = Team::new(members);
        let others: Vec<_> = (1..members)
            .map(|seat| {
                let team = Arc::clone(&team);
                thread::spawn(move || {
                    let post = Post::take(&team, seat);
                    // SAFETY: each thread has a seat of its own.
                    let here = unsafe { team.seats[seat].place.enter(&post) };
                    here.cx.help_until(0, &|| team.over.load(Ordering::Acquire));
                })
            })
            .collect();
        let first = thread::spawn({
            let team = Arc::clone(&team);
            move || {
                let post = Post::take(&team, 0);
                // SAFETY: as above.
                let here = unsafe { team.seats[0].place.enter(&post) };
                work(here.cx);
                drop(here);
                team.over.store(true, Ordering::Release);
                team.sleep.wake_all();
            }
        });
        first.join();
        others.into_iter().for_each(|other| other.join());
    }

    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(crate) fn lists(&self) -> &[List] {
        &self.lists
    }

    pub(crate) fn has_listed(&self) -> bool {
        !self.lists[0].is_empty()
    }

    pub(crate) fn inject(&self, work: Work, _: Option<usize>, _: Priority) {
        self.lists[0].push(work);
        self.sleep.wake_one(Waker::GoesOn);
    }

    pub(crate) fn sleep(&self) -> &Sleep {
        &self.sleep
    }

    pub(crate) fn tallies(&self) -> &Tallies {
        &self.tallies
    }
}
