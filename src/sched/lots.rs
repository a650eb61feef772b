//! Attempts that share a grant, one after the other.
//!
//! To hand one attempt out and to take its ending in costs many times what the shortest kernels
//! take. So those that are known to be short are started several at a time on the same cores: a
//! lot. It is filled up to a fraction of a millisecond, by what the kernels of that name took
//! before, so that nothing else waits longer for the cores. What turns out to be longer is alone
//! with them: the rest of its lot is called back.

use std::collections::BTreeMap;
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
    grant: Grant,
    /// How many have not ended, nor come back.
    out: usize,
    due: Option<Time>,
}

/// A lot that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    length: Option<Span>,
    count: usize,
    room: usize,
}

impl Filling {
    /// Empty, for no more than `room` attempts, but one at least.
    pub(super) fn new(room: usize) -> Filling {
        Filling { length: Some(Span::ZERO), count: 0, room }
    }

    /// Whether what runs this has its place in it; it is taken to get it then. The first always
    /// has, others as long as they are short together with those before.
    pub(super) fn takes(&mut self, lots: &mut Lots, body: &Arc<Body>) -> bool {
        let kernel = lots.kernel(body);
        let length = self.length.zip(lots.length(kernel)).map(|(all, one)| all + one);
        let fits = self.count < self.room && length.is_some_and(|length| length <= LENGTH);
        let takes = self.count == 0 || fits;
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

    /// `out` attempts begin, on what was granted to them all.
    pub(super) fn open(&mut self, grant: Grant, out: usize, now: Time) {
        let due = (out > 1).then_some(now + PATIENCE);
        if let Some(due) = due {
            self.due.entry(due).or_default().push(self.opened);
        }
        self.lots.insert(self.opened, Lot { grant, out, due });
        self.opened += 1;
    }

    /// What was granted to a lot.
    pub(super) fn grant(&self, lot: u64) -> Option<&Grant> {
        self.lots.get(&lot).map(|lot| &lot.grant)
    }

    /// One of a lot is out no more; of the last the grant comes back.
    pub(super) fn leave(&mut self, lot: u64) -> Option<Grant> {
        let left = self.lots.get_mut(&lot)?;
        left.out -= 1;
        if left.out > 0 {
            return None;
        }
        let Lot { grant, due, .. } = self.lots.remove(&lot)?;
        if let Some(due) = due
            && let Some(others) = self.due.get_mut(&due)
        {
            others.retain(|other| *other != lot);
            if others.is_empty() {
                self.due.remove(&due);
            }
        }
        Some(grant)
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
