//! Systems that tell of no affinity mask.

use std::io;
use std::thread;

/// The units that the process may run on: as many as the standard library sees.
pub(in crate::host) fn process_mask() -> io::Result<Vec<u32>> {
    let count = u32::try_from(thread::available_parallelism()?.get()).unwrap_or(u32::MAX);
    Ok((0..count).collect())
}

/// The units that the calling thread may run on: nobody tells.
pub(super) fn thread_mask() -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The unit on which the calling thread runs: nobody tells.
pub(super) fn unit() -> Option<u32> {
    None
}

/// The system's number of the calling thread: nobody needs it.
pub(super) fn thread() -> Option<i32> {
    None
}

/// See the one of the room: masks are not to be changed from here.
pub(super) fn keep_off(_: i32, _: u32) -> Option<Vec<u32>> {
    None
}

/// Pins the calling thread to the first of `units`, as far as the system heeds it.
pub(super) fn pin_to_all(units: &[u32]) -> io::Result<()> {
    units.first().map_or(Ok(()), |unit| super::pin_to_one(*unit))
}
