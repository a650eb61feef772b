//! Attempts that share a grant, one after the other.
//!
//! To hand one attempt out and to take its ending in costs many times what the shortest kernels
//! take. So those that are known to be short are started several at a time on the same cores: a
//! lot. It is filled up to a fraction of a millisecond, by what the kernels of that name took
//! before, so that nothing else waits longer for the cores. What turns out to be longer is alone
//! with them: the rest of its lot is called back.
//!
//! One lot may come after another on the same cores, so that these do not wait until it is known that
//! they are free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::slots::Grant;
use crate::model::{Body, Span, Time};

/// What the attempts of a lot take together, as far as is known.
const LENGTH: Span = Span::from_micros(500);
/// An attempt counts for as much at least: what it takes to begin one and to end it.
const LEAST: Span = Span::from_micros(1);
/// When what has not begun of a lot is called back.
const PATIENCE: Span = Span::from_millis(5);

/// The lots of a node.
#[derive(Debug, Default)]
pub(super) struct Lots {
    lots: BTreeMap<u64, Lot>,
    opened: u64,
    /// Those that another may come after.
    leaders: BTreeSet<u64>,
    /// When what has not begun of a lot is to be called back.
    due: BTreeMap<Time, Vec<u64>>,
    kernels: BTreeMap<String, Kernel>,
    /// How long each kernel takes, as far as is known.
    lengths: Vec<Option<Span>>,
    /// The last body that was asked about, and which kernel it runs.
    last: Option<(Arc<Body>, Option<Kernel>)>,
}

/// The number of a kernel, counted as they are met.
pub(super) type Kernel = usize;

#[derive(Debug)]
struct Lot {
    holds: Holds,
    /// How many have not ended, nor come back.
    out: usize,
    due: Option<Time>,
    /// The one that comes after it.
    next: Option<u64>,
}

/// What a lot has of its cores.
#[derive(Debug)]
enum Holds {
    /// They were granted to it.
    Grant(Grant),
    /// They are granted to this one, and it has them next.
    After(u64),
}

/// A lot that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    length: Option<Span>,
    count: usize,
    room: usize,
    /// The first may be long.
    is_open: bool,
}

impl Filling {
    /// Empty, for no more than `room` attempts; for what is not short too, as the only one.
    pub(super) fn new(room: usize) -> Filling {
        Filling { length: Some(Span::ZERO), count: 0, room, is_open: true }
    }

    /// Empty, for no more than `room` attempts, all of which are short.
    pub(super) fn of_short(room: usize) -> Filling {
        Filling { is_open: false, ..Filling::new(room) }
    }

    /// Whether all that has its place in it is short.
    pub(super) fn is_short(&self) -> bool {
        self.length.is_some_and(|length| length <= LENGTH)
    }

    /// Whether what runs this has its place in it, as it is short together with those before; it is
    /// taken to get it then.
    pub(super) fn takes(&mut self, lots: &mut Lots, body: &Arc<Body>) -> bool {
        let kernel = lots.kernel(body);
        let length = self.length.zip(lots.length(kernel)).map(|(all, one)| all + one);
        let fits = self.count < self.room && length.is_some_and(|length| length <= LENGTH);
        let takes = fits || self.is_open && self.count == 0;
        if takes {
            self.length = length;
            self.count += 1;
        }
        takes
    }
}

impl Lots {
    /// The kernel that is run; none by a command.
    pub(super) fn kernel(&mut self, body: &Arc<Body>) -> Option<Kernel> {
        if let Some((last, kernel)) = &self.last
            && Arc::ptr_eq(last, body)
        {
            return *kernel;
        }
        let kernel = self.number(body);
        self.last = Some((Arc::clone(body), kernel));
        kernel
    }

    fn number(&mut self, body: &Body) -> Option<Kernel> {
        let Body::Kernel { name, .. } = body else { return None };
        if let Some(known) = self.kernels.get(name) {
            return Some(*known);
        }
        self.kernels.insert(name.clone(), self.lengths.len());
        self.lengths.push(None);
        Some(self.lengths.len() - 1)
    }

    /// How long a kernel takes, if that is known.
    fn length(&self, kernel: Option<Kernel>) -> Option<Span> {
        self.lengths[kernel?]
    }

    /// The number of the next lot.
    pub(super) fn next(&self) -> u64 {
        self.opened
    }

    /// `out` attempts begin, on what was granted to them all. Whether they are short together.
    pub(super) fn open(&mut self, grant: Grant, out: usize, is_short: bool, now: Time) {
        // One alone does not wait for anything.
        let due = (out > 1).then_some(now + PATIENCE);
        if is_short {
            self.leaders.insert(self.opened);
        }
        self.add(Lot { holds: Holds::Grant(grant), out, due, next: None });
    }

