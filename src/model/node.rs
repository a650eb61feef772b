//! A node as its run sees it.

use super::{CoreId, PeerId, ResourceId, Resources, SubclusterId};

/// A node of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeInfo {
    /// The node.
    pub node: PeerId,
    /// Its subcluster.
    pub subcluster: SubclusterId,
    /// The name of its host.
    pub host: String,
    /// The number of its process there; nodes that are threads of one have the same.
    pub pid: u32,
    /// Its cores; nodes of one host may share some.
    pub cores: Vec<CoreId>,
    /// Whether its workers are bound to its cores: it shares them with no other, and they are
    /// this machine's.
    pub pinned: bool,
    /// What it has for tasks.
    pub capacity: Resources,
    /// Whether it stands by.
    pub standby: Standby,
}

/// Whether a node takes part and is given nothing until the run needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// It serves the run.
    #[default]
    No,
    /// It stands by.
    Now,
    /// It did, and left without having been needed.
    Was,
}

impl NodeInfo {
    /// Whether it serves the run, or did so.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.standby == Standby::No
    }

    /// How many cores it has for tasks.
    #[must_use]
    pub fn core_count(&self) -> u64 {
        self.capacity.get(ResourceId::CORES).ceil()
    }
}
