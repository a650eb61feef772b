//! A platform as planning sees it: nodes in order, nodes of one kind told apart only by place.

use std::collections::BTreeMap;

use crate::model::{Amount, Cost, Link, Platform, PlatformNode, ResourceId, Resources, Span, Task};

/// The processors of a platform: the cores of its nodes, counted in order.
pub(super) struct Processors<'a> {
    pub(super) platform: &'a Platform,
    pub(super) kinds: Vec<Kind<'a>>,
    pub(super) nodes: Vec<Node>,
    /// How many processors there are.
    pub(super) count: usize,
}

/// Nodes on which every task does equally well.
pub(super) struct Kind<'a> {
    /// One of them.
    pub(super) node: &'a PlatformNode,
    /// Processors of each.
    pub(super) cores: usize,
    /// Processors of all.
    pub(super) processors: usize,
}

/// A node of the platform.
pub(super) struct Node {
    /// Its place among the kinds.
    pub(super) kind: usize,
    /// Its place among the subclusters.
    pub(super) subcluster: usize,
    /// Its first processor.
    pub(super) first: usize,
}

/// What a task takes on nodes of a kind.
#[derive(Clone)]
pub(super) struct Fit {
    /// Processors; at least one.
    pub(super) cores: usize,
    /// What it takes of the node beside them.
    pub(super) other: Resources,
    /// For how long.
    pub(super) span: Span,
}

impl<'a> Processors<'a> {
    pub(super) fn new(platform: &'a Platform) -> Processors<'a> {
        let mut all = Processors { platform, kinds: Vec::new(), nodes: Vec::new(), count: 0 };
        let mut places = BTreeMap::new();
        for (subcluster, node) in platform.nodes() {
            let cores = (node.capacity.get(ResourceId::CORES).0 / Amount::UNIT) as usize;
            let key = (node.class, node.speed.to_bits(), &node.capacity);
            let kind = *places.entry(key).or_insert_with(|| {
                all.kinds.push(Kind { node, cores, processors: 0 });
                all.kinds.len() - 1
            });
            all.kinds[kind].processors += cores;
            all.nodes.push(Node { kind, subcluster, first: all.count });
            all.count += cores;
        }
        all
    }

    /// What `task` takes at `cost` on each kind; nothing where it cannot run.
    pub(super) fn fits(&self, task: &Task, cost: &Cost) -> Vec<Option<Fit>> {
        let fit = |kind: &Kind<'_>| {
            let resources = task.request.met_by(&kind.node.capacity)?;
            let cores = resources.get(ResourceId::CORES).ceil().max(1) as usize;
            let other = resources.clone().with(ResourceId::CORES, Amount(0));
            let span = cost.on(kind.node.class, kind.node.speed);
            (cores <= kind.cores).then_some(Fit { cores, other, span })
        };
        self.kinds.iter().map(fit).collect()
    }

    /// Each link between processors of different nodes, with the number of ordered pairs of
    /// processors that it joins.
    pub(super) fn links(&self) -> Vec<(Link, u128)> {
        let square = |n: usize| (n as u128) * (n as u128);
        let mut sizes = vec![0; self.platform.subclusters.len()];
        let mut within = vec![0; sizes.len()];
        for node in &self.nodes {
            let cores = self.kinds[node.kind].cores;
            sizes[node.subcluster] += cores;
            within[node.subcluster] += square(cores);
        }
        let between = square(self.count) - sizes.iter().map(|n| square(*n)).sum::<u128>();
        let inner = self.platform.subclusters.iter().zip(&sizes).zip(&within);
        let mut links: Vec<(Link, u128)> = vec![(self.platform.link, between)];
        for ((subcluster, size), within) in inner {
            let pairs = square(*size) - within;
            match links.iter_mut().find(|(link, _)| *link == subcluster.link) {
                Some((_, count)) => *count += pairs,
                None => links.push((subcluster.link, pairs)),
            }
        }
        links.retain(|(_, pairs)| *pairs > 0);
        links
    }

    /// The place among the nodes of the node that `processor` belongs to.
    pub(super) fn node_of(&self, processor: usize) -> Option<usize> {
        let node = self.nodes.partition_point(|node| node.first <= processor).checked_sub(1)?;
        (processor < self.count).then_some(node)
    }

    /// The processors of a node.
    pub(super) fn of(&self, node: usize) -> std::ops::Range<usize> {
        let Node { kind, first, .. } = self.nodes[node];
        first..first + self.kinds[kind].cores
    }

    /// How long `bytes` take from one node to another; nothing within a node.
    pub(super) fn transfer(&self, from: usize, to: usize, bytes: u64) -> Span {
        if from == to {
            return Span::ZERO;
        }
        let [a, b] = [from, to].map(|node| self.nodes[node].subcluster);
        self.platform.link_between(a, b).transfer(bytes)
    }
}
