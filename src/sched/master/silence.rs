//! What becomes of attempts whose holder is gone: when they may be run again, and whether they may
//! still run then.
//!
//! A process that was seen to end runs nothing any more, nor one that has said since that it started
//! afresh, or what it holds. Of one that only fell silent the lease says that it has stopped, by its
//! own clock; if that stood still with its host, it has not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Enrolled, Master};
use crate::model::{AttemptKey, PeerId, Time};
use crate::sched::Context;
use crate::sched::event::Former;
use crate::sched::message::{HelloNumber, Lost};

/// Why an attempt of an earlier epoch is lost.
const INTERRUPTED: &str = "it was out when the run was interrupted";

/// Attempts that belong to nobody until somebody comes with them.
#[derive(Debug, Default)]
pub(super) struct Adrift {
    keys: BTreeSet<AttemptKey>,
    /// Nodes that may have them in hand, as of which hello. Of those of an earlier epoch nothing is
    /// known.
    nodes: BTreeMap<PeerId, HelloNumber>,
}

impl Master {
    /// Attempts that died with nodes below a child.
    pub(super) fn lost_with_nodes(&mut self, cx: &mut Context<'_>, peer: PeerId, lost: Vec<Lost>) {
        cx.note(format!("{} attempts were lost with a node of {peer}", lost.len()));
        let seen = |lost: &Lost| {
            !lost.silent || self.is_accounted_for(lost.node, self.hello_through(peer, lost.node))
        };
        let lost: Vec<(bool, Lost)> = lost.into_iter().map(|lost| (!seen(&lost), lost)).collect();
        for (silent, Lost { key, node, .. }) in lost {
            self.work.left_nothing(peer, node);
            if self.work.release(peer, key) {
                let how = if silent { "fell silent" } else { "was lost" };
                let why = format!("{} {how}", self.name_of(node));
                self.lost(cx, key, Some(node), why, silent);
            }
        }
    }

    /// A sub-master is gone; its nodes may go on until the lease is over that they had through it,
    /// and come back with what they hold by then.
    pub(super) fn child_lost(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.take_back_withheld(cx, peer);
        let until = self.leases.forget(peer).unwrap_or(cx.now);
        let nodes = self.work.unaccounted(peer);
        let lost = self.work.leave(peer);
        self.set_adrift(cx, peer, lost, nodes, until);
        self.close_if_over(cx);
    }

    /// The process of a sub-master, or of a node, has ended.
    pub(in crate::sched) fn child_ended(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.work.saw_end(peer);
        if self.work.child(peer).is_some() {
            self.child_lost(cx, peer);
        }
    }

    /// A sub-master is another than it was, and so has ended as that.
    pub(in crate::sched) fn child_restarted(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        if self.work.child(peer).is_some() {
            self.work.saw_end(peer);
            self.child_lost(cx, peer);
        }
    }

    /// What `nodes` may go on with that have lost a sub-master, `peer` or one further down, belongs to
    /// nobody until they come back with it.
    pub(super) fn set_adrift(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        keys: Vec<AttemptKey>,
        nodes: BTreeMap<PeerId, HelloNumber>,
        until: Time,
    ) {
        if !keys.is_empty() {
            let n = keys.len();
            cx.note(format!(
                "{n} attempts wait for nodes that sub-master {peer} does not have any more"
            ));
            let adrift = self.limbo.entry((until, peer)).or_default();
            adrift.keys.extend(keys);
            adrift.nodes.extend(nodes);
        }
        self.empty_limbo(cx);
    }

    /// Whether it was there, and counts still.
    pub(super) fn leave_limbo(&mut self, key: AttemptKey) -> bool {
        let awaited = self.awaits(key);
        let found = awaited && self.limbo.values_mut().any(|adrift| adrift.keys.remove(&key));
        self.limbo.retain(|_, adrift| !adrift.keys.is_empty());
        found
    }

    /// What nobody can be running any more may be run again.
    pub(super) fn empty_limbo(&mut self, cx: &mut Context<'_>) {
        while let Some(first) = self.limbo.first_entry().filter(|e| e.key().0 <= cx.now) {
            let ((_, peer), Adrift { keys, mut nodes }) = first.remove_entry();
            nodes.retain(|node, hello| !self.is_accounted_for(*node, *hello));
            let (node, n) = (nodes.keys().next().copied(), nodes.len());
            let (why, silent) = match node {
                _ if peer == cx.me => (INTERRUPTED.to_owned(), true),
                None => (format!("sub-master {peer} was lost"), false),
                Some(node) if n == 1 => (format!("{} fell silent", self.name_of(node)), true),
                Some(_) => (format!("{n} nodes of sub-master {peer} fell silent"), true),
            };
            keys.into_iter().for_each(|key| self.lost(cx, key, None, why.clone(), silent));
        }
    }

    /// What becomes of an attempt that was out when the last epoch ended. `outlives`: it may go on
    /// without the process of its master.
    pub(super) fn judge_former(&mut self, cx: &mut Context<'_>, key: AttemptKey, outlives: bool) {
        let (former, epoch) = self.former;
        let silent = match former {
            // Of what was before that nothing is known.
            _ if key.epoch != epoch => true,
            Former::Ended => false,
            Former::Orphaned => outlives,
            Former::Silent => true,
        };
        if silent && outlives {
            let until = cx.now + self.outlived_for;
            self.limbo.entry((until, cx.me)).or_default().keys.insert(key);
        } else {
            let record = self.lost_record(key, INTERRUPTED.to_owned(), silent);
            self.conclude(cx, record, Vec::new());
        }
    }

    /// Whether a node runs nothing any more of what it had through a parent that last had `hello` of
    /// it: it was seen to end, or has said hello elsewhere or as another since.
    fn is_accounted_for(&self, node: PeerId, hello: HelloNumber) -> bool {
        let spoke = |enrolled: &Enrolled| enrolled.hello > hello;
        self.work.has_ended(node) || self.roster.get(&node).is_some_and(spoke)
    }

    /// The last hello of a node that came through a child, or else from anywhere.
    fn hello_through(&self, peer: PeerId, node: PeerId) -> HelloNumber {
        let known = self.roster.get(&node).map(|enrolled| enrolled.hello);
        self.work.last_hello(peer, node).or(known).unwrap_or_default()
    }

    /// Nodes below a child that may hold something, as which they last said hello through it.
    pub(super) fn through(
        &self,
        peer: PeerId,
        nodes: Vec<PeerId>,
    ) -> BTreeMap<PeerId, HelloNumber> {
        nodes.into_iter().map(|node| (node, self.hello_through(peer, node))).collect()
    }

    fn name_of(&self, node: PeerId) -> String {
        match self.roster.get(&node) {
            Some(Enrolled { host, .. }) => format!("node {} on host {host}", node.0),
            None => format!("node {}", node.0),
        }
    }
}
