//! What a graph knows of each of its nodes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::run::{self, Current};
use crate::pool::deque::Entry;
use crate::pool::work::Job;

/// What is to be known of a node when a predecessor of it has been run, or it has itself: one
/// quarter of a cache line.
#[repr(C, align(16))]
pub(super) struct Node {
    /// How many predecessors have not been run; between two runs of the graph, all of them.
    waits: AtomicU32,
    predecessors: u32,
    /// Where its row of successors begins and ends.
    first: u32,
    end: u32,
}

impl Node {
    pub(super) fn new(predecessors: u32, row: Range<usize>) -> Node {
        let (first, end) = (row.start as u32, row.end as u32);
        Node { waits: AtomicU32::new(predecessors), predecessors, first, end }
    }

    /// Where its successors lie.
    #[inline]
    pub(super) fn row(&self) -> Range<usize> {
        self.first as usize..self.end as usize
    }

    /// Says that one of the predecessors has been run. `true` for the last of them: the node may
    /// be run, and its counter stands as the next run of the graph is to find it.
    #[inline]
    pub(super) fn arrive(&self) -> bool {
        if self.predecessors <= 1 {
            return true;
        }
        // Release: what the caller has run is seen by whoever runs the node. Acquire: if that is
        // the caller, it sees what was run before all others arrived. One that is left is the
        // caller, so nobody else is counting any more.
        if self.waits.load(Ordering::Acquire) != 1 && self.waits.fetch_sub(1, Ordering::AcqRel) != 1
        {
            return false;
        }
        // Relaxed: the next to look is in the next run, which begins after the end of this one.
        self.waits.store(self.predecessors, Ordering::Relaxed);
        true
    }
}

/// A node as what lies in a deque. It has a place of its own, since only those who take it from
/// others look at it: who takes back what it has offered itself tells the node by the address.
#[repr(C)]
pub(super) struct Head {
    job: Job,
    current: Arc<Current>,
}

impl Head {
    pub(super) fn new(current: &Arc<Current>) -> Head {
        Head { job: Job::new(run::take_up), current: Arc::clone(current) }
    }

    /// Makes it a job again that can be offered, and gives back the run that it is taken in.
    pub(super) fn renew(&self) -> &Current {
        self.job.renew(run::take_up);
        &self.current
    }
}

/// A node, to be run by whoever takes it.
#[inline]
pub(super) fn entry(heads: &[Head], node: u32) -> Entry {
    Entry::new((&raw const heads[node as usize]).cast_mut().cast(), true)
}

/// The node whose entry is at this address, if it is one of these.
#[inline]
pub(super) fn node_at(heads: &[Head], address: *const ()) -> Option<u32> {
    let offset = address.addr().wrapping_sub(heads.as_ptr().addr());
    let node = offset / size_of::<Head>();
    (node < heads.len()).then_some(node as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_by_its_entry() {
        let current = Arc::default();
        let [heads, others] =
            [5, 5].map(|n| (0..n).map(|_| Head::new(&current)).collect::<Vec<_>>());
        for node in 0..5 {
            let entry = entry(&heads, node);
            assert!(entry.is_alike());
            assert_eq!(node_at(&heads, entry.address()), Some(node));
            assert_eq!(node_at(&others, entry.address()), None);
        }
    }

    #[test]
    fn the_last_one_to_arrive_makes_it_ready_for_the_next_run() {
        let node = Node::new(3, 7..9);
        for _ in 0..2 {
            assert_eq!([(); 3].map(|()| node.arrive()), [false, false, true]);
        }
        assert!(Node::new(1, 0..0).arrive());
        assert_eq!(size_of::<Node>(), 16);
    }
}
