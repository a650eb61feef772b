//! What is still to happen, in the order of time and, at one time, in the order it was planned.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{AttemptKey, PeerId, Time};
use crate::sched::{Event, Frame};

/// Something that will happen. What names a `life` happens only if the process is still in it.
#[derive(Clone, Debug)]
pub(super) enum Occurrence {
    /// A process begins.
    Boot { peer: PeerId, life: u32 },
    /// A frame arrives, if the link is still in this generation.
    Arrives { from: PeerId, to: PeerId, life: u32, generation: u32, frame: Frame },
    /// A process is told something.
    Told { peer: PeerId, life: u32, event: Event },
    /// A process may have something due.
    Due { peer: PeerId, life: u32 },
    /// A process has handled what was at hand.
    Idle { peer: PeerId, life: u32 },
    /// An attempt ends, if it was not called off since.
    Ends { peer: PeerId, life: u32, key: AttemptKey, call: u32 },
    /// A process goes on after a hang.
    Wakes { peer: PeerId, life: u32 },
    /// A former master that does not know finds that the run is another's.
    Notices { peer: PeerId, life: u32 },
    /// A commit of the journal ends.
    Committed { epoch: u32 },
    /// A fault strikes: its place in the plan.
    Strikes(usize),
    /// A link may have to go up or down.
    Settles(PeerId, PeerId),
    /// The run is resumed.
    Resumed { epoch: u32 },
    /// Another process takes it up as its master.
    Succeeds { epoch: u32 },
}

/// Occurrences by time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: std::collections::BinaryHeap<Reverse<(Time, u64)>>,
    what: BTreeMap<u64, Occurrence>,
    planned: u64,
}

impl Agenda {
    pub(super) fn plan(&mut self, at: Time, what: Occurrence) {
        self.planned += 1;
        self.items.push(Reverse((at, self.planned)));
        self.what.insert(self.planned, what);
    }

    pub(super) fn next(&mut self) -> Option<(Time, Occurrence)> {
        let Reverse((at, number)) = self.items.pop()?;
        self.what.remove(&number).map(|what| (at, what))
    }
}
