//! This host, or the one that it is told to be.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::affinity::process_mask;
use super::cgroup;
use super::error::HostError;
use super::reader;
use super::synthetic;
use super::unit;
use crate::model::Topology;
use crate::model::wire::{wire_enum, wire_struct};

/// A host as its operating system tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its name in the network.
    pub name: String,
    /// The same for all processes of one host until it starts again: clocks of one boot agree.
    /// Where the system has none, the host's name.
    pub boot_id: String,
    /// All units that are online.
    pub topology: Topology,
    /// Those that the affinity mask and the control groups leave to this process; all of them
    /// if the host is not real.
    pub allowed: Topology,
    /// Bytes that this process may use: the tightest limit of its control groups, or all there
    /// is; nothing if not known.
    pub memory: Option<u64>,
    /// The tightest limit on processor time, in CPUs: 2.5 is two and a half. Nothing if there
    /// is none.
    pub cpu_quota: Option<f64>,
    /// Where the topology is from.
    pub source: Source,
    /// Whether it is the machine that this process runs on. What is not real is for planning
    /// and tests: no thread may be pinned to it.
    pub real: bool,
}

/// Where a topology is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `/sys`.
    Sysfs,
    /// hwloc.
    Hwloc,
    /// `HWLOC_SYNTHETIC`.
    Synthetic,
    /// The file named by `HWLOC_XMLFILE`.
    XmlFile,
    /// Nowhere: a core for each unit that this process may use.
    Flat,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Sysfs => "/sys",
            Source::Hwloc => "hwloc",
            Source::Synthetic => "HWLOC_SYNTHETIC",
            Source::XmlFile => "HWLOC_XMLFILE",
            Source::Flat => "flat",
        })
    }
}

wire_struct! {
    Host { name, boot_id, topology, allowed, memory, cpu_quota, source, real }
}

wire_enum! {
    Source {
        0 => Sysfs,
        1 => Hwloc,
        2 => Synthetic,
        3 => XmlFile,
        4 => Flat,
    }
}

/// What the environment asks for in the place of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing: this machine.
    Machine,
    /// The machine that a description is of.
    Synthetic(String),
    /// The machine in a file of hwloc's.
    XmlFile(PathBuf),
    /// The machine whose `/sys` was recorded in a folder.
    Tree(PathBuf),
}

impl Host {
    /// Finds out about this host, or about the one that `HWLOC_SYNTHETIC`, `HWLOC_XMLFILE` or
    /// `HWLOC_FSROOT` puts in its place.
    ///
    /// The affinity mask is that of the main thread: call this before that is pinned.
    ///
    /// # Errors
    /// [`HostError`] if the environment asks for what cannot be had, or the kernel's files do
    /// not hold what they should. A machine of which nothing can be found out is no error but
    /// [`Source::Flat`].
    pub fn discover() -> Result<Host, HostError> {
        match asked(|name| env::var(name).ok())? {
            Asked::Machine => this_machine(Path::new("/")),
            Asked::Synthetic(text) => {
                Ok(other_machine(synthetic::topology(&text)?, Source::Synthetic))
            }
            Asked::XmlFile(path) => Ok(other_machine(reader::xml_file(path)?, Source::XmlFile)),
            Asked::Tree(path) => {
                let (topology, source) =
                    reader::machine(&path)?.ok_or(HostError::FsRoot { path })?;
                Ok(other_machine(topology, source))
            }
        }
    }

    /// How many workers make sense: one for each core that is allowed, and no more than the
    /// quota feeds.
    ///
    /// The quota is for all processes in the control group together: where several share this
    /// host, divide it first.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.allowed.core_count().min(self.fed()).max(1)
    }

    /// How many workers the quota feeds. Part of a CPU counts as one, since leaving it idle costs
    /// more than sharing it does; at least one.
    #[must_use]
    pub fn fed(&self) -> usize {
        // `as` saturates; a quota is never negative.
        self.cpu_quota.map_or(usize::MAX, |quota| (quota.ceil() as usize).max(1))
    }
}

