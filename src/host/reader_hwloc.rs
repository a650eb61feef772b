//! Reading a machine through hwloc.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::discover::Source;
use super::error::HostError;
use super::hwloc;
use super::sysfs;
use super::unit::default_distance;
use crate::model::Topology;

pub(super) use super::sysfs::total_memory;

/// The machine below `root`, which is `/` or what `HWLOC_FSROOT` names; nothing if there is no
/// word of it.
pub(super) fn machine(root: &Path) -> Result<Option<(Topology, Source)>, HostError> {
    let seen = hwloc::topology(sysfs::distances_below(root)?);
    let wanted = |seen: &hwloc::Seen| root == Path::new("/") || !is_fallback(seen);
    Ok(seen.filter(wanted).map(|seen| (seen.topology, Source::Hwloc)))
}

/// The machine in the file that `HWLOC_XMLFILE` names.
pub(super) fn xml_file(path: PathBuf) -> Result<Topology, HostError> {
    if let Err(error) = File::open(&path) {
        return Err(HostError::XmlFile { path, reason: error.to_string() });
    }
    let seen = hwloc::topology(default_distance).filter(|seen| !is_fallback(seen));
    seen.map(|seen| seen.topology).ok_or_else(|| {
        let reason = "hwloc does not understand it; `lstopo FILE.xml` writes one".to_owned();
        HostError::XmlFile { path, reason }
    })
}

/// Whether hwloc silently turned to this machine since it could make nothing of what it was
/// pointed to. `HWLOC_THISSYSTEM` makes it say so of any machine, so that nothing can be told.
fn is_fallback(seen: &hwloc::Seen) -> bool {
    seen.this_system && env::var_os("HWLOC_THISSYSTEM").is_none()
}
