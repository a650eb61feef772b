//! What waits and who could run it: nobody, or nodes alone that stand by. These are members of a child,
//! and count for nothing with it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Child, Dispatcher};
use crate::model::{PeerId, Request, Resources};
use crate::sched::message::Member;
use crate::sched::outlook::Crew;
use crate::sched::ready::Urgency;

/// Whether a child with room, now or later, could run `request`.
pub(super) fn can_ever_meet(children: &BTreeMap<PeerId, Child>, request: &Request) -> bool {
    children.values().any(|child| !child.draining && child.meets(request))
}

impl Child {
    /// Those of `nodes` that stand by do so no longer; which these were.
    fn bring_in(&mut self, nodes: &[PeerId]) -> Vec<PeerId> {
        let mut brought_in = Vec::new();
        for node in nodes {
            let member = self.members.get(node).filter(|member| member.standby.is_some());
            if let Some(member) = member.cloned() {
                self.add(Member { standby: None, ..member });
                brought_in.push(*node);
            }
        }
        brought_in
    }
}

impl<T> Dispatcher<T> {
    /// Those of `nodes` that stand by do so no longer. Which these were, by child.
    pub(in crate::sched) fn bring_in(&mut self, nodes: &[PeerId]) -> BTreeMap<PeerId, Vec<PeerId>> {
        let peers: Vec<PeerId> = self.children.keys().copied().collect();
        let mut brought_in = BTreeMap::new();
        for peer in peers {
            let of_it = self.with_child(peer, |child| child.bring_in(nodes)).unwrap_or_default();
            if !of_it.is_empty() {
                brought_in.insert(peer, of_it);
            }
        }
        brought_in
    }

    /// The nodes that stand by, but for those of children that are to leave.
    pub(in crate::sched) fn standing_by(&self) -> impl Iterator<Item = &Member> {
        // Mostly there is none, and this is asked at each step.
        let children =
            self.children.values().take(if self.standing_by > 0 { usize::MAX } else { 0 });
        let members = children.filter(|c| !c.draining).flat_map(|c| c.members.values());
        members.filter(|member| member.standby.is_some())
    }

    /// Who is there for what waits here.
    pub(in crate::sched) fn crew(&self) -> Crew {
        let (cores, busy) = (self.cores, self.cores - self.idle);
        Crew { cores, busy, waiting: self.queue.len() as u64 }
    }

    /// Whether one of `shapes` could run something that waits here, or with a child for its cores.
    pub(in crate::sched) fn could_use(&self, shapes: &BTreeSet<&Resources>) -> bool {
        let suits = |request: &Request| shapes.iter().any(|s| request.met_by(s).is_some());
        let loaded = self.loaded.iter().filter_map(|(_, peer)| self.children.get(peer));
        let mut held = loaded.flat_map(|child| child.held.values());
        self.queue.heads().any(|(_, r)| suits(r)) || held.any(|held| suits(&held.request))
    }

    /// Whether one of `shapes` could run something that waits here and that no child could, now or
    /// later.
    pub(in crate::sched) fn could_alone(&self, shapes: &BTreeSet<&Resources>) -> bool {
        let suits = |request: &Request| shapes.iter().any(|s| request.met_by(s).is_some());
        let mut heads = self.queue.heads();
        heads.any(|(_, r)| suits(r) && !can_ever_meet(&self.children, r))
    }

    /// What no child could run, now or later, in the order of urgency.
    #[must_use]
    pub(in crate::sched) fn unmeetable(&self) -> Option<Urgency> {
        let mut heads = self.queue.heads();
        heads.find(|(_, r)| !can_ever_meet(&self.children, r)).map(|(urgency, _)| *urgency)
    }
}
