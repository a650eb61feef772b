//! A queue of work that may start, most urgent first, by what it needs.

mod line;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::message::Dispatch;
use crate::model::wire::{Garbled, Reader, Wire};
use crate::model::{JobId, Request, TaskId};
use line::Line;

/// The order in which work starts: by the user's priority, then by the list heuristic, then by
/// id. The smaller is the more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency {
    priority: Reverse<i32>,
    rank: Reverse<u64>,
    job: JobId,
    task: TaskId,
}

impl Urgency {
    /// Higher `priority` first, among equals higher `rank`, then the smaller id.
    #[must_use]
    pub fn new(priority: i32, rank: u64, job: JobId, task: TaskId) -> Urgency {
        Urgency { priority: Reverse(priority), rank: Reverse(rank), job, task }
    }

    /// The task it belongs to.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }
}

impl Wire for Urgency {
    fn put(&self, out: &mut Vec<u8>) {
        self.priority.0.put(out);
        self.rank.0.put(out);
        self.job.put(out);
        self.task.put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Urgency, Garbled> {
        let (priority, rank) = Wire::get(bytes)?;
        let (job, task) = Wire::get(bytes)?;
        Ok(Urgency::new(priority, rank, job, task))
    }
}

/// Work that may start. Grouped by request, so that what cannot be placed now does not have to
/// be walked over to reach what can.
#[derive(Debug)]
pub(super) struct Ready<T> {
    classes: BTreeMap<Arc<Request>, Line<T>>,
    /// The most urgent of each class.
    heads: BTreeSet<Head>,
    len: usize,
}

/// The most urgent of all that ask for the same.
pub(super) type Head = (Urgency, Arc<Request>);

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Ready { classes: BTreeMap::new(), heads: BTreeSet::new(), len: 0 }
    }
}

impl<T> Ready<T> {
    /// How much there is.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All that waits, in no particular order.
    pub(super) fn items(&self) -> impl Iterator<Item = &T> {
        self.classes.values().flat_map(Line::items)
    }

    /// Adds some that ask for the same.
    pub(super) fn push_run(
        &mut self,
        request: &Arc<Request>,
        run: impl IntoIterator<Item = (Urgency, T)>,
    ) {
        let class = match self.classes.get_mut(request) {
            Some(class) => class,
            None => self.classes.entry(Arc::clone(request)).or_default(),
        };
        let (head, len) = (class.first(), class.len());
        run.into_iter().for_each(|(urgency, item)| class.insert(urgency, item));
        let first = class.first();
        self.len += class.len() - len;
        self.move_head(request, head, first);
    }

    /// Takes out those that ask for the same as `head`, from that on, as long as they are `wanted`
    /// and no other head comes between them.
    pub(super) fn take_run(
        &mut self,
        head: &Head,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Vec<(Urgency, T)> {
        let mut taken = Vec::new();
        let Some(class) = self.classes.get_mut(&head.1) else { return taken };
        let mut others = self.heads.range((Bound::Excluded(head), Bound::Unbounded));
        let until = others.next().map(|(urgency, _)| *urgency);
        let is_next = |urgency| until.is_none_or(|until| until >= urgency);
        while let Some(next) = class.pop_if(|urgency, item| is_next(urgency) && wanted(item)) {
            taken.push(next);
        }
        self.len -= taken.len();
        let next = class.first();
        self.move_head(&head.1, Some(head.0), next);
        taken
    }

    /// Takes one out wherever it stands.
    pub(super) fn remove(&mut self, request: &Arc<Request>, urgency: &Urgency) -> Option<T> {
        let class = self.classes.get_mut(request)?;
        let head = class.first();
        let item = class.remove(*urgency)?;
        let next = class.first();
        self.len -= 1;
        self.move_head(request, head, next);
        Some(item)
    }

    /// The most urgent that ask for `request` was `from` and is `to`; if there is none any more, their
    /// class goes.
    fn move_head(&mut self, request: &Arc<Request>, from: Option<Urgency>, to: Option<Urgency>) {
        if from != to {
            from.map(|from| self.heads.remove(&(from, Arc::clone(request))));
            self.heads.extend(to.map(|to| (to, Arc::clone(request))));
        }
        if to.is_none() {
            self.classes.remove(request);
        }
    }

    /// The most urgent of each request, most urgent first.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter()
    }

