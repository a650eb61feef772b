//! On which processing units the workers of a pool may run.

use std::io;

use crate::host::{Host, current_thread_mask, pin_current_thread};
use crate::model::{Core, Domain, Topology};

/// How far a worker is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// It may run wherever whoever starts it may.
    Free,
    /// It may run on any core of its domain that the pool has. So it stays near its memory, and
    /// where two pools or processes have the same cores the system can part them.
    Domain,
    /// It runs on its core and nowhere else.
    Core,
}

impl Binding {
    /// Binds the calling thread, which is to be the worker of `core` in `domain`.
    pub(super) fn bind(self, core: &Core, domain: &Domain) -> io::Result<()> {
        match self {
            Binding::Free => Ok(()),
            Binding::Domain => {
                stay_within(domain).map_err(|e| explain(&e, "keep a worker in the domain of", core))
            }
            Binding::Core => pin(core),
        }
    }
}

/// Binds the calling thread to a core.
pub(super) fn pin(core: &Core) -> io::Result<()> {
    pin_current_thread(&core.units).map_err(|e| explain(&e, "pin a worker to", core))
}

/// Says what could not be done, and for which core.
pub(super) fn explain(error: &io::Error, deed: &str, core: &Core) -> io::Error {
    let message = format!("could not {deed} core {} (units {:?}): {error}", core.id, core.units);
    io::Error::new(error.kind(), message)
}

/// Binds the calling thread to a domain, if it may leave that now; where nobody tells, it is left
/// as it is.
fn stay_within(domain: &Domain) -> io::Result<()> {
    let units: Vec<u32> = domain.cores.iter().flat_map(|core| &core.units).copied().collect();
    match current_thread_mask() {
        Ok(mask) if mask.iter().any(|unit| !units.contains(unit)) => pin_current_thread(&units),
        _ => Ok(()),
    }
}

/// The cores for a pool of which nothing is said, and how its workers are bound: all that the
/// calling thread may use, or, where a quota does not feed as many, so many of which nothing is
/// known.
pub(super) fn found() -> io::Result<(Topology, Binding)> {
    let host = Host::discover().map_err(io::Error::other)?;
    if !host.real {
        return Ok((host.allowed, Binding::Free));
    }
    let mine = match current_thread_mask() {
        // Not what the process may use: a thread of it may have been sent elsewhere.
        Ok(mask) => host.topology.restricted(|unit| mask.contains(&unit)),
        Err(_) => host.allowed.clone(),
    };
    let workers = mine.core_count().clamp(1, host.fed());
    if workers == mine.core_count() {
        return Ok((mine, Binding::Domain));
    }
    Ok((Topology::flat(u32::try_from(workers).unwrap_or(u32::MAX)), Binding::Free))
}
