//! Which processing units a thread may run on.

use core_affinity::CoreId;
use std::io;

#[cfg(target_os = "linux")]
#[path = "affinity_linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "affinity_other.rs"]
mod os;

pub(super) use os::process_mask;

/// Systems number their units below this; a number above it is a mistake.
const END: u32 = 1 << 16;

/// Pins the calling thread to `units` (by the operating system's numbers): it runs on one of
/// them and nowhere else. Threads that it starts afterwards inherit that.
///
/// On Linux all of `units` are taken; elsewhere the first, as far as the system heeds it.
///
/// # Errors
/// `InvalidInput` if `units` is empty, or none of them is there and allowed.
///
/// # Examples
/// ```no_run
/// let core = evenkeel::host::Host::discover()?.allowed.cores().next().cloned();
/// if let Some(core) = core {
///     evenkeel::host::pin_current_thread(&core.units)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pin_current_thread(units: &[u32]) -> io::Result<()> {
    match *units {
        [] => Err(io::Error::new(io::ErrorKind::InvalidInput, "no unit to pin a thread to")),
        _ if units.iter().any(|unit| *unit >= END) => {
            let message = format!("no system has a unit numbered {END} or above: {units:?}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
        // The set that `core_affinity` makes holds 1024.
        [unit @ 0..1024] => pin_to_one(unit),
        _ => os::pin_to_all(units),
    }
}

fn pin_to_one(unit: u32) -> io::Result<()> {
    if core_affinity::set_for_current(CoreId { id: unit as usize }) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The units that the calling thread may run on.
///
/// # Errors
/// What the system says, or `Unsupported` where it says nothing.
pub fn current_thread_mask() -> io::Result<Vec<u32>> {
    os::thread_mask()
}

/// The unit on which the calling thread runs at this moment; `None` where nobody tells.
#[must_use]
pub fn current_unit() -> Option<u32> {
    os::unit()
}

/// The system's number of the calling thread, for [`keep_off`]; `None` where that does nothing.
pub(crate) fn current_thread() -> Option<i32> {
    os::thread()
}

/// Keeps a thread of this process off `unit` from now on, if it may run on another, and gives
/// back on what it was free to run before; `None` if nothing has changed.
pub(crate) fn keep_off(thread: i32, unit: u32) -> Option<Vec<u32>> {
    os::keep_off(thread, unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Runs `test` on a thread of its own, so that no other is pinned by it.
    fn on_a_thread(test: fn()) {
        thread::spawn(test).join().expect("the checks hold");
    }

    #[test]
    fn a_pinned_thread_may_run_on_its_units_alone() {
        on_a_thread(|| {
            let Ok(before) = current_thread_mask() else { return };
            pin_current_thread(&before).unwrap();
            assert_eq!(current_thread_mask().unwrap(), before);
            let last = *before.last().expect("a thread may run somewhere");
            pin_current_thread(&[last]).unwrap();
            assert_eq!(current_thread_mask().unwrap(), [last]);
        });
    }

    #[test]
    fn a_thread_is_kept_off_a_unit_only_if_it_may_run_on_another() {
        on_a_thread(|| {
            let (Ok(before), Some(thread)) = (current_thread_mask(), current_thread()) else {
                return;
            };
            let (first, others) = before.split_first().expect("a thread may run somewhere");
            assert_eq!(keep_off(thread, END), None);
            if others.is_empty() {
                assert_eq!(keep_off(thread, *first), None);
            } else {
                assert_eq!(keep_off(thread, *first).as_ref(), Some(&before));
                assert_eq!(current_thread_mask().unwrap(), others);
            }
            let left = current_thread_mask().unwrap();
            left.iter().skip(1).for_each(|unit| drop(keep_off(thread, *unit)));
            assert_eq!(keep_off(thread, left[0]), None);
            assert_eq!(current_thread_mask().unwrap(), left[..1]);
        });
    }

    #[test]
    fn what_is_not_there_is_refused_and_changes_nothing() {
        on_a_thread(|| {
            let Ok(before) = current_thread_mask() else { return };
            for units in [&[][..], &[1023], &[5000], &[5000, 5001], &[u32::MAX]] {
                let error = pin_current_thread(units).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{units:?}: {error}");
            }
            assert_eq!(current_thread_mask().unwrap(), before);
        });
    }
}
