//! A set of workers, the work they share, and when it is over.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use parking_lot::{Condvar, Mutex};

use super::context::Seated;
use super::list::{DomainList, Priority};
use super::sleep::{Sleep, Waker};
use super::tally::Tallies;
use super::work::Work;
use crate::model::CoreId;

/// The closure that a team is made for.
pub(super) type Opening = Box<dyn FnOnce(&Team) + Send>;

/// The workers that [`Pool::start`](super::Pool::start) granted to a piece of work.
///
/// All that the work spawns, joins or scopes is run by these workers and no others.
pub struct Team {
    cores: Vec<CoreId>,
    /// Those of the workers, and then those for guests.
    seats: Vec<Seat>,
    /// For each guest's seat whether somebody has it.
    taken: Mutex<Vec<bool>>,
    /// One was given back, or somebody need not wait for one any more.
    seat_news: Condvar,
    /// The domain lists: one for each domain that the team has a worker in.
    lists: Vec<DomainList>,
    /// Which domain each is of.
    domains: Vec<usize>,
    /// Which list the next work from outside goes to.
    next_list: CachePadded<AtomicUsize>,
    sleep: CachePadded<Sleep>,
    /// The opening and the detached work that have not ended. Joined and scoped work is part
    /// of whatever waits for it.
    pending: CachePadded<AtomicUsize>,
    over: AtomicBool,
    /// Whether it is over some time; else nothing is counted.
    ends: bool,
    opening: Mutex<Option<Opening>>,
    tallies: Tallies,
}

/// One worker's place in a team.
///
/// The deque belongs to the place and not to the worker: so nobody can take another team's
/// work from it, however late he looks.
pub(super) struct Seat {
    /// Which worker of the pool; guests are numbered after the workers.
    pub(super) worker: usize,
    /// Which of the team's lists is that of its domain.
    pub(super) list: usize,
    /// Where its worker works while it is in the team.
    pub(super) place: Seated,
}

/// Who is to be a member: its place in the pool, its core, its domain.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) worker: usize,
    pub(super) core: CoreId,
    pub(super) domain: usize,
}

/// The slots of a new deque: enough for most recursions, and little to ask for by a short task.
pub(super) const SLOTS: usize = 256;

/// The seat of the worker that runs the opening.
pub(super) const LEADER: usize = 0;

#[expect(clippy::len_without_is_empty, reason = "a team is never empty")]
impl Team {
    /// A team of `members` that is over when `opening`, and all that it leaves behind, has
    /// ended. Without an opening it is never over. `guests` are the numbers of as many guests as
    /// it has seats for.
    pub(super) fn new(members: &[Member], guests: Range<usize>, opening: Option<Opening>) -> Team {
        let mut domains = Vec::new();
        let mut seats = Vec::with_capacity(members.len());
        for (seat, member) in members.iter().enumerate() {
            let known = domains.iter().position(|d| *d == member.domain);
            let list = known.unwrap_or_else(|| {
                domains.push(member.domain);
                domains.len() - 1
            });
            seats.push(Seat { worker: member.worker, list, place: Seated::new(seat) });
        }
        let taken = Mutex::new(vec![false; guests.len()]);
        for (guest, worker) in guests.enumerate() {
            let (list, seat) = (seats[guest % members.len()].list, seats.len());
            seats.push(Seat { worker, list, place: Seated::new(seat) });
        }
        Team {
            cores: members.iter().map(|m| m.core).collect(),
            tallies: Tallies::new(seats.len()),
            seats,
            taken,
            seat_news: Condvar::new(),
            lists: domains.iter().map(|_| DomainList::default()).collect(),
            next_list: CachePadded::default(),
            sleep: CachePadded::new(Sleep::new(domains.len())),
            domains,
            pending: CachePadded::new(AtomicUsize::new(1)),
            over: AtomicBool::new(false),
            ends: opening.is_some(),
            opening: Mutex::new(opening),
        }
    }

