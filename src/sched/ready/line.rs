//! Items in the order of their urgency. Most come in that order, and go out from the front.

use std::collections::{BTreeMap, VecDeque};

use super::Urgency;

/// A queue for those that come in order, and a tree for the others.
#[derive(Debug)]
pub(super) struct Line<T> {
    /// Each less urgent than the one before. One that was taken out of the midst has left its place
    /// empty; the first and the last are there.
    queue: VecDeque<(Urgency, Option<T>)>,
    /// Those that came when the last of the queue was less urgent; none is in both.
    others: BTreeMap<Urgency, T>,
    len: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line { queue: VecDeque::new(), others: BTreeMap::new(), len: 0 }
    }
}

impl<T> Line<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The most urgent.
    pub(super) fn first(&self) -> Option<Urgency> {
        let queued = self.queue.front().map(|(urgency, _)| *urgency);
        let other = self.others.keys().next().copied();
        queued.into_iter().chain(other).min()
    }

    /// The least urgent.
    pub(super) fn last(&self) -> Option<Urgency> {
        let queued = self.queue.back().map(|(urgency, _)| *urgency);
        let other = self.others.keys().next_back().copied();
        queued.into_iter().chain(other).max()
    }

    /// Adds one, in the place of another that is exactly as urgent.
    pub(super) fn insert(&mut self, urgency: Urgency, item: T) {
        self.remove(urgency);
        self.len += 1;
        if self.queue.back().is_none_or(|(last, _)| *last < urgency) {
            self.queue.push_back((urgency, Some(item)));
        } else {
            self.others.insert(urgency, item);
        }
    }

    /// The most urgent, if it is `wanted`, leaves.
    pub(super) fn pop_if(
        &mut self,
        wanted: impl FnOnce(Urgency, &T) -> bool,
    ) -> Option<(Urgency, T)> {
        let queued = self.queue.front().map(|(urgency, _)| *urgency);
        let popped = match self.others.first_entry() {
            Some(first) if queued.is_none_or(|queued| *first.key() < queued) => {
                wanted(*first.key(), first.get()).then(|| first.remove_entry())
            }
            _ => {
                let (urgency, item) = self.queue.front_mut()?;
                let urgency = *urgency;
                let item = item.take_if(|item| wanted(urgency, item))?;
                self.trim();
                Some((urgency, item))
            }
        };
        self.len -= usize::from(popped.is_some());
        popped
    }

    /// The one that is exactly as urgent leaves.
    pub(super) fn remove(&mut self, urgency: Urgency) -> Option<T> {
        // As when most come in order.
        let is_new = self.queue.back().is_none_or(|(last, _)| *last < urgency);
        let queued = if is_new { None } else { self.take_queued(urgency) };
        let removed = queued.or_else(|| self.others.remove(&urgency));
        self.len -= usize::from(removed.is_some());
        removed
    }

    fn take_queued(&mut self, urgency: Urgency) -> Option<T> {
        let at = self.queue.binary_search_by_key(&urgency, |(urgency, _)| *urgency).ok()?;
        let item = self.queue[at].1.take();
        self.trim();
        item
    }

    /// No empty place stays at an end.
    fn trim(&mut self) {
        while self.queue.pop_front_if(|(_, item)| item.is_none()).is_some() {}
        while self.queue.pop_back_if(|(_, item)| item.is_none()).is_some() {}
    }

    /// All of them, in no particular order.
    pub(super) fn items(&self) -> impl Iterator<Item = &T> {
        let queued = self.queue.iter().filter_map(|(_, item)| item.as_ref());
        queued.chain(self.others.values())
    }

    /// All that are `wanted` leave.
    pub(super) fn extract(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let queued =
            self.queue.iter_mut().filter_map(|(_, item)| item.take_if(|item| wanted(item)));
        let mut taken: Vec<T> = queued.collect();
        self.trim();
        taken.extend(self.others.extract_if(.., |_, item| wanted(item)).map(|(_, item)| item));
        self.len -= taken.len();
        taken
    }

    /// All leave.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.queue.into_iter().filter_map(|(_, item)| item).chain(self.others.into_values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobId, TaskId};
    use proptest::prelude::*;

    fn urgency(n: u32) -> Urgency {
        Urgency::new(0, 0, JobId(0), TaskId(n))
    }

    proptest! {
        /// In whatever order they come and go, it is as with a tree.
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..8, 0u32..16), 1..120)) {
            let (mut line, mut map) = (Line::default(), BTreeMap::new());
            let mut next = 0;
            for (what, n) in steps {
                match what {
                    0..2 => {
                        next += 1;
                        line.insert(urgency(next + n % 2), next);
                        map.insert(urgency(next + n % 2), next);
                    }
                    2 => {
                        line.insert(urgency(n), next);
                        map.insert(urgency(n), next);
                    }
                    3 | 4 => prop_assert_eq!(line.pop_if(|_, _| true), map.pop_first()),
                    5 => prop_assert_eq!(line.pop_if(|_, _| false), None),
                    6 => prop_assert_eq!(line.remove(urgency(n)), map.remove(&urgency(n))),
                    _ => {
                        let wanted = |item: &u32| item % 5 == n % 5;
                        let mut taken = line.extract(wanted);
                        taken.sort_unstable();
                        let of_map = map.extract_if(.., |_, item| wanted(item));
                        let mut of_map: Vec<u32> = of_map.map(|(_, item)| item).collect();
                        of_map.sort_unstable();
                        prop_assert_eq!(taken, of_map);
                    }
                }
                prop_assert_eq!(line.len(), map.len());
                prop_assert_eq!(line.first(), map.keys().next().copied());
                prop_assert_eq!(line.last(), map.keys().next_back().copied());
                let mut items: Vec<u32> = line.items().copied().collect();
                items.sort_unstable();
                let mut of_map: Vec<u32> = map.values().copied().collect();
                of_map.sort_unstable();
                prop_assert_eq!(items, of_map);
            }
            prop_assert_eq!(line.into_items().count(), map.len());
        }
    }
}
