//! The nodes of a run, those among them that came later.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::Terms;
use super::live::RunHandle;
use crate::model::{NodeInfo, PeerId, ResourceNames, Standby};
use crate::sched::Forecast;

/// Every node that took part.
pub(super) struct Roster(Mutex<List>);

struct List {
    nodes: BTreeMap<PeerId, NodeInfo>,
    /// How often it has changed.
    changes: u64,
}

impl Roster {
    pub(super) fn new(nodes: Vec<NodeInfo>) -> Roster {
        let nodes = nodes.into_iter().map(|node| (node.node, node)).collect();
        Roster(Mutex::new(List { nodes, changes: 0 }))
    }

    pub(super) fn nodes(&self) -> Vec<NodeInfo> {
        self.0.lock().nodes.values().cloned().collect()
    }

    /// How often it has changed.
    #[cfg(feature = "link")]
    pub(super) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// Adds those that are not among them yet.
    #[cfg(feature = "link")]
    pub(super) fn add(&self, nodes: Vec<NodeInfo>) {
        let mut list = self.0.lock();
        let before = list.nodes.len();
        for node in nodes {
            list.nodes.entry(node.node).or_insert(node);
        }
        list.changes += u64::from(list.nodes.len() > before);
    }

    /// The master has said who stands by.
    pub(super) fn hear(&self, forecast: &Forecast) {
        let mut list = self.0.lock();
        let List { nodes, changes } = &mut *list;
        for node in nodes.values_mut() {
            let standby = match node.standby {
                _ if forecast.standing_by.contains(&node.node) => Standby::Now,
                _ if forecast.brought_in.contains(&node.node) => Standby::No,
                Standby::Now => Standby::Was,
                other => other,
            };
            *changes += u64::from(std::mem::replace(&mut node.standby, standby) != standby);
        }
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
