//! What is to be looked at when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Connection(u64),
    Caller(u64),
    /// The doors that were closed for a moment.
    Doors,
    Notes,
}

/// The next moment of each. One that comes too early does no harm: whoever is looked at too early
/// says when to look again.
#[derive(Default)]
pub(super) struct Agenda {
    moments: BTreeSet<(Instant, What)>,
    of: BTreeMap<What, Instant>,
}

impl Agenda {
    /// Has `what` looked at by `at`, or earlier if that was to be.
    pub(super) fn add(&mut self, what: What, at: Instant) {
        match self.of.get(&what) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => drop(self.moments.remove(&(*later, what))),
            None => {}
        }
        self.of.insert(what, at);
        self.moments.insert((at, what));
    }

    pub(super) fn remove(&mut self, what: What) {
        if let Some(at) = self.of.remove(&what) {
            self.moments.remove(&(at, what));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.moments.first().map(|(at, _)| *at)
    }

    /// What is to be looked at by `now`, which is forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Option<What> {
        let (at, what) = *self.moments.first()?;
        if at > now {
            return None;
        }
        self.remove(what);
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_comes_once_at_its_earliest_moment() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut agenda = Agenda::default();
        agenda.add(What::Caller(1), at(5));
        agenda.add(What::Caller(1), at(3));
        agenda.add(What::Caller(1), at(9));
        agenda.add(What::Notes, at(4));
        agenda.add(What::Doors, at(1));
        agenda.remove(What::Doors);
        assert_eq!(agenda.next(), Some(at(3)));
        assert_eq!(agenda.due(at(2)), None);
        assert_eq!(agenda.due(at(4)), Some(What::Caller(1)));
        assert_eq!(agenda.due(at(4)), Some(What::Notes));
        assert_eq!(agenda.due(at(100)), None);
        assert_eq!(agenda.next(), None);
    }
}