    /// `out` attempts are to begin when a lot has ended, on the same cores.
    pub(super) fn follow(&mut self, leader: u64, out: usize, now: Time) {
        self.leaders.remove(&leader);
        if let Some(leader) = self.lots.get_mut(&leader) {
            leader.next = Some(self.opened);
        }
        self.add(Lot { holds: Holds::After(leader), out, due: Some(now + PATIENCE), next: None });
    }

    fn add(&mut self, lot: Lot) {
        if let Some(due) = lot.due {
            self.due.entry(due).or_default().push(self.opened);
        }
        self.lots.insert(self.opened, lot);
        self.opened += 1;
    }

    /// The lots that another may come after.
    pub(super) fn leaders(&self) -> impl Iterator<Item = u64> {
        self.leaders.iter().copied()
    }

    /// What was granted to a lot, or to the one that it comes after.
    pub(super) fn grant(&self, lot: u64) -> Option<&Grant> {
        match &self.lots.get(&lot)?.holds {
            Holds::Grant(grant) => Some(grant),
            Holds::After(leader) => self.grant(*leader),
        }
    }

    /// One of a lot is out no more; of the last the grant comes back, if no other comes after it.
    pub(super) fn leave(&mut self, lot: u64) -> Option<Grant> {
        let left = self.lots.get_mut(&lot)?;
        left.out -= 1;
        if left.out > 0 {
            return None;
        }
        let Lot { holds, due, next, .. } = self.lots.remove(&lot)?;
        if let Some(due) = due {
            self.forget_due(due, lot);
        }
        self.leaders.remove(&lot);
        let grant = match holds {
            Holds::Grant(grant) => grant,
            // It came back without having begun. What it was to come after takes too long.
            Holds::After(leader) => {
                if let Some(leader) = self.lots.get_mut(&leader) {
                    leader.next = None;
                }
                return None;
            }
        };
        let Some((id, next)) = next.and_then(|id| Some((id, self.lots.get_mut(&id)?))) else {
            return Some(grant);
        };
        next.holds = Holds::Grant(grant);
        self.leaders.insert(id);
        None
    }

    fn forget_due(&mut self, due: Time, lot: u64) {
        let Some(others) = self.due.get_mut(&due) else { return };
        others.retain(|other| *other != lot);
        if others.is_empty() {
            self.due.remove(&due);
        }
    }

    /// Learns how long a kernel takes from so many that took so long together: more is believed
    /// at once, less by and by.
    pub(super) fn learn(&mut self, kernel: Kernel, together: Span, count: u32) {
        let mean = Span(together.0 / u64::from(count.max(1))).max(LEAST);
        let known = self.lengths[kernel].get_or_insert(mean);
        *known = if mean < *known { Span(known.0 - (known.0 - mean.0).div_ceil(4)) } else { mean };
    }

    /// The lots whose rest is to be called back; each is named once.
    pub(super) fn overdue(&mut self, now: Time) -> Vec<u64> {
        let later = self.due.split_off(&Time(now.0 + 1));
        let overdue = std::mem::replace(&mut self.due, later);
        let overdue: Vec<u64> = overdue.into_values().flatten().collect();
        for lot in &overdue {
            self.leaders.remove(lot);
            if let Some(lot) = self.lots.get_mut(lot) {
                lot.due = None;
            }
        }
        overdue
    }

    /// When the next of them is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Request, Resources, Shared, Topology};
    use crate::sched::slots::Slots;

    fn grant() -> Grant {
        let mut slots = Slots::new(&Topology::flat(1), &Resources::cores(1));
        slots.grant(&Request::shared(), &Resources::cores(1)).unwrap()
    }

    fn opened(is_short: bool) -> Lots {
        let mut lots = Lots::default();
        lots.open(grant(), 2, is_short, Time::ZERO);
        lots
    }

    #[test]
    fn the_next_lot_has_the_cores_when_all_before_it_have_ended() {
        let mut lots = opened(true);
        assert!(lots.leaders().eq([0]));
        lots.follow(0, 1, Time::ZERO);
        assert_eq!(lots.leaders().count(), 0, "one comes after it already");
        assert_eq!(lots.grant(1).unwrap().cores, lots.grant(0).unwrap().cores);
        assert!(lots.leave(0).is_none() && lots.leave(0).is_none());
        assert!(lots.leaders().eq([1]), "it has the cores, and the next may line up");
        assert!(lots.leave(1).is_some(), "the cores are free");
        assert_eq!(lots.deadline(), None);
    }

    #[test]
    fn nothing_comes_after_what_takes_too_long() {
        let mut lots = opened(true);
        lots.follow(0, 1, Time::ZERO);
        assert_eq!(lots.overdue(Time::ZERO + PATIENCE), [0, 1]);
        assert!(lots.leave(1).is_none(), "it came back");
        assert_eq!(lots.leaders().count(), 0);
        assert!(lots.leave(0).is_none());
        assert!(lots.leave(0).is_some(), "the cores are free when the long one has ended");
        assert_eq!(opened(false).leaders().count(), 0, "what may be long is followed by nothing");
    }
}
