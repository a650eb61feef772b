//! Nodes on which tasks fail that are done elsewhere: they are drained.
//!
//! What is compared are tasks that ask for the same, so that bad ones that only some nodes can run do
//! not make these bad. A new master remembers nothing of it, and a node that starts afresh is a new one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Enrolled, Master};
use crate::model::{Incarnation, PeerId, Request, Resources, State, TaskId};
use crate::sched::Context;
use crate::sched::event::Part;
use crate::sched::message::Member;

/// So many different tasks have to fail in a row.
const ENOUGH: usize = 5;

/// How likely a row may be at most, if the node were like all others.
const UNLIKELY: f64 = 1e-6;

/// No more of a row is kept than this.
const LONGEST: usize = 64;

/// What is known of failures.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    /// What became of attempts on all nodes.
    tallies: BTreeMap<Arc<Request>, Tally>,
    /// Nodes on which attempts failed since the last one that was done there.
    suspects: BTreeMap<PeerId, Suspect>,
    /// Where tasks failed that are tried again.
    failed_on: BTreeMap<TaskId, BTreeSet<PeerId>>,
    /// Nodes that were told to leave, as which they were.
    leaving: BTreeMap<PeerId, Incarnation>,
}

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    done: u64,
    failed: u64,
}

#[derive(Debug)]
struct Suspect {
    incarnation: Incarnation,
    rows: BTreeMap<Arc<Request>, Row>,
}

/// What failed on a node in a row.
#[derive(Debug)]
struct Row {
    /// The last different tasks.
    tasks: VecDeque<TaskId>,
    /// How many attempts.
    attempts: u64,
    /// What had become of all attempts before it began.
    before: Tally,
    /// It is not looked at before there are so many attempts.
    look_at: u64,
}

/// A row that does not come about by chance.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    failed: usize,
    done_elsewhere: u64,
}

impl Quarantine {
    fn done(&mut self, node: PeerId, task: TaskId, request: &Arc<Request>) {
        self.tallies.entry(Arc::clone(request)).or_default().done += 1;
        self.suspects.remove(&node);
        // So it was not the task that failed elsewhere.
        self.failed_on.remove(&task);
    }

    /// `again`: it is tried again.
    fn failed(
        &mut self,
        (node, incarnation): (PeerId, Incarnation),
        task: TaskId,
        request: &Arc<Request>,
        again: bool,
    ) {
        let tally = self.tallies.entry(Arc::clone(request)).or_default();
        let before = *tally;
        tally.failed += 1;
        let new = || Suspect { incarnation, rows: BTreeMap::new() };
        let suspect = self.suspects.entry(node).or_insert_with(new);
        if suspect.incarnation != incarnation {
            *suspect = new();
        }
        let row = suspect.rows.entry(Arc::clone(request)).or_insert_with(|| Row {
            tasks: VecDeque::new(),
            attempts: 0,
            before,
            look_at: 0,
        });
        row.add(task);
        self.failed_on.entry(task).or_default().insert(node);
        if !again {
            self.acquit(task);
        }
    }

    /// A task has failed for good: if it did so on several nodes, it says nothing of them.
    fn acquit(&mut self, task: TaskId) {
        let nodes = self.failed_on.remove(&task).unwrap_or_default();
        if nodes.len() > 1 {
            let rows = self.suspects.values_mut().flat_map(|suspect| suspect.rows.values_mut());
            rows.for_each(|row| row.tasks.retain(|failed| *failed != task));
        }
    }

    /// What speaks against a node, if it is enough.
    fn finding(&self, node: PeerId, request: &Arc<Request>) -> Option<Finding> {
        let row = self.suspects.get(&node)?.rows.get(request)?;
        let now = self.tallies.get(request)?;
        if row.tasks.len() < ENOUGH || row.attempts < row.look_at {
            return None;
        }
        let elsewhere = Tally {
            done: now.done - row.before.done,
            failed: now.failed - row.before.failed - row.attempts,
        };
        let only_here = |task: &&TaskId| self.failed_on.get(*task).is_none_or(|on| on.len() == 1);
        let failed = row.tasks.iter().filter(only_here).count();
        let found = failed >= ENOUGH && elsewhere.makes_unlikely(failed);
        found.then_some(Finding { failed, done_elsewhere: elsewhere.done })
    }

