//! Who sits where: the cores of each host divided among its nodes, the nodes among subclusters.

use std::collections::BTreeSet;

use super::division::Division;
use super::{Options, RunError};
use crate::host::{self, Host};
use crate::model::wire::wire_struct;
use crate::model::{
    Amount, Epoch, Incarnation, NodeInfo, PeerId, ResourceId, ResourceNames, Resources, Span,
    Standby, SubclusterId, Topology,
};
use crate::sched::{Former, RunId, Seat, ancestry};

/// Where a node is: what it says of itself before it has a seat.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Site {
    pub(super) host: Host,
    pub(super) pid: u32,
}

wire_struct! {
    Site { host, pid }
}

impl Site {
    /// This process.
    pub(super) fn here() -> Result<Site, RunError> {
        Ok(Site { host: Host::discover()?, pid: std::process::id() })
    }
}

/// What is the same for all processes of a run, as long as it has one master.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) run: RunId,
    pub(super) epoch: Epoch,
    pub(super) master: PeerId,
    pub(super) lease: Span,
    pub(super) wait_for_nodes: Span,
    pub(super) reattach: Span,
}

wire_struct! {
    Terms { run, epoch, master, lease, wait_for_nodes, reattach }
}

/// From where on the nodes of a world are numbered, and their subclusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) node: PeerId,
    pub(super) subcluster: SubclusterId,
}

impl Numbers {
    /// The nodes of a world that joins, which is one subcluster, as they are called in the run.
    #[cfg(feature = "link")]
    pub(super) fn give(self, mut nodes: Vec<NodeInfo>) -> Vec<NodeInfo> {
        for (node, number) in nodes.iter_mut().zip(self.node.0..) {
            (node.node, node.subcluster) = (PeerId(number), self.subcluster);
        }
        nodes
    }
}

/// The nodes of a world.
#[derive(Debug)]
pub(super) struct Layout {
    shares: Vec<host::Share>,
    nodes: Vec<NodeInfo>,
    /// Of each node the processes with the sub-masters above it.
    ancestors: Vec<Vec<PeerId>>,
    /// What the user should know of it.
    pub(super) notes: Vec<String>,
}

impl Layout {
    /// The nodes with which a run begins, the first with the master.
    pub(super) fn of_run(
        sites: &[Site],
        options: &Options,
        names: &ResourceNames,
        numbers: Numbers,
    ) -> Result<Layout, RunError> {
        let division = Division::of(options)?;
        let mut layout = Layout::new(sites, division, (&options.resources, names), numbers)?;
        layout.ancestors = layout.above(numbers.subcluster, &options.fans);
        Ok(layout)
    }

    /// One node at each of `sites`. Sites of one host divide it. What each has by name is in the terms
    /// of `names`.
    pub(super) fn new(
        sites: &[Site],
        division: Division<'_>,
        (resources, names): (&[(String, Amount)], &ResourceNames),
        numbers: Numbers,
    ) -> Result<Layout, RunError> {
        let hosts = by_host(sites);
        let (subclusters, mut notes) = division.divide(sites, &hosts)?;
        let mut seats = Vec::new();
        for members in &hosts {
            let (usable, quota) = usable(sites, members);
            notes.extend(quota);
            let (n, host) = (members.len(), &sites[members[0]].host);
            let shares: Vec<_> = (0..n).map(|i| host::share(&usable, i, n)).collect();
            notes.extend(unpinned(host, &shares, usable.core_count()));
            for (&i, share) in members.iter().zip(shares) {
                let site = &sites[i];
                let info = NodeInfo {
                    node: PeerId(numbers.node.0 + i as u32),
                    subcluster: SubclusterId(numbers.subcluster.0 + subclusters[i].0),
                    host: site.host.name.clone(),
                    pid: site.pid,
                    cores: share.topology.cores().map(|core| core.id).collect(),
                    pinned: site.host.real && share.pinned,
                    capacity: equipped(
                        capacity(&share.topology, &site.host, n as u64),
                        resources,
                        names,
                    ),
                    standby: Standby::No,
                };
                seats.push((info, share));
            }
        }
        seats.sort_by_key(|(info, _)| info.node);
        let (nodes, shares): (Vec<NodeInfo>, Vec<_>) = seats.into_iter().unzip();
        let mut layout = Layout { shares, nodes, ancestors: Vec::new(), notes };
        layout.ancestors = layout.above(numbers.subcluster, &[]);
        Ok(layout)
    }

    /// The processes with sub-masters above each node, each the first of its subcluster: of the first
    /// one that may be the node with the master. Subclusters are counted from `first`.
    fn above(&self, first: SubclusterId, fans: &[u32]) -> Vec<Vec<PeerId>> {
        let head = |subcluster: u32| {
            let mut nodes = self.nodes.iter();
            nodes.find(|node| node.subcluster.0 == first.0 + subcluster).map(|node| node.node)
        };
        let above = |node: &NodeInfo| ancestry(node.subcluster.0 - first.0, fans);
        self.nodes.iter().map(|node| above(node).into_iter().filter_map(head).collect()).collect()
    }

