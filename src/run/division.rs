//! Which nodes make up which subcluster.

use super::layout::Site;
use super::{Options, RunError};
use crate::model::{HostGroups, SubclusterId};

/// By what the nodes of a world are divided among subclusters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Division<'a> {
    /// Those of a host are one.
    Hosts,
    /// There are so many, each of neighbours.
    Number(u32),
    /// Those on the hosts of a group are one.
    Groups(&'a HostGroups),
}

/// The subcluster of each node, and what the user should know of them.
pub(super) type Divided = (Vec<SubclusterId>, Vec<String>);

impl Division<'_> {
    /// As the options of a run say.
    pub(super) fn of(options: &Options) -> Result<Division<'_>, RunError> {
        match (options.subclusters, &options.groups) {
            (None, None) => Ok(Division::Hosts),
            (Some(number), None) => Ok(Division::Number(number)),
            (None, Some(groups)) if options.fans.is_empty() => Ok(Division::Groups(groups)),
            _ => {
                let problem = "subclusters by the groups of a hostfile have no number, nor levels";
                Err(RunError::Options(problem.to_owned()))
            }
        }
    }

    /// Divides the nodes at `sites`, of which `hosts` has the places of those on each host.
    pub(super) fn divide(self, sites: &[Site], hosts: &[Vec<usize>]) -> Result<Divided, RunError> {
        let n = sites.len();
        let asked = match self {
            Division::Number(asked) => asked as usize,
            _ => 1,
        };
        if asked == 0 || asked > n {
            let problem = format!(
                "{asked} subclusters of {n} nodes cannot be: ask for as many nodes at least"
            );
            return Err(RunError::Options(problem));
        }
        let (of_host, notes) = match self {
            Division::Groups(groups) => by_group(groups, sites, hosts)?,
            _ => ((0..hosts.len()).collect(), Vec::new()),
        };
        let mut subclusters = vec![SubclusterId(0); n];
        let places = hosts
            .iter()
            .zip(of_host)
            .flat_map(|(members, own)| members.iter().map(move |i| (*i, own)));
        for (before, (i, own)) in places.enumerate() {
            let number = matches!(self, Division::Number(_)).then(|| before * asked / n);
            subclusters[i] = SubclusterId(number.unwrap_or(own) as u32);
        }
        Ok((subclusters, notes))
    }
}

/// The subcluster of each host. They are numbered as they come, the first by the first node, so that
/// groups of which nobody is here leave no gap.
fn by_group(
    groups: &HostGroups,
    sites: &[Site],
    hosts: &[Vec<usize>],
) -> Result<(Vec<usize>, Vec<String>), RunError> {
    let names = hosts.iter().map(|members| sites[members[0]].host.name.as_str());
    let (mut missing, mut seen, mut of_host) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let Some(group) = groups.find(name) else {
            missing.push(name);
            continue;
        };
        let subcluster = seen.iter().position(|other| *other == group).unwrap_or(seen.len());
        if subcluster == seen.len() {
            seen.push(group);
        }
        of_host.push(subcluster);
    }
    if !missing.is_empty() {
        let problem = format!(
            "{}: no group has {}: write each below the line \"# group NAME\" of one",
            groups.source,
            listed(&missing)
        );
        return Err(RunError::Options(problem));
    }
    let name = |group: usize| groups.groups[group].name.as_str();
    let shown: Vec<String> =
        seen.iter().enumerate().map(|(i, group)| format!("{i} is {}", name(*group))).collect();
    let mut notes = vec![format!("subclusters by {}: {}", groups.source, shown.join(", "))];
    let absent = (0..groups.groups.len()).filter(|group| !seen.contains(group)).map(name);
    let absent: Vec<&str> = absent.collect();
    if !absent.is_empty() {
        notes.push(format!("{}: no host of {} is here", groups.source, listed(&absent)));
    }
    Ok((of_host, notes))
}

/// The first of some names, and how many more there are.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 8;
    let shown = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