    /// The first of the [heads](Self::heads) that is less urgent than `last`.
    #[must_use]
    pub(super) fn head_after(&self, last: Option<&Head>) -> Option<Head> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.heads.range((from, Bound::Unbounded)).next().cloned()
    }

    /// Puts the heads right after items were taken out of the midst.
    fn find_heads(&mut self) {
        let head = |(request, class): (&Arc<Request>, &Line<T>)| {
            Some((class.first()?, Arc::clone(request)))
        };
        self.heads = self.classes.iter().filter_map(head).collect();
    }

    /// Takes out up to `count` of the least urgent whose request satisfies `wanted`.
    pub(super) fn take_least(&mut self, count: usize, wanted: impl Fn(&Request) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let wanted = self.classes.iter().filter(|(request, _)| wanted(request));
            let last = wanted.filter_map(|(r, class)| Some((class.last()?, r))).max();
            let Some((urgency, request)) = last else { break };
            let request = Arc::clone(request);
            taken.extend(self.remove(&request, &urgency));
        }
        taken
    }

    /// Takes out everything whose request does not satisfy `keep`.
    pub(super) fn reject(&mut self, keep: impl Fn(&Request) -> bool) -> Vec<T> {
        let rejected = self.classes.extract_if(.., |request, _| !keep(request));
        let rejected: Vec<T> = rejected.flat_map(|(_, class)| class.into_items()).collect();
        self.len -= rejected.len();
        if !rejected.is_empty() {
            self.find_heads();
        }
        rejected
    }

    /// Takes out every item that is `wanted`.
    pub(super) fn take(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        self.classes.retain(|_, class| {
            taken.extend(class.extract(&wanted));
            !class.is_empty()
        });
        self.len -= taken.len();
        self.find_heads();
        taken
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.len = 0;
        self.heads.clear();
        std::mem::take(&mut self.classes).into_values().flat_map(Line::into_items)
    }
}

impl Ready<Dispatch> {
    /// Adds what was granted.
    pub(super) fn push_all(&mut self, dispatches: Vec<Dispatch>) {
        let mut rest = dispatches.into_iter().peekable();
        while let Some(next) = rest.peek() {
            let request = Arc::clone(&next.work.request);
            let same = |next: &Dispatch| next.work.request == request;
            let run = std::iter::from_fn(|| rest.next_if(same));
            self.push_run(&request, run.map(|dispatch| (dispatch.urgency, dispatch)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Resources;
    use proptest::prelude::*;

    proptest! {
        /// Whatever goes in and out, the heads are the most urgent of each class, in order.
        #[test]
        fn heads_are_right(steps in prop::collection::vec((0u8..8, 1u64..4, 0u32..12), 1..80)) {
            let mut ready: Ready<u32> = Ready::default();
            for (what, cores, n) in steps {
                let request = Arc::new(Request::of(Resources::cores(cores)));
                let urgency = Urgency::new(0, u64::from(n % 3), JobId(0), TaskId(n));
                match what {
                    0..3 => ready.push_run(&request, [(urgency, n)]),
                    3 => {
                        if let Some(head) = ready.head_after(None) {
                            let mut left = n % 4;
                            let run = ready.take_run(&head, |_| {
                                left = left.saturating_sub(1);
                                left > 0
                            });
                            prop_assert!(run.is_sorted_by_key(|(urgency, _)| *urgency));
                            let next = ready.head_after(None).map(|(urgency, _)| urgency);
                            let last = run.last().map(|(urgency, _)| *urgency);
                            prop_assert!(last.is_none() || next.is_none() || last <= next);
                        }
                    }
                    4 => drop(ready.remove(&request, &urgency)),
                    5 => drop(ready.take_least(2, |r| *r == *request)),
                    6 => drop(ready.reject(|r| *r != *request)),
                    _ => drop(ready.take(|item| item % 2 == 0)),
                }
                let mut heads: Vec<Head> = Vec::new();
                for (request, class) in &ready.classes {
                    heads.extend(class.first().map(|first| (first, Arc::clone(request))));
                }
                heads.sort();
                prop_assert_eq!(ready.heads().cloned().collect::<Vec<_>>(), heads);
                let len: usize = ready.classes.values().map(Line::len).sum();
                prop_assert_eq!(ready.len(), len);
                let last = ready.head_after(None);
                let second = ready.head_after(last.as_ref());
                prop_assert_eq!(second.as_ref(), ready.heads().nth(1));
            }
        }
    }
}
