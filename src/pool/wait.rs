//! What a worker does while it waits: it helps, spins for a while, and parks.

use std::hint;
use std::ptr;

use super::context::Context;
use super::deque::{Deque, Entry, MOST_CLAIMANTS, Steal};
use super::job::{Progress, Run};
use super::patience::{Patience, Waiting};
use super::prefetch::prefetch;
use super::sleep::{Waker, park};
use super::sources::Source;
use super::sync::{Ordering, heavy};
use super::work::Job;

/// The most entries that one theft takes, but one.
const LOOT: usize = 31;

/// What a worker waits for while it helps.
pub(super) trait Goal {
    /// Whether it need not wait any longer.
    fn is_reached(&self) -> bool;

    /// Whether it must not even run what lies on its own deque first.
    fn comes_first(&self) -> bool;

    /// Called before it looks for the last time and parks: from now on whoever reaches the goal
    /// must see that he is to wake it.
    fn announce(&self) {}
}

/// A goal whose being reached is told to the worker in any case.
impl<F: Fn() -> bool> Goal for F {
    fn is_reached(&self) -> bool {
        self()
    }

    fn comes_first(&self) -> bool {
        self()
    }
}

impl Context {
    /// Runs work of the team until the goal is reached; parks when there is none. Whoever reaches
    /// it wakes this worker afterwards, or, if that cannot be isolated, all of the team. Of this worker's own deque it takes
    /// only what lies at `base` or above.
    pub(super) fn help_until(&self, base: u64, goal: &impl Goal) {
        let (sleep, waiting) = (self.team().sleep(), self.post().waiting());
        let mut patience = Patience::new(waiting);
        let mut spinner = sleep.spinner(self.post().list());
        loop {
            let mut ran = 0;
            while !goal.comes_first()
                && let Some(entry) = self.pop_above(base)
            {
                self.run(entry);
                ran += 1;
            }
            if ran > 0 {
                self.post().counters().ran(ran);
            }
            if goal.is_reached() {
                break;
            }
            let found = if self.is_isolated() { None } else { self.search(&patience) };
            if let Some(entry) = found {
                if !patience.is_new() {
                    self.pass_on();
                }
                spinner.stop();
                self.run_taken(entry);
                patience = Patience::new(waiting);
            } else if !patience.pause(|| spinner.start()) {
                spinner.stop();
                self.park_unless(goal);
                patience = Patience::woken(waiting);
            }
        }
        spinner.stop();
        if !patience.is_new() {
            self.pass_on();
        }
    }

    /// Wakes another if there is something to do besides: one wake-up may have been meant for all
    /// of it, and for whoever was the one to wake.
    fn pass_on(&self) {
        let sleep = self.team().sleep();
        if sleep.has_any() && self.team_has_work() {
            sleep.wake_one(Waker::GoesOn);
        }
    }

    /// Whether there is anything on a list or in the deque of another.
    fn team_has_work(&self) -> bool {
        let team = self.team();
        team.has_listed() || self.others().any(Deque::has_entries)
    }

    /// The deques of the others in the team.
    fn others(&self) -> impl Iterator<Item = &Deque> {
        let me = self.post().seat();
        let seats = self.post().team().seats().iter().enumerate();
        seats.filter(move |(seat, _)| *seat != me).map(|(_, seat)| seat.place.deque())
    }

    /// Runs what is left of this worker's own work and on the lists.
    pub(super) fn drain(&self) {
        let patience = Patience::new(Waiting::Park);
        while let Some(entry) = self.pop_above(0).or_else(|| self.search(&patience)) {
            self.run_taken(entry);
        }
    }

    /// Looks once at all that the team has.
    fn search(&self, patience: &Patience) -> Option<Entry> {
        let post = self.post();
        let team = post.team();
        for source in post.sources() {
            match *source {
                Source::Deque(seat) => {
                    let found = self.steal_from(seat, patience);
                    if found.is_some() {
                        return found;
                    }
                }
                Source::List(list) => {
                    if let Some(work) = team.lists()[list].take() {
                        post.counters().took_listed(list == post.list());
                        return Some(work.unpack(self));
                    }
                }
            }
        }
        None
    }

    /// Takes from another; asks, where nothing is public, and in the end claims. Of entries that
    /// are many alike it takes up to half; the others then lie in its own deque.
    fn steal_from(&self, seat: usize, patience: &Patience) -> Option<Entry> {
        let victim = self.team().seats()[seat].place.deque();
        loop {
            match victim.steal() {
                Steal::Taken(first) => {
                    let more = if first.is_alike() { self.loot(victim) } else { 0 };
                    self.post().counters().stole(self.post().nearness(seat), 1 + more);
                    return Some(first);
                }
                Steal::Retry => hint::spin_loop(),
                Steal::Empty => {
                    victim.ask();
                    let me = self.post().seat() + 1;
                    if !patience.is_out() || me > MOST_CLAIMANTS || !victim.claim(me) {
                        return None;
                    }
                }
            }
        }
    }

