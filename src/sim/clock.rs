//! The clock of one simulated process: set differently from the others, and running apart.

use crate::model::{Span, Time};

/// Maps the time of the simulation to what a process reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// What it showed when the simulation began.
    pub(super) offset: Span,
    /// How much it gains, in parts in a thousand million.
    pub(super) gain: i32,
}

impl Clock {
    /// What it shows at `at`.
    pub(super) fn read(self, at: Time) -> Time {
        let gained = i128::from(at.0) * i128::from(self.gain) / 1_000_000_000;
        let shown = i128::from(self.offset.0) + i128::from(at.0) + gained;
        // A gain is far below one part in one, so that this never falls below zero.
        Time(u64::try_from(shown).unwrap_or(u64::MAX))
    }

    /// When it first shows `reading` or more.
    pub(super) fn when(self, reading: Time) -> Time {
        let run = i128::from(reading.since(Time::ZERO + self.offset).0);
        let at = run * 1_000_000_000 / (1_000_000_000 + i128::from(self.gain));
        let mut at = Time(u64::try_from(at).unwrap_or(u64::MAX).saturating_sub(2));
        while self.read(at) < reading && at.0 < u64::MAX {
            at.0 += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_reached_and_not_overshot() {
        for gain in [-50_000, -7, 0, 13, 50_000] {
            let clock = Clock { offset: Span::from_secs(7), gain };
            for at in [0, 1, 999_999_999, 123_456_789_012_345] {
                let reading = clock.read(Time(at)) + Span(5);
                let when = clock.when(reading);
                assert!(clock.read(when) >= reading);
                assert!(when.0 == 0 || clock.read(Time(when.0 - 1)) < reading);
            }
        }
    }
}
