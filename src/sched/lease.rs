//! Who is alive: a child renews, a parent waits for it no longer than the lease.
//!
//! The child counts its lease from the moment it *asked*, the parent from the moment it heard,
//! which is later; and the child stops a [margin](margin) early. So a child that cannot be heard
//! has stopped before its work is given to another, without the two clocks agreeing on anything
//! but the length of a second.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Renewal;
use crate::model::{PeerId, Span, Time};

/// A child asks this many times in a lease.
const ASKS: u64 = 4;
/// That a parent is in doubt already; it is not a time that comes.
const DOUBTED: Time = Time(u64::MAX);

/// What a child gives up of its lease for the sake of clocks that run apart (1 part in 16 is far
/// more than any two quartzes differ).
#[must_use]
pub(super) fn margin(lease: Span) -> Span {
    Span(lease.0 / 16)
}

/// The parent's side: until when each child is taken to be alive.
#[derive(Debug, Default)]
pub(super) struct Leases {
    until: BTreeMap<PeerId, Time>,
    /// The same by time.
    ends: BTreeSet<(Time, PeerId)>,
}

impl Leases {
    /// A child was heard of; it is alive until `until`.
    pub(super) fn renew(&mut self, child: PeerId, until: Time) {
        self.forget(child);
        self.until.insert(child, until);
        self.ends.insert((until, child));
    }

    /// A child is taken to be alive no longer than until then.
    pub(super) fn shorten(&mut self, child: PeerId, until: Time) {
        if self.until.get(&child).is_some_and(|now| *now > until) {
            self.renew(child, until);
        }
    }

    /// A child is of no interest any more. Until when it was taken to be alive, if it was.
    pub(super) fn forget(&mut self, child: PeerId) -> Option<Time> {
        let until = self.until.remove(&child)?;
        self.ends.remove(&(until, child));
        Some(until)
    }

    /// Those whose lease ended; they are forgotten.
    pub(super) fn expired(&mut self, now: Time) -> Vec<PeerId> {
        let gone = self.ends.iter().take_while(|(until, _)| *until <= now);
        let gone: Vec<PeerId> = gone.map(|(_, child)| *child).collect();
        gone.iter().for_each(|child| _ = self.forget(*child));
        gone
    }

    /// When the next lease ends.
    #[must_use]
    pub(super) fn next(&self) -> Option<Time> {
        self.ends.first().map(|(until, _)| *until)
    }
}

/// The child's side: to whom it belongs and until when.
#[derive(Debug)]
pub(super) struct Attachment {
    /// Parents to try, in turn.
    candidates: Vec<PeerId>,
    at: usize,
    lease: Span,
    state: State,
    /// Since when it has looked for a parent, if it has none.
    seeking: Option<Time>,
    /// When it asked for the renewal that it got last.
    asked: Time,
    clock: MasterClock,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Not yet begun, or not wanted any more.
    New,
    /// Said hello, and waits for a welcome until then.
    Greeting { until: Time },
    /// Belongs to its parent. Looks for another from `doubt` on, if that says nothing.
    Attached { until: Time, ask: Time, doubt: Time },
    /// Said hello to another parent, with what it holds, since the last is dead or silent. May act
    /// until then all the same.
    Moving { until: Time },
    /// The master is dead for certain, so that nobody gives away what is held here. May act until
    /// then, and looks out for another master.
    Orphaned { until: Time },
    /// The parent is in the same process and lives as long as this does.
    Local,
}

/// What is due on the child's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Ask the parent for more time.
    Renew,
    /// The parent does not answer: try the next one, with all that is held.
    Move,
    /// The lease is over, or nobody answered: stop everything and try the next parent.
    Lapsed,
}

impl Attachment {
    /// To the first of `candidates` that answers, best first; `lease` is how long an answer may take.
    ///
    /// # Panics
    /// If there is no candidate.
    #[must_use]
    pub(super) fn new(candidates: Vec<PeerId>, lease: Span) -> Attachment {
        assert!(!candidates.is_empty(), "a child has at least one parent to try");
        Attachment {
            candidates,
            at: 0,
            lease,
            state: State::New,
            seeking: None,
            asked: Time::ZERO,
            clock: MasterClock::default(),
        }
    }

    /// To a parent in the same process.
    #[must_use]
    pub(super) fn local(parent: PeerId) -> Attachment {
        let mut attachment = Attachment::new(vec![parent], Span::ZERO);
        attachment.state = State::Local;
        attachment
    }

    /// The parent that is tried or attached to.
    #[must_use]
    pub(super) fn parent(&self) -> PeerId {
        self.candidates[self.at]
    }