    pub(super) fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    pub(super) fn into_nodes(self) -> Vec<NodeInfo> {
        self.nodes
    }

    #[cfg(feature = "link")]
    /// The nodes are not to bind their workers: others are where they are.
    pub(super) fn unpin(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.pinned = false);
    }

    /// How many subclusters there are.
    pub(super) fn subclusters(&self) -> u32 {
        self.ancestors.iter().map(|above| above.first()).collect::<BTreeSet<_>>().len() as u32
    }

    pub(super) fn seat(&self, i: usize, terms: &Terms) -> Seat {
        let node = &self.nodes[i];
        // Who comes from elsewhere may outlive the master's process in any case.
        let is_with_master = self.nodes.first().is_some_and(|first| first.node == terms.master);
        let elsewhere = |other: &NodeInfo| other.pid != node.pid || other.host != node.host;
        Seat {
            run: terms.run,
            peer: node.node,
            incarnation: Incarnation(1),
            epoch: terms.epoch,
            subcluster: node.subcluster,
            ancestors: self.ancestors[i].clone(),
            master: terms.master,
            host: node.host.clone(),
            topology: self.shares[i].topology.clone(),
            capacity: node.capacity.clone(),
            lease: terms.lease,
            wait_for_nodes: terms.wait_for_nodes,
            reattach: terms.reattach,
            time_left: None,
            apart: !is_with_master || self.nodes.iter().any(elsewhere),
            standby: None,
            former: Former::Ended,
        }
    }
}

/// The places in `sites` of those on each host, hosts in the order of their first.
fn by_host(sites: &[Site]) -> Vec<Vec<usize>> {
    let mut hosts: Vec<Vec<usize>> = Vec::new();
    let key = |i: usize| (&sites[i].host.name, &sites[i].host.boot_id);
    for i in 0..sites.len() {
        match hosts.iter_mut().find(|members| key(members[0]) == key(i)) {
            Some(members) => members.push(i),
            None => hosts.push(vec![i]),
        }
    }
    hosts
}

/// The nodes that a run on this host would have. Resources by name are in the terms of `names`.
///
/// # Errors
/// If the host cannot be made out, or the options contradict each other.
pub fn local_nodes(options: &Options, names: &ResourceNames) -> Result<Vec<NodeInfo>, RunError> {
    let sites = vec![Site::here()?; options.nodes as usize];
    Ok(Layout::of_run(&sites, options, names, Numbers::default())?.into_nodes())
}

/// The cores that are allowed to any of the `members` of a host, and no more of them than the
/// processor quota feeds.
fn usable(sites: &[Site], members: &[usize]) -> (Topology, Option<String>) {
    let allowed = members.iter().flat_map(|i| sites[*i].host.allowed.cores());
    let units: BTreeSet<u32> = allowed.flat_map(|core| core.units.iter().copied()).collect();
    let host = &sites[members[0]].host;
    let allowed = host.topology.restricted(|unit| units.contains(&unit));
    let (fed, cores) = (host.fed(), allowed.core_count());
    if fed >= cores {
        return (allowed, None);
    }
    let kept: BTreeSet<u32> = allowed.cores().take(fed).flat_map(|c| c.units.clone()).collect();
    let note = format!("a control group limits processor time: {fed} of {cores} cores are used");
    (allowed.restricted(|unit| kept.contains(&unit)), Some(note))
}

/// Why workers on `host` are not pinned, if they are not.
fn unpinned(host: &Host, shares: &[host::Share], cores: usize) -> Option<String> {
    let (n, name) = (shares.len(), &host.name);
    if !host.real {
        Some(format!("the topology is from {}: workers are not pinned", host.source))
    } else if shares.iter().any(|share| !share.pinned) {
        Some(format!("{n} nodes share {cores} cores of {name}: their workers are not pinned"))
    } else {
        None
    }
}

fn capacity(share: &Topology, host: &Host, nodes: u64) -> Resources {
    let mut capacity = Resources::cores(share.core_count() as u64);
    capacity.set(ResourceId::MEMORY, Amount::whole(host.memory.unwrap_or(0) / nodes));
    capacity
}