    /// Takes half of what is public, as long as it is alike and nobody else is at it. Gives back
    /// how many.
    fn loot(&self, victim: &Deque) -> u64 {
        let mut entries = [Entry::NONE; LOOT];
        let taken = victim.steal_alike(&mut entries);
        for entry in taken {
            // What it is of lies in the cache of the victim: better waited for all at once.
            prefetch(entry.address());
            self.offer(*entry);
        }
        taken.len() as u64
    }

    /// Parks until there may be something to do. In isolation nothing is to be done but what the
    /// goal is about, so that it need not be woken for work, which would be lost on it.
    fn park_unless(&self, goal: &impl Goal) {
        let post = self.post();
        let sleep = post.team().sleep();
        let takes_work = !self.is_isolated();
        goal.announce();
        if takes_work {
            sleep.announce(post.seat(), post.thread());
            self.others().for_each(Deque::insist);
        }
        // Either this sees what somebody has brought, or he sees that this one sleeps, or asks.
        // Partner: `light` in `Deque::push` and `Sleep::wake_one`.
        let reached = heavy();
        if !(goal.is_reached() || takes_work && self.team_has_work()) {
            post.counters().parks();
            park(reached);
        }
        if takes_work {
            sleep.withdraw(post.seat());
        }
    }

    /// Waits until `job`, which others have taken or will, is done. Meanwhile runs only what was
    /// split off from it: what its thief offers, and where that waits in its turn, what its own
    /// thief does (leapfrogging, Wagner and Calder 1993). So the stack grows no deeper than the
    /// recursion is, and nothing is picked up here that is not waited for anyway.
    pub(super) fn follow(&self, base: u64, job: &Job, how: Run<Context>) {
        let waiting = self.post().waiting();
        let mut patience = Patience::new(waiting);
        let mut thief: Option<&Context> = None;
        loop {
            // SAFETY: takers are members of this team, and live as long as it.
            match unsafe { job.progress(how) } {
                Progress::Done => break,
                Progress::Taken(by) => thief = Some(by),
                Progress::Offered | Progress::Awaited => {}
            }
            let Some(by) = thief else {
                // It says so in a moment.
                patience.pause(|| true);
                continue;
            };
            // Relaxed: members are there before any of them starts, so all see what they look at.
            self.awaits.store(ptr::from_ref(by).cast_mut(), Ordering::Relaxed);
            if let Some(entry) = self.pop_above(base) {
                self.run(entry);
                self.post().counters().ran(1);
            } else if let Some(entry) = self.steal_along(by, &patience) {
                self.run_taken(entry);
                patience = Patience::new(waiting);
            } else if !patience.pause(|| true) {
                self.park_behind(by, job, how);
                patience = Patience::new(waiting);
            }
        }
        // Relaxed: seen late, somebody looks into a deque for nothing.
        self.awaits.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Takes from the one who runs what this worker waits for, or from the one whom he waits for,
    /// and so on.
    fn steal_along(&self, thief: &Context, patience: &Patience) -> Option<Entry> {
        let mut next = ptr::from_ref(thief);
        for _ in 0..self.post().team().len() {
            // SAFETY: a member of this team or null; members live as long as it.
            let Some(victim) = (unsafe { next.as_ref() }) else { break };
            if ptr::eq(victim, self) {
                break;
            }
            let found = self.steal_from(victim.seat(), patience);
            if found.is_some() {
                return found;
            }
            // Relaxed: as in `follow`.
            next = victim.awaits.load(Ordering::Relaxed);
        }
        None
    }

    /// Parks until `job` is done, or perhaps until `thief`, who runs it, has something to offer.
    fn park_behind(&self, thief: &Context, job: &Job, how: Run<Context>) {
        // One entered before stays so.
        job.enter(thief, self);
        // Relaxed: the request that follows brings it; and who is there is behind a lock.
        thief.follower.store(ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        thief.deque.insist();
        // Partner: `light` in `Deque::push`.
        let reached = heavy();
        // SAFETY: as in `follow`.
        let done = matches!(unsafe { job.progress(how) }, Progress::Done);
        if !done && !thief.deque.has_entries() {
            self.post().counters().parks();
            park(reached);
        }
    }
}
