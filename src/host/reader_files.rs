//! Reading a machine without hwloc: by the files that the Linux kernel shows.

use std::path::{Path, PathBuf};

use super::discover::Source;
use super::error::HostError;
use super::sysfs;
use crate::model::Topology;

pub(super) use super::sysfs::total_memory;

/// The machine below `root`; nothing if there is no word of it, as on other systems than Linux.
pub(super) fn machine(root: &Path) -> Result<Option<(Topology, Source)>, HostError> {
    match sysfs::topology(root) {
        Ok(topology) => Ok(Some((topology, Source::Sysfs))),
        Err(HostError::Unreadable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The machine in a file of hwloc's, which takes hwloc to read.
pub(super) fn xml_file(path: PathBuf) -> Result<Topology, HostError> {
    Err(HostError::XmlNeedsHwloc { path })
}
