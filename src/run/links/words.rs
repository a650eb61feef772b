//! What is said over a link before the protocol speaks.

use crate::model::wire::{wire_enum, wire_struct};
use crate::model::{Amount, NodeInfo, PeerId, ResourceNames, Span, SubclusterId, Time};
use crate::run::layout::{Numbers, Terms};
use crate::sched::{Part, RunId};

/// What a process that dialled wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// To take part, with these nodes, numbered from 0.
    Join {
        /// In this run, if it knows.
        run: Option<RunId>,
        /// The nodes, the one that dials first.
        nodes: Vec<NodeInfo>,
        /// What each of them has by name.
        resources: Vec<(String, Amount)>,
        /// If they are to stand by: how much longer the run may take for that.
        standby: Option<Span>,
    },
    /// Not to take part, but that others do so no more.
    Drain {
        /// In this run, if it knows.
        run: Option<RunId>,
        /// They.
        parts: Vec<Part>,
    },
    /// To be reached again, or at last: it has taken part already.
    Back {
        /// In this run.
        run: RunId,
        /// As these nodes, the one that dials first.
        nodes: Vec<NodeInfo>,
    },
}

/// The answer to those who take part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Berth {
    pub(super) terms: Terms,
    /// The number of the first of its nodes; the others follow.
    pub(super) first: PeerId,
    pub(super) subcluster: SubclusterId,
    /// What resources by name are called in this job.
    pub(super) names: ResourceNames,
    /// If they are to stand by: as long as the run may end by then.
    pub(super) standby: Option<Time>,
    /// Whether others of the run are on its hosts already, whose cores it would take.
    pub(super) crowded: bool,
    /// The run folder, if what goes into the machines is to be written down there.
    pub(super) recorded_in: Option<String>,
}

impl Berth {
    pub(super) fn numbers(&self) -> Numbers {
        Numbers { node: self.first, subcluster: self.subcluster }
    }
}

wire_enum! {
    Ask {
        0 => Join { run, nodes, resources, standby },
        1 => Back { run, nodes },
        2 => Drain { run, parts },
    }
}

wire_struct! {
    Berth { terms, first, subcluster, names, standby, crowded, recorded_in }
}
