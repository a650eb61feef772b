//! Binding a worker's thread to its core.

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Binds the calling thread to these processing units.
pub(super) fn pin_current_thread(units: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &unit in units {
        if unit as usize >= CpuSet::MAX_CPU {
            let message = format!("processing unit {unit} is beyond {}", CpuSet::MAX_CPU);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        set.set(unit as usize);
    }
    Ok(sched_setaffinity(None, &set)?)
}
