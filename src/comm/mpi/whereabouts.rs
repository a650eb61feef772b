//! Where a rank is: on which host, and what it shares with others there.

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::model::wire::wire_struct;

/// Where a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The host's name and when it started: hosts that are alike have either different.
    host: String,
    /// The namespace of its process number.
    processes: String,
    /// The namespace of its addresses.
    network: String,
    pid: u32,
}

wire_struct! {
    Place { host, processes, network, pid }
}

impl Place {
    /// This process.
    pub(super) fn here() -> Place {
        let name = rustix::system::uname();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = |kind: &str| {
            let path = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default();
            path.to_string_lossy().into_owned()
        };
        Place {
            host: format!("{} {}", name.nodename().to_string_lossy(), boot.trim()),
            processes: namespace("pid"),
            network: namespace("net"),
            pid: std::process::id(),
        }
    }

    /// Whether the two reach each other over the loopback interface.
    pub(super) fn shares_network_with(&self, other: &Place) -> bool {
        self.host == other.host && self.network == other.network
    }

    /// What becomes readable when the process there ends, as seen from `here`; nothing if that
    /// cannot be seen.
    pub(super) fn watch(&self, here: &Place) -> Option<OwnedFd> {
        if self.host != here.host || self.processes != here.processes {
            return None;
        }
        let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

/// The addresses under which other hosts may reach this one.
pub(super) fn interfaces() -> Vec<Ipv4Addr> {
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` is written where the call succeeds.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: a list of the C library's, which lives until it is freed below.
        let entry = unsafe { &*next };
        found.extend(address(entry));
        next = entry.ifa_next;
    }
    // SAFETY: the list that was given out above, once.
    unsafe { libc::freeifaddrs(list) };
    found
}

/// The address in an entry, if it is of IPv4 and others can use it.
fn address(entry: &libc::ifaddrs) -> Option<Ipv4Addr> {
    let usable = libc::IFF_UP as u32;
    let flags = entry.ifa_flags & (usable | libc::IFF_LOOPBACK as u32);
    if flags != usable || entry.ifa_addr.is_null() {
        return None;
    }
    // SAFETY: an address of the C library's; that it is of IPv4 is checked before it is read
    // as one.
    unsafe {
        if i32::from((*entry.ifa_addr).sa_family) != libc::AF_INET {
            return None;
        }
        let address = *entry.ifa_addr.cast::<libc::sockaddr_in>();
        Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_where_it_is() {
        let here = Place::here();
        assert!(here.shares_network_with(&here));
        assert!(here.watch(&here).is_some());
        let elsewhere = Place { host: "elsewhere".to_owned(), ..here.clone() };
        assert!(!elsewhere.shares_network_with(&here));
        assert!(elsewhere.watch(&here).is_none(), "the number means another process there");
        assert!(interfaces().iter().all(|ip| !ip.is_loopback()));
    }
}