    /// How many parents there are further down the list.
    #[must_use]
    pub(super) fn further(&self) -> usize {
        self.candidates.len() - self.at - 1
    }

    /// The idea of the master's clock that the renewals gave.
    #[must_use]
    pub(super) fn clock(&self) -> &MasterClock {
        &self.clock
    }

    /// A hello goes out now.
    pub(super) fn greet(&mut self, now: Time) {
        if self.state != State::Local {
            self.state = State::Greeting { until: now + self.lease };
            self.seeking.get_or_insert(now);
        }
    }

    /// A hello goes out to a parent further down the list that can be reached, before the lease
    /// from this one is over. Whether there is one; if not, all stays as it is. Nobody goes back
    /// this way: what a former parent has sent meanwhile could be taken for news.
    pub(super) fn change(&mut self, is_up: impl Fn(PeerId) -> bool) -> bool {
        let State::Attached { until, .. } = self.state else { return false };
        let mut others = self.at + 1..self.candidates.len();
        let Some(next) = others.find(|i| is_up(self.candidates[*i])) else { return false };
        self.at = next;
        self.state = State::Moving { until };
        true
    }

    /// The parent is dead or silent: it wants another as soon as one can be reached.
    pub(super) fn doubt(&mut self) {
        if let State::Attached { doubt, .. } = &mut self.state {
            *doubt = DOUBTED;
        }
    }

    /// The parent leaves: it wants another at once. It is sent on again with the next answer, if there is
    /// none yet.
    pub(super) fn send_on(&mut self) {
        if let State::Attached { doubt, .. } = &mut self.state {
            *doubt = Time::ZERO;
        }
    }

    /// Whether it wants another parent, and there was none.
    #[must_use]
    pub(super) fn is_doubted(&self) -> bool {
        matches!(self.state, State::Attached { doubt: DOUBTED, .. })
    }

    /// The master is dead, and with it what it knew: for so long nobody gives away what is held
    /// here, counted from when it was asked something the last time that it answered, for another
    /// may have followed before this is known here. Whether that changes anything.
    pub(super) fn orphan(&mut self, reattach: Span) -> bool {
        let (State::Attached { until: lease, .. } | State::Moving { until: lease }) = self.state
        else {
            return false;
        };
        let until = self.asked + (reattach - margin(reattach));
        if until > lease {
            self.state = State::Orphaned { until };
        }
        until > lease
    }

    /// There is another master; a hello goes out to it now. `former`: where the last one was, which
    /// is no candidate any more. Whether what is held goes along.
    pub(super) fn follow(&mut self, former: PeerId, master: PeerId, now: Time) -> bool {
        self.candidates.retain(|peer| *peer != former);
        self.candidates.push(master);
        self.clock.is_former = true;
        self.at = self.candidates.len() - 1;
        match self.state {
            State::Attached { until, .. } | State::Moving { until } | State::Orphaned { until } => {
                self.state = State::Moving { until };
                true
            }
            State::New | State::Greeting { .. } => {
                self.greet(now);
                false
            }
            State::Local => false,
        }
    }

    /// There is another master, which is a parent of the last resort from now on.
    pub(super) fn know(&mut self, former: PeerId, master: PeerId) {
        if let Some(last) = self.candidates.iter_mut().find(|peer| **peer == former) {
            *last = master;
        }
        self.clock.is_former = true;
    }

    /// Wants no parent any more.
    pub(super) fn detach(&mut self) {
        if self.state != State::Local {
            self.state = State::New;
            self.seeking = None;
        }
    }

    /// Chooses whom to greet after a lapse: who was attached begins with the first candidate,
    /// who greeted in vain goes on with the next. One that cannot be reached is passed over, if
    /// another can.
    pub(super) fn turn(&mut self, is_up: impl Fn(PeerId) -> bool) {
        let n = self.candidates.len();
        let first = if self.is_attached() { 0 } else { self.at + 1 };
        let mut order = (first..first + n).map(|i| i % n);
        self.at = order.find(|i| is_up(self.candidates[*i])).unwrap_or(first % n);
    }

    /// The parent answered.
    pub(super) fn renewed(&mut self, renewal: Renewal, now: Time) {
        if self.state == State::Local {
            return;
        }
        self.clock.learn(&renewal, now);
        self.asked = renewal.asked;
        // What the same parent said before holds, if this was long on its way or is less.
        let before = match self.state {
            State::Attached { until, .. } => until,
            _ => Time::ZERO,
        };
        let until = before.max(renewal.asked + (renewal.lease - margin(renewal.lease)));
        // A parent that is short of time itself has ever less to give; it is not asked ever
        // faster for that.
        let often = margin(self.lease).max(self.lease.min(renewal.lease));
        let ask = renewal.asked + Span(often.0 / ASKS);
        // A question has gone unanswered for a while by then, and there is time for another parent;
        // but no sooner than the next answer can be here, if it takes as long as this one.
        let trip = now.since(renewal.asked);
        let answer = ask.max(now) + Span(trip.0 + trip.0 / 2);
        let doubt = answer.max(renewal.asked + Span(often.0 / 2));
        self.state = State::Attached { until, ask, doubt };
        self.seeking = None;
    }

