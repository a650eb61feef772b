//! The topology as the Linux kernel tells it under `/sys/devices/system`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::HostError;
use super::list;
use super::unit::{Unit, assemble, default_distance};
use crate::model::Topology;

/// The topology of the processing units that are online, read below `root` (`/`, or the folder
/// of a recorded tree).
///
/// What the kernel does not tell is assumed: a unit without siblings is a core of its own, a
/// host without NUMA is one domain, a package without a word on caches shares one.
///
/// # Errors
/// [`HostError::Unreadable`] if there is no list of units that are online,
/// [`HostError::Malformed`] if a file does not hold what the kernel writes there.
pub fn topology(root: &Path) -> Result<Topology, HostError> {
    let cpus = root.join("sys/devices/system/cpu");
    let online = File::required(cpus.join("online"))?.list()?;
    let nodes = nodes(root)?;
    let domain_of = |id: u32| {
        let holds = nodes.iter().find(|(_, node)| node.units.contains(&id));
        holds.or_else(|| nodes.iter().next()).map_or(0, |(number, _)| *number)
    };
    let unit = |id: &u32| read_unit(&cpus.join(format!("cpu{id}")), *id, domain_of(*id));
    let units = online.iter().map(unit).collect::<Result<_, _>>()?;
    let whole = if nodes.is_empty() { total_memory(root)?.unwrap_or(0) } else { 0 };
    let memory = |number| nodes.get(&number).map_or(whole, |node| node.memory);
    Ok(assemble(units, memory, distances(&nodes)))
}

/// The memory of the whole host in bytes by `/proc/meminfo` below `root`; nothing where there is
/// no such file.
pub(super) fn total_memory(root: &Path) -> Result<Option<u64>, HostError> {
    File::optional(root.join("proc/meminfo"))?.map(|file| file.memory()).transpose()
}

/// A unit by its folder.
fn read_unit(folder: &Path, id: u32, domain: u32) -> Result<Unit, HostError> {
    let topology = folder.join("topology");
    let package = match File::optional(topology.join("physical_package_id"))? {
        // Some virtual machines and boards say -1: not known.
        Some(file) => u32::try_from(file.number()?).unwrap_or(0),
        None => 0,
    };
    // `core_cpus_list` is the newer name of `thread_siblings_list`; kernels that have both say
    // the same in both.
    let siblings = match File::optional(topology.join("core_cpus_list"))? {
        Some(file) => Some(file),
        None => File::optional(topology.join("thread_siblings_list"))?,
    };
    let core = match siblings {
        Some(file) => file.list()?.first().copied().unwrap_or(id),
        None => id,
    };
    Ok(Unit { id, core, package, cache: last_level_cache(&folder.join("cache"))?, domain })
}

/// The first of the units that share the cache of the highest level.
fn last_level_cache(folder: &Path) -> Result<Option<u32>, HostError> {
    let mut highest = 0;
    let mut first = None;
    for index in 0.. {
        let cache = folder.join(format!("index{index}"));
        let Some(level) = File::optional(cache.join("level"))? else { break };
        let level = level.number()?;
        if level <= highest {
            continue;
        }
        let Some(shared) = File::optional(cache.join("shared_cpu_list"))? else { continue };
        if let Some(unit) = shared.list()?.first() {
            (highest, first) = (level, Some(*unit));
        }
    }
    Ok(first)
}

/// A NUMA domain as the kernel sees it, with or without units.
struct Node {
    units: BTreeSet<u32>,
    memory: u64,
    /// To each of the nodes that are online, in the order of their numbers.
    distances: Vec<u32>,
}

/// The NUMA domains that are online, by number; none where the kernel was built without.
fn nodes(root: &Path) -> Result<BTreeMap<u32, Node>, HostError> {
    let folder = root.join("sys/devices/system/node");
    let Some(online) = File::optional(folder.join("online"))? else {
        return Ok(BTreeMap::new());
    };
    let read = |number: u32| {
        let node = folder.join(format!("node{number}"));
        let units = File::required(node.join("cpulist"))?.list()?;
        let memory = File::optional(node.join("meminfo"))?.map_or(Ok(0), |file| file.memory())?;
        let distances =
            File::optional(node.join("distance"))?.map_or(Ok(vec![]), |file| file.numbers())?;
        Ok((number, Node { units, memory, distances }))
    };
    online.list()?.into_iter().map(read).collect()
}

/// The distances below `root` between NUMA domains by number; the default where nothing is told.
///
/// # Errors
/// As [`topology`].
#[cfg(feature = "hwloc")]
pub(super) fn distances_below(root: &Path) -> Result<impl Fn(u32, u32) -> u32, HostError> {
    let nodes = nodes(root)?;
    Ok(move |from, to| distances(&nodes)(from, to))
}

fn distances(nodes: &BTreeMap<u32, Node>) -> impl Fn(u32, u32) -> u32 {
    |from, to| {
        let column = nodes.keys().position(|number| *number == to);
        let told = nodes.get(&from).zip(column).and_then(|(n, c)| n.distances.get(c).copied());
        told.unwrap_or_else(|| default_distance(from, to))
    }
}

/// A small file of the kernel's and where it lies, for errors.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn required(path: PathBuf) -> Result<File, HostError> {
        match fs::read_to_string(&path) {
            Ok(text) => Ok(File { path, text }),
            Err(error) => Err(HostError::Unreadable { path, error }),
        }
    }

    /// Nothing if it is not there.
    fn optional(path: PathBuf) -> Result<Option<File>, HostError> {
        match File::required(path) {
            Ok(file) => Ok(Some(file)),
            Err(HostError::Unreadable { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> Result<BTreeSet<u32>, HostError> {
        list::parse(&self.text).ok_or_else(|| self.malformed("a list like 0-3,8"))
    }

    fn number(&self) -> Result<i64, HostError> {
        self.text.trim().parse().map_err(|_| self.malformed("a number"))
    }

    fn numbers(&self) -> Result<Vec<u32>, HostError> {
        let numbers: Result<_, _> = self.text.split_whitespace().map(str::parse).collect();
        numbers.map_err(|_| self.malformed("numbers with spaces between them"))
    }

    /// The bytes in `MemTotal: 24684084 kB`.
    fn memory(&self) -> Result<u64, HostError> {
        let total = self.text.lines().find_map(|line| line.split_once("MemTotal:"));
        let kib = total.and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| self.malformed("a line `MemTotal: n kB`"))
    }

    fn malformed(&self, expected: &'static str) -> HostError {
        let text = self.text.trim().chars().take(80).collect();
        HostError::Malformed { path: self.path.clone(), text, expected }
    }
}