    /// A node stays all the same: it is not looked at again before as much again has failed.
    fn spare(&mut self, node: PeerId, request: &Arc<Request>) {
        let rows = self.suspects.get_mut(&node).map(|suspect| &mut suspect.rows);
        if let Some(row) = rows.and_then(|rows| rows.get_mut(request)) {
            row.look_at = row.attempts * 2;
        }
    }

    pub(super) fn is_leaving(&self, node: PeerId, incarnation: Incarnation) -> bool {
        self.leaving.get(&node) == Some(&incarnation)
    }
}

impl Tally {
    /// Whether it is a wonder that so many failed in a row, by how often it happens here. If nothing
    /// is done here either, nothing is.
    fn makes_unlikely(self, row: usize) -> bool {
        let fails = (self.failed + 1) as f64 / (self.done + self.failed + 2) as f64;
        self.done > 0 && (0..row).fold(1.0, |chance, _| chance * fails) < UNLIKELY
    }
}

impl Row {
    fn add(&mut self, task: TaskId) {
        self.attempts += 1;
        if !self.tasks.contains(&task) {
            self.tasks.push_back(task);
        }
        if self.tasks.len() > LONGEST {
            self.tasks.pop_front();
        }
    }
}

impl Master {
    /// An attempt has ended on a node by itself, and the task is where that leaves it. A node that
    /// seems to be broken is drained, if others can do what it could.
    pub(super) fn judge_node(
        &mut self,
        cx: &mut Context<'_>,
        node: PeerId,
        task: TaskId,
        state: State,
    ) {
        let request = Arc::clone(self.ledger.request(task));
        match state {
            State::Done => return self.quarantine.done(node, task, &request),
            State::Failed => {}
            State::Lost | State::Cancelled => return,
        }
        let Some(Enrolled { host, hello, .. }) = self.roster.get(&node) else { return };
        let (incarnation, again) = (hello.incarnation, self.ledger.is_open(task));
        self.quarantine.failed((node, incarnation), task, &request, again);
        if self.interrupted || self.quarantine.is_leaving(node, incarnation) {
            return;
        }
        let Some(found) = self.quarantine.finding(node, &request) else { return };
        if !self.can_spare(node) {
            return self.quarantine.spare(node, &request);
        }
        let Finding { failed, done_elsewhere } = found;
        cx.note(format!(
            "node {} on {host} is drained: {failed} tasks failed there in a row, and {done_elsewhere} \
             were done elsewhere in that time; it can come back by `evenkeel join`, or when the run \
             is resumed",
            node.0
        ));
        self.drain_part(cx, Part::Node(node));
    }

    /// Whether there are others that can do all that is still to be done and that it could do.
    fn can_spare(&self, node: PeerId) -> bool {
        let stay =
            |member: &&Member| !self.quarantine.is_leaving(member.node, member.hello.incarnation);
        let children = self.work.children().filter(|(_, child)| !child.is_draining());
        let members = children.flat_map(|(_, child)| child.members.values()).filter(stay);
        let (own, others): (Vec<&Member>, Vec<&Member>) = members.partition(|m| m.node == node);
        let shapes = |of: Vec<&Member>| -> BTreeSet<Resources> {
            of.into_iter().map(|member| member.capacity.clone()).collect()
        };
        let (own, others) = (shapes(own), shapes(others));
        if own.is_empty() || others.is_empty() {
            return false;
        }
        let ids = (0..self.ledger.len()).map(|i| TaskId(i as u32));
        let open = ids.filter(|id| self.ledger.is_open(*id));
        let requests: BTreeSet<&Arc<Request>> = open.map(|id| self.ledger.request(id)).collect();
        let met = |request: &Request, by: &BTreeSet<Resources>| {
            by.iter().any(|shape| request.met_by(shape).is_some())
        };
        requests.into_iter().all(|request| met(request, &others) || !met(request, &own))
    }

