//! Numbers that look random, from a seed that is printed.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// From the variable `EVENKEEL_SEED`, or a new seed each time.
    pub(crate) fn new() -> Random {
        let said = std::env::var("EVENKEEL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = said.unwrap_or_else(|| RandomState::new().hash_one(0));
        eprintln!("EVENKEEL_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}