    /// Since when it has looked for a parent in vain; nothing if it has one, or wants none.
    #[must_use]
    pub(super) fn seeking_since(&self) -> Option<Time> {
        self.seeking
    }

    /// Whether the parent has accepted this child.
    #[must_use]
    pub(super) fn is_attached(&self) -> bool {
        !matches!(self.state, State::New | State::Greeting { .. })
    }

    /// Whether it may start something. A welcome that was long on its way may be over already.
    #[must_use]
    pub(super) fn may_act(&self, now: Time) -> bool {
        match self.state {
            State::Attached { until, .. } | State::Moving { until } | State::Orphaned { until } => {
                now < until
            }
            State::Local => true,
            State::New | State::Greeting { .. } => false,
        }
    }

    /// How much of the lease is left to pass on to children of one's own.
    #[must_use]
    pub(super) fn left(&self, now: Time, lease: Span) -> Span {
        match self.state {
            State::Local => lease,
            State::Attached { until, .. } | State::Moving { until } | State::Orphaned { until } => {
                until.since(now).min(lease)
            }
            State::New | State::Greeting { .. } => Span::ZERO,
        }
    }

    /// What is due now. A renewal is due once until the next answer, or until it is overdue.
    pub(super) fn due(&mut self, now: Time) -> Due {
        match &mut self.state {
            State::Greeting { until }
            | State::Attached { until, .. }
            | State::Moving { until }
            | State::Orphaned { until }
                if *until <= now =>
            {
                Due::Lapsed
            }
            State::Attached { doubt, .. } if *doubt <= now => {
                // Once: who finds no other stays.
                *doubt = DOUBTED;
                Due::Move
            }
            State::Attached { ask, .. } if *ask <= now => {
                *ask = now + Span(self.lease.0 / ASKS);
                Due::Renew
            }
            _ => Due::Nothing,
        }
    }

    /// When something will be due.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::New | State::Local => None,
            State::Greeting { until } | State::Moving { until } | State::Orphaned { until } => {
                Some(until)
            }
            State::Attached { until, ask, doubt } => Some(until.min(ask).min(doubt)),
        }
    }
}

/// The master's clock, as far as renewals tell: the fastest round trip is believed, and
/// believed less as it ages.
#[derive(Debug, Default)]
pub(super) struct MasterClock {
    best: Option<Reading>,
    /// There is another master since, with another clock: the next reading is believed as it is.
    is_former: bool,
}

#[derive(Debug)]
struct Reading {
    at: Time,
    /// The master's clock less ours, in nanoseconds.
    offset: i128,
    error: Span,
}

impl MasterClock {
    /// Two clocks run apart by 50 parts in a million at most.
    const DRIFT: u64 = 20_000;

    fn learn(&mut self, renewal: &Renewal, now: Time) {
        let trip = now.since(renewal.asked);
        // In between the two clocks may have run apart already.
        let error = renewal.error + Span(trip.0 / 2 + trip.0.div_ceil(Self::DRIFT));
        let middle = i128::from(renewal.asked.0) + i128::from(trip.0 / 2);
        if self.is_former || self.best.is_none() || error <= self.error(now) {
            self.is_former = false;
            let offset = i128::from(renewal.now.0) - middle;
            self.best = Some(Reading { at: now, offset, error });
        }
    }

    /// How far [`map`](Self::map) may be off for `time`, before or after the reading.
    #[must_use]
    pub(super) fn error(&self, time: Time) -> Span {
        let apart = |r: &Reading| time.since(r.at).max(r.at.since(time));
        let aged = |r: &Reading| r.error + Span(apart(r).0.div_ceil(Self::DRIFT));
        self.best.as_ref().map_or(Span::ZERO, aged)
    }