/// The machine whose files are below `root`, as this process may use it.
fn this_machine(root: &Path) -> Result<Host, HostError> {
    let limits = cgroup::limits(root);
    let mask: BTreeSet<u32> = process_mask().map_err(HostError::Affinity)?.into_iter().collect();
    let usable = |unit| {
        mask.contains(&unit) && limits.units.as_ref().is_none_or(|units| units.contains(&unit))
    };
    let seen = reader::machine(root)?.map(|(all, source)| (all.restricted(usable), all, source));
    let (allowed, topology, source) = match seen {
        // A container may show other numbers than those in the mask.
        Some(seen) if !seen.0.domains.is_empty() => seen,
        _ => {
            let flat = unit::flat(mask.iter().copied());
            (flat.clone(), flat, Source::Flat)
        }
    };
    let total = reader::total_memory(root)?.or_else(|| memory_of(&topology));
    let name = name();
    Ok(Host {
        boot_id: boot_id(root).unwrap_or_else(|| name.clone()),
        name,
        topology,
        allowed,
        memory: limits.memory.into_iter().chain(total).min(),
        cpu_quota: limits.cpu_quota,
        source,
        real: true,
    })
}

/// A machine that stands in for this one: all of it is allowed, none of it is real.
fn other_machine(topology: Topology, source: Source) -> Host {
    let name = name();
    Host {
        boot_id: boot_id(Path::new("/")).unwrap_or_else(|| name.clone()),
        name,
        allowed: topology.clone(),
        memory: memory_of(&topology),
        topology,
        cpu_quota: None,
        source,
        real: false,
    }
}

fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What the environment asks for. An empty variable counts as not set.
fn asked(env: impl Fn(&str) -> Option<String>) -> Result<Asked, HostError> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(|value| (name, value));
    let names = ["HWLOC_SYNTHETIC", "HWLOC_XMLFILE", "HWLOC_FSROOT"];
    let mut found = names.into_iter().filter_map(set);
    let Some((first, value)) = found.next() else { return Ok(Asked::Machine) };
    if let Some((second, _)) = found.next() {
        return Err(HostError::Ambiguous { first, second });
    }
    Ok(match first {
        "HWLOC_SYNTHETIC" => Asked::Synthetic(value),
        "HWLOC_XMLFILE" => Asked::XmlFile(value.into()),
        _ => Asked::Tree(value.into()),
    })
}

fn boot_id(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("proc/sys/kernel/random/boot_id")).ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The memory of all domains; nothing where none is told of.
fn memory_of(topology: &Topology) -> Option<u64> {
    Some(topology.domains.iter().map(|d| d.memory).sum()).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_bounded_by_cores_and_by_the_quota() {
        let mut host = other_machine(Topology::flat(8), Source::Flat);
        let workers = [None, Some(2.5), Some(0.2), Some(64.0)].map(|quota| {
            host.cpu_quota = quota;
            host.workers()
        });
        assert_eq!(workers, [8, 3, 1, 8]);
        host.allowed = Topology::default();
        assert_eq!(host.workers(), 1);
    }

    #[test]
    fn an_empty_variable_asks_for_nothing() {
        assert_eq!(asked(|_| None).unwrap(), Asked::Machine);
        assert_eq!(asked(|_| Some(String::new())).unwrap(), Asked::Machine);
        let tree = asked(|name| (name == "HWLOC_FSROOT").then(|| "/t".to_owned())).unwrap();
        assert_eq!(tree, Asked::Tree("/t".into()));
    }

    #[test]
    fn limits_narrow_what_this_machine_offers() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        write("proc/meminfo", "MemTotal: 8388608 kB\n");
        write("proc/sys/kernel/random/boot_id", "b00t\n");
        write("proc/self/mountinfo", "3 2 0:30 / /groups rw - cgroup2 cgroup2 rw\n");
        write("proc/self/cgroup", "0::/job\n");
        write("groups/job/memory.max", "1073741824\n");
        write("groups/job/cpu.max", "50000 100000\n");
        let host = this_machine(root.path()).unwrap();
        assert_eq!(host.boot_id, "b00t");
        assert_eq!(host.memory, Some(1 << 30));
        assert_eq!(host.cpu_quota, Some(0.5));
        assert_eq!(host.workers(), 1);
        write("groups/job/memory.max", "max\n");
        assert_eq!(this_machine(root.path()).unwrap().memory, Some(8 << 30));
    }
}
