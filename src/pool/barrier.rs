//! A fence whose cost falls on one side only.
//!
//! Two threads that each write one place and then read the other's need a full fence on both
//! sides, or both may miss what the other wrote. Where one side does it billions of times and the
//! other when it has nothing better to do, the rare side can pay for both: [`heavy`] has the
//! kernel run a full fence on every processor that runs a thread of this process (`membarrier`,
//! Linux 4.14), so that [`light`] need only keep the compiler from reordering.
//!
//! For any pair of them: what was written before the one is seen by what is read after the other,
//! at least in one of the two directions.

use std::sync::LazyLock;
use std::sync::atomic::{Ordering, compiler_fence};

/// Whether the kernel lets this process use the barrier; asks it the first time.
pub(super) fn is_there() -> bool {
    static REGISTERED: LazyLock<bool> = LazyLock::new(os::register);
    *REGISTERED
}

/// The side that is passed often: nothing but a promise of the compiler.
#[inline]
pub(super) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The side that is passed seldom: some microseconds, and a short interruption of each of the
/// other threads of the process that is running. `false` where there is no barrier: then neither
/// side may have seen the other.
#[must_use]
pub(super) fn heavy() -> bool {
    let reached = is_there();
    if reached {
        os::reach_all();
    }
    reached
}

#[cfg(target_os = "linux")]
mod os {
    pub(super) fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0
    }

    pub(super) fn reach_all() {
        let done = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        // Registered, it cannot fail; going on as if it had not would lose work.
        assert_eq!(done, 0, "membarrier failed: {}", std::io::Error::last_os_error());
    }

    fn membarrier(command: libc::c_int) -> libc::c_long {
        // SAFETY: the call takes three integers and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn reach_all() {}
}
