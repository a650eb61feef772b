//! Affinity masks of any length. (`rustix` and `libc` have sets of 1024 units, and the kernel
//! refuses to tell a mask that is shorter than what it has room for.)

use std::io;

/// Bits in a word of a mask.
const BITS: usize = u64::BITS as usize;

/// The units that the process may run on: those of its main thread.
pub(in crate::host) fn process_mask() -> io::Result<Vec<u32>> {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    mask(pid)
}

/// The units that the calling thread may run on.
pub(super) fn thread_mask() -> io::Result<Vec<u32>> {
    mask(0)
}

/// The unit on which the calling thread runs.
pub(super) fn unit() -> Option<u32> {
    u32::try_from(rustix::thread::sched_getcpu()).ok()
}

/// The units that thread `tid` may run on, the calling one if 0.
fn mask(tid: libc::pid_t) -> io::Result<Vec<u32>> {
    // Doubled until the kernel's own mask fits; it knows of no more than 2^13 units today.
    for words in (4..=14).map(|power| 1_usize << power) {
        let mut mask = vec![0_u64; words];
        let bytes = size_of_val(mask.as_slice());
        // SAFETY: the kernel writes at most `bytes` bytes to the pointer, which is to that many
        // bytes of plain numbers that live until the call is over.
        let result = unsafe { libc::sched_getaffinity(tid, bytes, mask.as_mut_ptr().cast()) };
        if result == 0 {
            let is_set = |unit: &usize| mask[unit / BITS] >> (unit % BITS) & 1 == 1;
            return Ok((0..words * BITS).filter(is_set).map(|unit| unit as u32).collect());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// The system's number of the calling thread.
pub(super) fn thread() -> Option<i32> {
    Some(rustix::thread::gettid().as_raw_nonzero().get())
}

/// See the one of the room.
pub(super) fn keep_off(thread: i32, unit: u32) -> Option<Vec<u32>> {
    let before = mask(thread).ok()?;
    let left: Vec<u32> = before.iter().copied().filter(|other| *other != unit).collect();
    (!left.is_empty() && left.len() < before.len() && pin(thread, &left).is_ok()).then_some(before)
}

/// Pins the calling thread to `units`, which are not empty and bounded by the caller.
pub(super) fn pin_to_all(units: &[u32]) -> io::Result<()> {
    pin(0, units)
}

/// Pins thread `tid`, the calling one if 0.
fn pin(tid: libc::pid_t, units: &[u32]) -> io::Result<()> {
    let highest = units.iter().copied().max().unwrap_or(0) as usize;
    let mut mask = vec![0_u64; highest / BITS + 1];
    for unit in units {
        mask[*unit as usize / BITS] |= 1 << (*unit as usize % BITS);
    }
    let bytes = size_of_val(mask.as_slice());
    // SAFETY: the kernel reads `bytes` bytes from the pointer, which is to that many bytes of
    // plain numbers that live until the call is over.
    let result = unsafe { libc::sched_setaffinity(tid, bytes, mask.as_ptr().cast()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