    /// Makes a team that is over, and that all its members have left, one that is to run
    /// `opening`. Its deques and lists are empty then: what was in them was counted, or waited
    /// for by what was.
    pub(super) fn reopen(&mut self, opening: Opening) {
        *self.pending.get_mut() = 1;
        *self.over.get_mut() = false;
        *self.opening.get_mut() = Some(opening);
    }

    /// The cores of the team, the leader's first.
    #[must_use]
    pub fn cores(&self) -> &[CoreId] {
        &self.cores
    }

    /// How many workers there are; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cores.len()
    }

    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Takes a guest's seat; while none is free it waits for one, until `gives_up`.
    pub(super) fn take_guest_seat(&self, gives_up: impl Fn() -> bool) -> Option<usize> {
        let mut taken = self.taken.lock();
        loop {
            if let Some(free) = taken.iter().position(|taken| !taken) {
                taken[free] = true;
                return Some(self.cores.len() + free);
            }
            if gives_up() {
                return None;
            }
            self.seat_news.wait(&mut taken);
        }
    }

    /// Gives a guest's seat back, for the next, who then finds all as it was left.
    pub(super) fn leave_guest_seat(&self, seat: usize) {
        self.taken.lock()[seat - self.cores.len()] = false;
        self.seat_news.notify_all();
    }

    /// Has those who wait for a guest's seat ask themselves whether to give up.
    pub(super) fn stir_waiting_guests(&self) {
        // Whoever has asked himself before is waiting once the lock is free.
        drop(self.taken.lock());
        self.seat_news.notify_all();
    }

    pub(super) fn lists(&self) -> &[DomainList] {
        &self.lists
    }

    pub(super) fn sleep(&self) -> &Sleep {
        &self.sleep
    }

    pub(super) fn take_opening(&self) -> Option<Opening> {
        self.opening.lock().take()
    }

    /// The list of a domain; `None` if the team has no worker there.
    pub(super) fn list_of(&self, domain: usize) -> Option<usize> {
        self.domains.iter().position(|known| *known == domain)
    }

    /// Puts work from outside the team on a domain list, or on all of them in turn, and wakes a
    /// worker.
    pub(super) fn inject(&self, work: Work, list: Option<usize>, priority: Priority) {
        self.enlist(work, list, priority);
        self.sleep.wake_one(Waker::GoesOn);
    }

    /// [`inject`](Self::inject) for a caller who does nothing until the work is done.
    pub(super) fn inject_and_wait(&self, work: Work) {
        self.enlist(work, None, Priority::default());
        self.sleep.wake_one(Waker::Waits);
    }

    fn enlist(&self, work: Work, list: Option<usize>, priority: Priority) {
        let list = list
            .unwrap_or_else(|| self.next_list.fetch_add(1, Ordering::Relaxed) % self.lists.len());
        self.lists[list].push(work, priority);
    }

    /// Counts a piece of detached work, before it is put anywhere. The caller is counted
    /// itself, so the count cannot be at zero.
    pub(super) fn begin_one(&self) {
        if self.ends {
            self.pending.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Uncounts the opening or a piece of detached work; the last one ends the team.
    pub(super) fn end_one(&self) {
        // Release: what this work did is done. Acquire: so is what the others did.
        if self.ends && self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Partner: `is_over`.
            self.over.store(true, Ordering::Release);
            self.sleep.wake_all();
        }
    }

    /// Whether more than the opening is still to end. Asked in that.
    pub(crate) fn has_detached(&self) -> bool {
        // Acquire: with the release in `end_one`, what is not counted any more is done.
        self.pending.load(Ordering::Acquire) > 1
    }

    /// Whether all has ended; then all that the team did is visible.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// Whether there is anything on a domain list.
    pub(super) fn has_listed(&self) -> bool {
        self.lists.iter().any(|list| !list.is_empty())
    }
}
