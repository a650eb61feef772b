//! What is taken of a node over time, and the first moment at which something more fits in.

use crate::model::{Resources, Span, Time};

use super::processors::Fit;

/// A node's cores and other resources over the time of a plan.
pub(super) struct Timeline {
    cores: Vec<Core>,
    other: Profile,
}

impl Timeline {
    /// A node with nothing on it yet.
    pub(super) fn new(cores: usize, capacity: &Resources) -> Timeline {
        Timeline { cores: vec![Core::default(); cores], other: Profile::new(capacity.clone()) }
    }

    /// The first moment from `ready` on at which `fit` can be had for its whole time, between
    /// what is there already if there is room.
    pub(super) fn earliest(&self, ready: Time, fit: &Fit) -> Time {
        let mut start = ready;
        loop {
            let free = self.other.earliest(start, fit);
            let next = self.earliest_cores(free, fit);
            if next == free {
                return next;
            }
            start = next;
        }
    }

    fn earliest_cores(&self, ready: Time, fit: &Fit) -> Time {
        let mut start = ready;
        let mut free_from = Vec::with_capacity(self.cores.len());
        loop {
            free_from.clear();
            let mut free = 0;
            for core in &self.cores {
                let at = core.earliest(start, fit.span);
                free += usize::from(at == start);
                if free == fit.cores {
                    return start;
                }
                free_from.push(at);
            }
            // Not before this are as many cores as needed free, though perhaps not at once.
            start = *free_from.select_nth_unstable(fit.cores - 1).1;
        }
    }

    /// Takes `fit` from `start` on; gives the cores that it gets, the lowest that are free.
    pub(super) fn take(&mut self, start: Time, fit: &Fit) -> Vec<usize> {
        let free =
            |(i, core): (usize, &Core)| (core.earliest(start, fit.span) == start).then_some(i);
        let taken: Vec<usize> =
            self.cores.iter().enumerate().filter_map(free).take(fit.cores).collect();
        if fit.span > Span::ZERO {
            for core in &taken {
                self.cores[*core].take(start, start + fit.span);
            }
            self.other.take(start, fit);
        }
        taken
    }
}

/// When a core is busy: from and to, in order, with idle time between each two.
#[derive(Clone, Default)]
struct Core(Vec<(Time, Time)>);

impl Core {
    /// The first moment from `ready` on at which the core is idle for `span`.
    fn earliest(&self, ready: Time, span: Span) -> Time {
        let later = self.0.partition_point(|(_, end)| *end <= ready);
        let mut start = ready;
        for (from, to) in &self.0[later..] {
            if start + span <= *from {
                break;
            }
            start = *to;
        }
        start
    }

    /// Makes the core busy where it is idle.
    fn take(&mut self, from: Time, to: Time) {
        let i = self.0.partition_point(|(start, _)| *start < from);
        let joins_next = self.0.get(i).is_some_and(|(start, _)| *start == to);
        let joins_last = i > 0 && self.0[i - 1].1 == from;
        match (joins_last, joins_next) {
            (true, true) => {
                self.0[i - 1].1 = self.0[i].1;
                self.0.remove(i);
            }
            (true, false) => self.0[i - 1].1 = to,
            (false, true) => self.0[i].0 = from,
            (false, false) => self.0.insert(i, (from, to)),
        }
    }
}

/// What is free of a node's resources beside its cores: each step holds until the next one.
struct Profile(Vec<(Time, Resources)>);

impl Profile {
    fn new(capacity: Resources) -> Profile {
        Profile(vec![(Time::ZERO, capacity)])
    }

    /// The step that holds at `at`.
    fn step(&self, at: Time) -> usize {
        self.0.partition_point(|(start, _)| *start <= at) - 1
    }

    fn earliest(&self, ready: Time, fit: &Fit) -> Time {
        let mut start = ready;
        if fit.other == Resources::default() {
            return start;
        }
        let first = self.step(start);
        for (i, (from, free)) in self.0.iter().enumerate().skip(first) {
            if i > first && start + fit.span <= *from {
                break;
            }
            if !fit.other.fits(free) {
                // The last step is the bare node, on which it fits.
                start = self.0.get(i + 1).map_or(start, |(next, _)| *next);
            }
        }
        start
    }

    fn take(&mut self, start: Time, fit: &Fit) {
        if fit.other == Resources::default() {
            return;
        }
        let first = self.split(start);
        let last = self.split(start + fit.span);
        for (_, free) in &mut self.0[first..last] {
            free.take(&fit.other);
        }
    }

    /// Makes a step begin at `at`, and gives its place.
    fn split(&mut self, at: Time) -> usize {
        let i = self.step(at);
        if self.0[i].0 == at {
            return i;
        }
        self.0.insert(i + 1, (at, self.0[i].1.clone()));
        i + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Amount, ResourceId};

    fn fit(cores: usize, gpus: u64, span: u64) -> Fit {
        let other = Resources::default().with(ResourceId::GPUS, Amount::whole(gpus));
        Fit { cores, other, span: Span(span) }
    }

    fn place(node: &mut Timeline, ready: u64, fit: &Fit) -> (u64, Vec<usize>) {
        let start = node.earliest(Time(ready), fit);
        (start.0, node.take(start, fit))
    }

    #[test]
    fn a_gap_is_filled_by_what_fits_into_it() {
        let mut node = Timeline::new(1, &Resources::cores(1));
        assert_eq!(place(&mut node, 0, &fit(1, 0, 10)).0, 0);
        assert_eq!(place(&mut node, 15, &fit(1, 0, 10)).0, 15);
        assert_eq!(place(&mut node, 0, &fit(1, 0, 6)).0, 25, "one too long for the gap");
        assert_eq!(place(&mut node, 3, &fit(1, 0, 5)).0, 10, "just long enough");
        assert_eq!(node.cores[0].0, [(Time(0), Time(31))]);
    }

    #[test]
    fn several_cores_are_free_at_the_same_time() {
        let mut node = Timeline::new(3, &Resources::cores(3));
        place(&mut node, 0, &fit(1, 0, 4)); // core 0: 0..4
        place(&mut node, 2, &fit(2, 0, 4)); // cores 1 and 2: 2..6
        assert_eq!(place(&mut node, 0, &fit(2, 0, 2)), (0, vec![1, 2]));
        assert_eq!(place(&mut node, 0, &fit(2, 0, 3)), (6, vec![0, 1]));
        assert_eq!(place(&mut node, 0, &fit(1, 0, 2)), (4, vec![0]));
    }

    #[test]
    fn a_resource_beside_the_cores_is_not_promised_twice() {
        let capacity = Resources::cores(4).with(ResourceId::GPUS, Amount::whole(2));
        let mut node = Timeline::new(4, &capacity);
        assert_eq!(place(&mut node, 0, &fit(1, 1, 10)).0, 0);
        assert_eq!(place(&mut node, 0, &fit(1, 2, 10)).0, 10);
        assert_eq!(place(&mut node, 0, &fit(1, 1, 10)).0, 0);
        assert_eq!(place(&mut node, 5, &fit(1, 1, 1)).0, 20);
        assert_eq!(place(&mut node, 5, &fit(1, 0, 9)).0, 5);
    }

    #[test]
    fn what_takes_no_time_takes_nothing() {
        let mut node = Timeline::new(1, &Resources::cores(1));
        place(&mut node, 0, &fit(1, 0, 0));
        assert_eq!(place(&mut node, 0, &fit(1, 0, 5)).0, 0);
        assert_eq!(place(&mut node, 2, &fit(1, 0, 0)).0, 5);
    }
}
