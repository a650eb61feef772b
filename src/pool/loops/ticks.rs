//! A clock that is read in a few nanoseconds.

/// The time in ticks, of which each is of the order of a nanosecond. The clocks of two cores need
/// not agree.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn ticks() -> u64 {
    // SAFETY: it reads a register that all of these processors have.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// The time in ticks, of which each is of the order of a nanosecond.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn ticks() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}