    /// What the master's clock showed when ours showed `time`.
    #[must_use]
    pub(super) fn map(&self, time: Time) -> Time {
        let offset = self.best.as_ref().map_or(0, |r| r.offset);
        let mapped = (i128::from(time.0) + offset).clamp(0, i128::from(u64::MAX));
        Time(mapped as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Span = Span::from_secs(4);

    fn renewal(asked: Time, now: Time) -> Renewal {
        Renewal { asked, now, error: Span::ZERO, lease: LEASE }
    }

    #[test]
    fn a_child_stops_before_its_parent_gives_its_work_away() {
        let mut child = Attachment::new(vec![PeerId(0)], LEASE);
        let mut parent = Leases::default();
        let (asked, heard) = (Time(1_000), Time(5_000));
        child.greet(asked);
        parent.renew(PeerId(1), heard + LEASE);
        child.renewed(renewal(asked, heard), Time(9_000));
        let mut now = asked;
        while child.due(now) != Due::Lapsed {
            assert!(parent.expired(now).is_empty());
            now += Span::from_millis(1);
        }
        assert!(now < heard + LEASE);
    }

    #[test]
    fn a_parent_with_little_lease_left_is_not_asked_without_end() {
        let mut child = Attachment::new(vec![PeerId(0)], LEASE);
        let (end, mut now, mut asked) = (Time::ZERO + LEASE, Time::ZERO, 0);
        loop {
            let left = Renewal { lease: end.since(now), ..renewal(now, now) };
            child.renewed(left, now);
            now = child.deadline().unwrap();
            match child.due(now) {
                Due::Lapsed => break,
                _ => asked += 1,
            }
        }
        assert!(now < end && asked < 100, "asked {asked} times");
    }

    #[test]
    fn an_answer_that_comes_late_or_gives_little_takes_nothing_back() {
        let mut child = Attachment::new(vec![PeerId(0)], LEASE);
        child.greet(Time::ZERO);
        child.renewed(renewal(Time::ZERO, Time::ZERO), Time::ZERO);
        let now = Time::ZERO + Span(LEASE.0 / 2);
        assert!(child.may_act(now));
        let little = Renewal { lease: Span(LEASE.0 / 4), ..renewal(Time(1), now) };
        child.renewed(little, now);
        assert!(child.may_act(now));
        assert_eq!(child.deadline().map(|at| at <= Time::ZERO + LEASE), Some(true));
    }

    #[test]
    fn nobody_doubts_a_parent_that_has_had_no_time_to_answer() {
        // An eighth of the lease there and back, from a parent that has half of it left.
        let (trip, half) = (Span(LEASE.0 / 8), Span(LEASE.0 / 2));
        let mut child = Attachment::new(vec![PeerId(3), PeerId(0)], LEASE);
        child.greet(Time::ZERO);
        let mut asked = Time::ZERO;
        for _ in 0..10 {
            let now = asked + trip;
            child.renewed(Renewal { lease: half, ..renewal(asked, now) }, now);
            asked = now;
            while child.due(asked) != Due::Renew {
                asked = child.deadline().unwrap();
            }
            // The answer is on its way until then.
            let due = child.deadline().unwrap();
            assert!(due > asked + trip, "after {}", due.since(asked));
        }
    }

    #[test]
    fn an_unanswered_hello_turns_to_the_next_parent_and_round() {
        for all in [true, false] {
            let mut child = Attachment::new(vec![PeerId(3), PeerId(0)], LEASE);
            child.greet(Time::ZERO);
            assert_eq!(child.due(Time::ZERO + LEASE), Due::Lapsed);
            child.turn(|_| all);
            assert_eq!(child.parent(), PeerId(0));
            child.turn(|_| all);
            assert_eq!(child.parent(), PeerId(3));
        }
    }

    #[test]
    fn a_lapsed_child_tries_home_first_if_home_can_be_reached() {
        let mut child = Attachment::new(vec![PeerId(3), PeerId(0)], LEASE);
        child.renewed(renewal(Time::ZERO, Time::ZERO), Time::ZERO);
        child.turn(|_| true);
        assert_eq!(child.parent(), PeerId(3), "perhaps it was only this child that hung");
        child.turn(|peer| peer != PeerId(3));
        assert_eq!(child.parent(), PeerId(0));
        child.renewed(renewal(Time::ZERO, Time::ZERO), Time::ZERO);
        child.turn(|_| true);
        assert_eq!(child.parent(), PeerId(3), "it comes home");
    }

    #[test]
    fn the_fastest_round_trip_sets_the_clock() {
        let mut child = Attachment::new(vec![PeerId(0)], LEASE);
        // The master's clock is 1 s ahead; the way there takes 10 µs, the way back 90.
        let second = Span::from_secs(1);
        child.renewed(renewal(Time(0), Time(10_000) + second), Time(100_000));
        let slow = child.clock().error(Time(100_000));
        assert_eq!(slow, Span(50_005));
        child.renewed(renewal(Time(200_000), Time(205_000) + second), Time(210_000));
        assert_eq!(child.clock().error(Time(210_000)), Span(5_001));
        assert_eq!(child.clock().map(Time(300_000)), Time(300_000) + second);
    }
}
