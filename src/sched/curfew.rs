//! The time that a run has: what may still begin, and when all has to be at its end.

use crate::model::{Settings, Span, Time};

/// The most that is set aside for what comes after the last task: endings that travel, the journal,
/// the verdict, the launcher's end.
const MOST_RESERVED: Span = Span::from_secs(30);

/// When the time of a run is up, by the clock of one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curfew {
    left: Option<Span>,
    /// By then all tasks are to be at their end.
    until: Option<Time>,
}

impl Curfew {
    /// So much time is `left` when the process begins; without end if not said.
    pub(super) fn new(left: Option<Span>) -> Curfew {
        Curfew { left, until: None }
    }

    fn reserve(self) -> Span {
        self.left.map_or(Span::ZERO, |left| Span(left.0 / 10).min(MOST_RESERVED))
    }

    /// The process begins, for the first time or again.
    pub(super) fn begin(&mut self, now: Time) {
        let left = self.left.map(|left| left - self.reserve());
        self.until = self.until.or(left.map(|left| now + left));
    }

    /// When a task has to start that takes so long, at the latest.
    pub(super) fn latest_start(&self, takes: Span) -> Option<Time> {
        self.until.map(|until| Time(until.0.saturating_sub(takes.0)))
    }

    /// How long an attempt may go on that starts now, so that it is at its end in time though it
    /// takes all its `grace` to come to it.
    pub(super) fn allows(&self, now: Time, grace: Span) -> Option<Span> {
        self.until.map(|until| until.since(now) - grace)
    }

    /// Whether nothing is to start any more.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.drain_at().is_some_and(|at| at <= now)
    }

    /// When the run is to be drained: what has not ended by then is about to be ended.
    pub(super) fn drain_at(&self) -> Option<Time> {
        let tenth = self.left.map_or(Span::ZERO, |left| Span(left.0 / 10));
        self.latest_start(Settings::GRACE.min(tenth))
    }

    /// When the run is to end whatever goes on.
    pub(super) fn close_at(&self) -> Option<Time> {
        self.until.map(|until| until + Span(self.reserve().0 / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = Span::from_secs(1);

    #[test]
    fn a_tenth_is_kept_for_the_end_and_never_more_than_half_a_minute() {
        let begun = Time::ZERO + SECOND;
        for (left, until) in [(100, 91), (3600, 3571)] {
            let mut curfew = Curfew::new(Some(Span::from_secs(left)));
            assert!(!curfew.is_over(begun) && curfew.allows(begun, SECOND).is_none());
            curfew.begin(begun);
            curfew.begin(begun + SECOND);
            let until = Time::ZERO + Span::from_secs(until);
            assert_eq!(curfew.latest_start(Span::ZERO), Some(until));
            assert_eq!(curfew.allows(until, SECOND), Some(Span::ZERO));
            assert!(curfew.is_over(until) && curfew.close_at() > Some(until));
            let drain = curfew.drain_at().unwrap();
            assert!(drain < until && curfew.is_over(drain) && !curfew.is_over(begun));
        }
    }
}
