//! The nodes of a run, those among them that came later.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::Terms;
use super::live::RunHandle;
use crate::model::{NodeInfo, PeerId, ResourceNames};

/// Every node that took part.
pub(super) struct Roster {
    nodes: Mutex<BTreeMap<PeerId, NodeInfo>>,
}

impl Roster {
    pub(super) fn new(nodes: Vec<NodeInfo>) -> Roster {
        Roster { nodes: Mutex::new(nodes.into_iter().map(|node| (node.node, node)).collect()) }
    }

    pub(super) fn nodes(&self) -> Vec<NodeInfo> {
        self.nodes.lock().values().cloned().collect()
    }

    /// Adds those that are not among them yet; whether there was any.
    #[cfg(feature = "link")]
    pub(super) fn add(&self, nodes: Vec<NodeInfo>) -> bool {
        let mut all = self.nodes.lock();
        let before = all.len();
        for node in nodes {
            all.entry(node.node).or_insert(node);
        }
        all.len() > before
    }
}

/// What those are told who come in.
#[cfg_attr(not(feature = "link"), expect(dead_code, reason = "nobody comes in"))]
pub(super) struct Reception {
    pub(super) terms: Terms,
    pub(super) world: Range<u32>,
    pub(super) subclusters: Range<u32>,
    pub(super) names: ResourceNames,
    pub(super) recorded_in: Option<String>,
    pub(super) roster: Arc<Roster>,
    pub(super) handle: RunHandle,
}
