//! Hosts in groups.

use std::net::IpAddr;

/// Groups of hosts, each of which is to be a subcluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostGroups {
    /// Where they were read, to be named in messages.
    pub source: String,
    /// The groups. No host is in two of them.
    pub groups: Vec<HostGroup>,
}

/// Hosts that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostGroup {
    /// What it is called.
    pub name: String,
    /// The names of its hosts, with their domain or without.
    pub hosts: Vec<String>,
}

impl HostGroups {
    /// The place of the group that a host is of.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.hosts.iter().any(|name| is_same(name, host)))
    }
}

/// Whether two names may be those of one host: but for case, and for the domain if one has none.
#[must_use]
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    let (short_a, short_b) = (short(a), short(b));
    let may_lack = short_a.len() == a.len() || short_b.len() == b.len();
    a.eq_ignore_ascii_case(b) || may_lack && short_a.eq_ignore_ascii_case(short_b)
}

/// The name of a host without its domain. An address has none.
#[must_use]
pub(crate) fn short(host: &str) -> &str {
    match host.parse::<IpAddr>() {
        Ok(_) => host,
        Err(_) => host.split('.').next().unwrap_or(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_with_its_domain_and_without() {
        for (a, b, same) in [
            ("n1", "n1", true),
            ("N1", "n1.cluster.example", true),
            ("n1.cluster.example", "n1", true),
            ("n1.a", "n1.b", false),
            ("n1", "n10", false),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "10", false),
            ("", "n1", false),
        ] {
            assert_eq!(is_same(a, b), same, "{a} {b}");
        }
    }
}
