//! Where a process listens for links, as a person says it.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// So many connections wait to be accepted.
const BACKLOG: i32 = 1024;
/// The longest name that an interface can have.
const NAME_BYTES: usize = 15;

/// Whether links are listened for, and where.
///
/// ```
/// # use evenkeel::comm::link::Listen;
/// for text in ["off", "eth0", "ib0:40000-40100", "10.0.0.7:4000", "[::1]:4000", "0.0.0.0"] {
///     assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// They are not.
    Off,
    /// At the address of an interface.
    Interface {
        /// Its name, such as `eth0`.
        name: String,
        /// The ports, of which the first that is free is taken.
        ports: Ports,
    },
    /// At an address of this host. Only `0.0.0.0` and `[::]` are all of them.
    Address {
        /// Which.
        ip: IpAddr,
        /// The ports, of which the first that is free is taken.
        ports: Ports,
    },
}

/// Ports to choose from; `None` is any that is free.
pub type Ports = Option<RangeInclusive<u16>>;

impl FromStr for Listen {
    type Err = ListenError;

    /// Reads `off`, `INTERFACE[:PORTS]` or `ADDRESS[:PORTS]`, where `PORTS` is a number or a range
    /// such as `40000-40100`, and an address of IPv6 that ports follow stands in brackets.
    fn from_str(text: &str) -> Result<Listen, ListenError> {
        let unread = |reason| ListenError::Unread { text: text.to_owned(), reason };
        if text == "off" {
            return Ok(Listen::Off);
        }
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Listen::Address { ip: ip.into(), ports: None });
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (ip, rest) = rest.split_once(']').ok_or(unread("its bracket is not closed"))?;
            let ip: Ipv6Addr =
                ip.parse().map_err(|_| unread("what is in brackets is no address of IPv6"))?;
            let ports = match rest.strip_prefix(':') {
                Some(ports) => Some(read_ports(ports).map_err(unread)?),
                None if rest.is_empty() => None,
                None => return Err(unread("after the bracket stands nothing, or `:` and ports")),
            };
            return Ok(Listen::Address { ip: ip.into(), ports });
        }
        let (place, ports) = match text.split_once(':') {
            Some((place, ports)) => (place, Some(read_ports(ports).map_err(unread)?)),
            None => (text, None),
        };
        if let Ok(ip) = place.parse() {
            return Ok(Listen::Address { ip, ports });
        }
        let is_name = |c: char| c.is_ascii_graphic() && c != '/';
        if place.is_empty() || place.len() > NAME_BYTES || !place.chars().all(is_name) {
            return Err(unread("this is neither an address nor the name of an interface"));
        }
        Ok(Listen::Interface { name: place.to_owned(), ports })
    }
}

fn read_ports(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        (Some(_), Some(_)) => Err("the range of ports ends before it begins"),
        _ => Err("a port is a number from 1 to 65535, a range of them has a `-` between; without \
                  ports any that is free is taken"),
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = match self {
            Listen::Off => return f.write_str("off"),
            Listen::Interface { name, ports } => {
                f.write_str(name)?;
                ports
            }
            Listen::Address { ip, ports } => {
                match ip {
                    IpAddr::V4(ip) => write!(f, "{ip}")?,
                    IpAddr::V6(ip) if ports.is_none() => write!(f, "{ip}")?,
                    IpAddr::V6(ip) => write!(f, "[{ip}]")?,
                }
                ports
            }
        };
        match ports {
            None => Ok(()),
            Some(ports) if ports.start() == ports.end() => write!(f, ":{}", ports.start()),
            Some(ports) => write!(f, ":{}-{}", ports.start(), ports.end()),
        }
    }
}

/// Why links cannot be listened for.
#[derive(Debug)]
pub enum ListenError {
    /// It is not said in a way that is understood.
    Unread {
        /// What was said.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The interfaces of this host cannot be looked at.
    Interfaces(io::Error),
    /// There is no such interface, or none of its addresses can be used.
    NoAddress {
        /// The name that was given.
        name: String,
        /// The interfaces that have an address.
        others: Vec<String>,
    },
    /// The address cannot be had, or no port of it is free.
    Taken {
        /// Where it was tried.
        at: String,
        /// What the system said last.
        error: io::Error,
    },
    /// There is no thread for links.
    NoThread(io::Error),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Unread { text, reason } => write!(
                f,
                "cannot listen on {text:?}: {reason}; it is to be `off`, INTERFACE[:PORTS] or \
                 ADDRESS[:PORTS], such as eth0:40000-40100"
            ),
            ListenError::Interfaces(error) => {
                write!(f, "cannot look at the network interfaces of this host: {error}")
            }
            ListenError::NoAddress { name, others } => write!(
                f,
                "cannot listen on {name:?}: there is no interface of that name with an address; \
                 those that have one: {}",
                others.join(", ")
            ),
            ListenError::Taken { at, error } => write!(
                f,
                "cannot listen on {at}: {error}; other ports can be given after a `:`, such as \
                 eth0:40000-40100"
            ),
            ListenError::NoThread(error) => write!(f, "cannot start the thread of links: {error}"),
        }
    }
}

impl Error for ListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ListenError::Interfaces(error)
            | ListenError::Taken { error, .. }
            | ListenError::NoThread(error) => Some(error),
            ListenError::Unread { .. } | ListenError::NoAddress { .. } => None,
        }
    }
}