/// The same with what there is by name, in the terms of `names`.
pub(super) fn equipped(
    mut capacity: Resources,
    resources: &[(String, Amount)],
    names: &ResourceNames,
) -> Resources {
    for (name, amount) in resources {
        // What no task asks for by name needs no counting.
        if let Some(id) = names.find(name) {
            capacity.set(id, *amount);
        }
    }
    capacity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Source, synthetic};
    use crate::model::{HostGroup, HostGroups};

    fn site(name: &str, allowed: Option<&[u32]>) -> Site {
        let topology = synthetic::topology("package:2 numa:2 core:4 pu:2").unwrap();
        let host = Host {
            name: name.to_owned(),
            boot_id: name.to_owned(),
            allowed: topology.restricted(|unit| allowed.is_none_or(|own| own.contains(&unit))),
            topology,
            memory: Some(32 << 30),
            cpu_quota: None,
            source: Source::Sysfs,
            real: true,
        };
        Site { host, pid: 7 }
    }

    fn layout(sites: &[Site], subclusters: Option<u32>) -> Layout {
        let options = Options { subclusters, ..Options::default() };
        Layout::of_run(sites, &options, &ResourceNames::default(), Numbers::default()).unwrap()
    }

    fn cores(layout: &Layout) -> Vec<Vec<u32>> {
        layout.nodes.iter().map(|node| node.cores.iter().map(|core| core.0).collect()).collect()
    }

    #[test]
    fn each_host_is_divided_and_is_a_subcluster_though_ranks_alternate() {
        let sites = [site("a", None), site("b", None), site("a", None), site("b", None)];
        let layout = layout(&sites, None);
        let first: Vec<u32> = (0..8).map(|core| core * 2).collect();
        let second: Vec<u32> = (8..16).map(|core| core * 2).collect();
        assert_eq!(cores(&layout), [&first, &first, &second, &second].map(Vec::clone));
        let subclusters: Vec<u32> = layout.nodes.iter().map(|node| node.subcluster.0).collect();
        assert_eq!(subclusters, [0, 1, 0, 1]);
        assert_eq!(layout.ancestors, [0, 1, 0, 1].map(|peer| vec![PeerId(peer)]));
        assert!(layout.nodes.iter().all(|node| node.pinned), "{:?}", layout.nodes);
        assert_eq!(layout.notes, [""; 0]);
    }

    #[test]
    fn ranks_that_are_bound_to_a_core_each_share_what_they_have_together() {
        let sites: Vec<Site> = (0..4).map(|i| site("a", Some(&[2 * i, 2 * i + 1]))).collect();
        let mut all = cores(&layout(&sites, Some(2))).concat();
        all.sort_unstable();
        assert_eq!(all, [0, 2, 4, 6]);
    }

    #[test]
    fn subclusters_have_sub_masters_above_them_in_groups() {
        let sites = vec![site("a", None); 6];
        let options = Options { subclusters: Some(6), fans: vec![3], ..Options::default() };
        let layout =
            Layout::of_run(&sites, &options, &ResourceNames::default(), Numbers::default());
        let above: Vec<Vec<u32>> = layout
            .unwrap()
            .ancestors
            .into_iter()
            .map(|peers| peers.into_iter().map(|peer| peer.0).collect())
            .collect();
        let expected: [&[u32]; 6] = [&[0], &[1, 0], &[2, 0], &[3], &[4, 3], &[5, 3]];
        assert_eq!(above, expected);
    }

    fn groups(groups: &[(&str, &[&str])]) -> HostGroups {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        let group = |(name, all): &(&str, &[&str])| HostGroup {
            name: (*name).to_owned(),
            hosts: hosts(all),
        };
        HostGroups { source: "racks".to_owned(), groups: groups.iter().map(group).collect() }
    }

    fn by_groups(options: Options) -> Result<Layout, RunError> {
        let sites = ["b", "a", "c.example", "b", "d"].map(|name| site(name, None));
        Layout::of_run(&sites, &options, &ResourceNames::default(), Numbers::default())
    }

    #[test]
    fn groups_of_hosts_are_subclusters_that_are_numbered_as_their_nodes_come() {
        let racks = groups(&[("left", &["a"]), ("none", &["x"]), ("right", &["B", "c", "d"])]);
        let layout = by_groups(Options { groups: Some(racks), ..Options::default() }).unwrap();
        let subclusters: Vec<u32> = layout.nodes.iter().map(|node| node.subcluster.0).collect();
        assert_eq!(subclusters, [0, 1, 0, 0, 0]);
        assert_eq!(layout.ancestors, [0, 1, 0, 0, 0].map(|peer| vec![PeerId(peer)]));
        assert_eq!(layout.subclusters(), 2);
        let notes =
            ["subclusters by racks: 0 is right, 1 is left", "racks: no host of none is here"];
        assert_eq!(layout.notes[..2], notes);
    }

    #[test]
    fn hosts_that_no_group_has_and_groups_beside_a_number_are_refused() {
        let problem = |options| by_groups(options).unwrap_err().to_string();
        let racks = Some(groups(&[("left", &["a"]), ("right", &["b", "d.example"])]));
        assert_eq!(
            problem(Options { groups: racks.clone(), ..Options::default() }),
            "racks: no group has c.example: write each below the line \"# group NAME\" of one"
        );
        let none = Some(groups(&[("left", &[])]));
        let problem_of_all = problem(Options { groups: none, ..Options::default() });
        assert!(problem_of_all.contains("no group has b, a, c.example, d:"), "{problem_of_all}");
        for options in [
            Options { subclusters: Some(2), groups: racks.clone(), ..Options::default() },
            Options { fans: vec![2], groups: racks, ..Options::default() },
        ] {
            assert!(problem(options).contains("have no number, nor levels"));
        }
    }

    #[test]
    fn asked_for_subclusters_are_of_neighbours() {
        let sites = [site("a", None), site("b", None), site("a", None), site("b", None)];
        let layout = layout(&sites, Some(3));
        let subclusters: Vec<u32> = layout.nodes.iter().map(|node| node.subcluster.0).collect();
        assert_eq!(subclusters, [0, 1, 0, 2]);
    }
}
