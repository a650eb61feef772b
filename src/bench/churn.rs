//! Work of a given length.

/// Works on `x` for so many rounds, each some processor cycles long and in need of the one
/// before: the generator xorshift64 (Marsaglia, 2003), which no compiler cuts short.
#[must_use]
pub fn churn(mut x: u64, rounds: u32) -> u64 {
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}
