//! A hint to the processor.

/// Has the cache line of `place` brought near to be written, where the processor takes such hints.
#[inline]
pub(crate) fn prefetch(place: *const ()) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint may be given for any address; nothing is read.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_ET0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
