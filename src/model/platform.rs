//! A machine for planning and simulation: what there is, how fast, how far apart.

use super::{ResourceNames, Resources, Span};

/// Subclusters and the links between them.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// What the user calls it.
    pub name: String,
    /// The subclusters, in order.
    pub subclusters: Vec<PlatformSubcluster>,
    /// The link between any two subclusters.
    pub link: Link,
    /// The names of its processor classes; a class is a place in this list.
    pub classes: Vec<String>,
    /// The names of the resources that its nodes have.
    pub resources: ResourceNames,
}

/// Nodes under one sub-master.
#[derive(Clone, Debug, Default)]
pub struct PlatformSubcluster {
    /// What the user calls it.
    pub name: String,
    /// Its nodes, in order.
    pub nodes: Vec<PlatformNode>,
    /// The link between any two of its nodes.
    pub link: Link,
}

/// A node of a platform.
#[derive(Clone, Debug)]
pub struct PlatformNode {
    /// What the user calls it.
    pub name: String,
    /// Its processor class, a place in [`Platform::classes`].
    pub class: usize,
    /// How fast it is: a task of cost 1 s takes `1 / speed` seconds.
    pub speed: f64,
    /// NUMA domains; the cores are spread over them evenly.
    pub domains: u32,
    /// What it has, its cores among them.
    pub capacity: Resources,
}

/// What it takes to send something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Before the first byte arrives.
    pub latency: Span,
    /// Bytes per second after that; infinite where transfers cost nothing.
    pub bandwidth: f64,
}

impl Default for Link {
    /// A link that costs nothing.
    fn default() -> Self {
        Link { latency: Span::ZERO, bandwidth: f64::INFINITY }
    }
}

impl Link {
    /// How long `bytes` take.
    #[must_use]
    pub fn transfer(&self, bytes: u64) -> Span {
        self.latency + Span::from_secs_f64(bytes as f64 / self.bandwidth)
    }
}

impl Platform {
    /// `subclusters` times `nodes` equal nodes of `cores` cores and speed 1, with links that
    /// cost nothing.
    #[must_use]
    pub fn uniform(subclusters: u32, nodes: u32, cores: u64) -> Platform {
        let node = |s: u32, n: u32| PlatformNode {
            name: format!("node{}", s * nodes + n),
            class: 0,
            speed: 1.0,
            domains: 1,
            capacity: Resources::cores(cores),
        };
        let subcluster = |s: u32| PlatformSubcluster {
            name: format!("sub{s}"),
            nodes: (0..nodes).map(|n| node(s, n)).collect(),
            link: Link::default(),
        };
        Platform {
            name: format!("{subclusters} x {nodes} nodes x {cores} cores"),
            subclusters: (0..subclusters).map(subcluster).collect(),
            classes: vec!["core".to_owned()],
            ..Platform::default()
        }
    }

    /// The same with its resources in the terms of `names`, those of a job: plans and simulations
    /// compare them by id. What `names` does not know no task of that job asks for.
    #[must_use]
    pub fn in_terms_of(mut self, names: &ResourceNames) -> Platform {
        for node in self.subclusters.iter_mut().flat_map(|subcluster| &mut subcluster.nodes) {
            let known = node
                .capacity
                .iter()
                .filter_map(|(id, amount)| Some((names.find(self.resources.name(id))?, amount)));
            node.capacity = known.fold(Resources::default(), |r, (id, amount)| r.with(id, amount));
        }
        self.resources = names.clone();
        self
    }

    /// All nodes with the place of their subcluster, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, &PlatformNode)> {
        let subclusters = self.subclusters.iter().enumerate();
        subclusters.flat_map(|(i, s)| s.nodes.iter().map(move |n| (i, n)))
    }

    /// The link between two nodes that are not the same one, by their subclusters.
    #[must_use]
    pub fn link_between(&self, a: usize, b: usize) -> Link {
        if a == b { self.subclusters[a].link } else { self.link }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Amount;

    #[test]
    fn resources_are_matched_by_name_whatever_their_ids() {
        let mut platform = Platform::uniform(1, 1, 4);
        let fpga = platform.resources.intern("fpga").unwrap();
        let licence = platform.resources.intern("licence").unwrap();
        let node = &mut platform.subclusters[0].nodes[0];
        node.capacity.set(fpga, Amount::whole(7));
        node.capacity.set(licence, Amount::whole(1));
        let mut job = ResourceNames::default();
        let asked = job.intern("licence").unwrap();
        assert_ne!(asked, licence);
        let capacity = &platform.in_terms_of(&job).subclusters[0].nodes[0].capacity;
        assert_eq!(*capacity, Resources::cores(4).with(asked, Amount::whole(1)));
    }
}