    /// Nodes were told to leave: they are not counted on any more.
    pub(super) fn count_out(&mut self, nodes: &[PeerId]) {
        for node in nodes {
            if let Some(enrolled) = self.roster.get(node) {
                self.quarantine.leaving.insert(*node, enrolled.hello.incarnation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: (PeerId, Incarnation) = (PeerId(1), Incarnation(1));
    const B: (PeerId, Incarnation) = (PeerId(2), Incarnation(1));

    fn one_core() -> Arc<Request> {
        Arc::new(Request::of(Resources::cores(1)))
    }

    /// So many tasks are done on B, with ids from 1000 on.
    fn done_elsewhere(quarantine: &mut Quarantine, n: u32) {
        (1000..1000 + n).for_each(|id| quarantine.done(B.0, TaskId(id), &one_core()));
    }

    fn fail(quarantine: &mut Quarantine, at: (PeerId, Incarnation), ids: std::ops::Range<u32>) {
        ids.for_each(|id| quarantine.failed(at, TaskId(id), &one_core(), true));
    }

    fn failed(quarantine: &Quarantine) -> Option<usize> {
        quarantine.finding(A.0, &one_core()).map(|found| found.failed)
    }

    #[test]
    fn the_less_is_known_of_others_the_longer_a_row_has_to_be() {
        for (elsewhere, row) in [(14, 5), (6, 7), (1, 13)] {
            let mut quarantine = Quarantine::default();
            fail(&mut quarantine, A, 0..1);
            done_elsewhere(&mut quarantine, elsewhere);
            fail(&mut quarantine, A, 1..row - 1);
            assert_eq!(failed(&quarantine), None, "{elsewhere}");
            fail(&mut quarantine, A, row - 1..row);
            assert_eq!(failed(&quarantine), Some(row as usize), "{elsewhere}");
        }
    }

    #[test]
    fn what_was_done_elsewhere_before_does_not_count() {
        let mut quarantine = Quarantine::default();
        done_elsewhere(&mut quarantine, 1000);
        fail(&mut quarantine, A, 0..60);
        assert_eq!(failed(&quarantine), None);
    }

    #[test]
    fn one_task_counts_once_and_not_while_it_fails_elsewhere_too() {
        let mut quarantine = Quarantine::default();
        (0..9).for_each(|_| fail(&mut quarantine, A, 0..1));
        done_elsewhere(&mut quarantine, 100);
        fail(&mut quarantine, A, 1..4);
        assert_eq!(failed(&quarantine), None, "these are four tasks");
        fail(&mut quarantine, B, 3..4);
        fail(&mut quarantine, A, 4..5);
        assert_eq!(failed(&quarantine), None, "one of the five fails everywhere");
        quarantine.done(PeerId(3), TaskId(3), &one_core());
        assert_eq!(failed(&quarantine), Some(5), "it does not");
    }

    #[test]
    fn a_task_that_failed_for_good_on_several_nodes_is_forgotten() {
        let mut quarantine = Quarantine::default();
        fail(&mut quarantine, B, 0..1);
        fail(&mut quarantine, A, 1..5);
        done_elsewhere(&mut quarantine, 100);
        quarantine.failed(A, TaskId(0), &one_core(), false);
        assert_eq!(failed(&quarantine), None);
        assert!(!quarantine.failed_on.contains_key(&TaskId(0)));
        fail(&mut quarantine, A, 5..6);
        assert_eq!(failed(&quarantine), Some(5));
    }

    #[test]
    fn a_node_that_started_afresh_is_a_new_one() {
        let mut quarantine = Quarantine::default();
        fail(&mut quarantine, A, 0..4);
        done_elsewhere(&mut quarantine, 100);
        fail(&mut quarantine, (A.0, Incarnation(2)), 4..5);
        assert_eq!(failed(&quarantine), None);
    }

    #[test]
    fn where_a_third_fails_everywhere_a_row_of_a_dozen_is_no_wonder() {
        let elsewhere = Tally { done: 2000, failed: 1000 };
        assert!(!elsewhere.makes_unlikely(12) && elsewhere.makes_unlikely(13));
    }
}