/// The addresses of the interfaces of this host, each with its name.
fn interfaces() -> Result<Vec<(String, IpAddr)>, ListenError> {
    let all = if_addrs::get_if_addrs().map_err(ListenError::Interfaces)?;
    Ok(all
        .into_iter()
        .map(|one| (one.name.clone(), one.ip()))
        .filter(|one| is_usable(one.1))
        .collect())
}

/// An address of IPv6 that means something only on its own cable cannot be told to others.
fn is_usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

impl Listen {
    /// The same at `port`, if it may be any; nothing if it may not, or this is off.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Option<Listen> {
        let mut same = self.clone();
        match &mut same {
            Listen::Interface { ports: ports @ None, .. }
            | Listen::Address { ports: ports @ None, .. } => *ports = Some(port..=port),
            Listen::Off | Listen::Interface { .. } | Listen::Address { .. } => return None,
        }
        Some(same)
    }

    /// Begins to listen, unless it is off.
    pub(super) fn bind(&self) -> Result<Option<TcpListener>, ListenError> {
        let (ip, ports) = match self {
            Listen::Off => return Ok(None),
            Listen::Address { ip, ports } => (*ip, ports),
            Listen::Interface { name, ports } => (address_of(name)?, ports),
        };
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports.clone().unwrap_or(0..=0) {
            match open(SocketAddr::new(ip, port)) {
                Ok(listener) => return Ok(Some(listener)),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(ListenError::Taken { at: self.to_string(), error }),
            }
        }
        Err(ListenError::Taken { at: self.to_string(), error: last })
    }
}

fn open(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn address_of(name: &str) -> Result<IpAddr, ListenError> {
    let all = interfaces()?;
    let mut its: Vec<IpAddr> = all.iter().filter(|one| one.0 == name).map(|one| one.1).collect();
    // The first of them, but one of IPv4 if there is one.
    its.sort_by_key(IpAddr::is_ipv6);
    its.first().copied().ok_or_else(|| {
        let mut others: Vec<String> = all.into_iter().map(|one| one.0).collect();
        others.sort();
        others.dedup();
        ListenError::NoAddress { name: name.to_owned(), others }
    })
}

/// Under which addresses others may dial who listens at `at`: where that is all of this host,
/// those of its interfaces that are not for itself alone.
pub(super) fn reachable(at: SocketAddr) -> Result<Vec<SocketAddr>, ListenError> {
    if !at.ip().is_unspecified() {
        return Ok(vec![at]);
    }
    let ips = interfaces()?.into_iter().map(|one| one.1);
    let reaches = |ip: &IpAddr| !ip.is_loopback() && (ip.is_ipv4() || at.is_ipv6());
    Ok(ips.filter(reaches).map(|ip| SocketAddr::new(ip, at.port())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood() {
        let v4 = |ip: &str| -> IpAddr { ip.parse().unwrap() };
        let listen = |text: &str| text.parse::<Listen>().unwrap();
        assert_eq!(listen("off"), Listen::Off);
        assert_eq!(
            listen("eth0.7:5"),
            Listen::Interface { name: "eth0.7".to_owned(), ports: Some(5..=5) }
        );
        assert_eq!(listen("10.0.0.1"), Listen::Address { ip: v4("10.0.0.1"), ports: None });
        assert_eq!(listen("::1"), Listen::Address { ip: v4("::1"), ports: None });
        assert_eq!(listen("[::1]"), Listen::Address { ip: v4("::1"), ports: None });
        assert_eq!(listen("[::]:1-2"), Listen::Address { ip: v4("::"), ports: Some(1..=2) });
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_mend() {
        for (text, reason) in [
            ("", "neither an address nor"),
            ("a name with spaces", "neither an address nor"),
            ("sixteen-letters-", "neither an address nor"),
            ("eth0:", "a port is a number"),
            ("eth0:0", "a port is a number"),
            ("eth0:65536", "a port is a number"),
            ("eth0:5-", "a port is a number"),
            ("eth0:6-5", "ends before it begins"),
            ("[::1", "not closed"),
            ("[10.0.0.1]:5", "no address of IPv6"),
            ("[::1]5", "after the bracket"),
        ] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(error.contains("eth0:40000-40100"), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_first_free_port_of_a_range_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let full: Listen = format!("lo:{port}").parse().unwrap();
        let error = full.bind().unwrap_err().to_string();
        assert!(error.contains(&format!("cannot listen on lo:{port}: ")), "{error}");
        let range: Listen = format!("lo:{port}-{}", port.saturating_add(50)).parse().unwrap();
        let listener = range.bind().unwrap().expect("not off");
        let at = listener.local_addr().unwrap();
        assert!(at.ip().is_loopback() && at.port() > port, "{at}");
        assert_eq!(reachable(at).unwrap(), [at]);
    }

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let nowhere: Listen = "nowhere7".parse().unwrap();
        let error = nowhere.bind().unwrap_err().to_string();
        assert!(error.contains("\"nowhere7\"") && error.contains("lo"), "{error}");
        assert!(Listen::Off.bind().unwrap().is_none());
    }

    #[test]
    fn all_of_a_host_is_dialled_at_its_interfaces() {
        let all = reachable("0.0.0.0:7".parse().unwrap()).unwrap();
        assert!(all.iter().all(|at| at.is_ipv4() && !at.ip().is_loopback() && at.port() == 7));
    }
}
