//! Time as whole nanoseconds: a point ([`Time`]) and a length ([`Span`]).
//!
//! Integers, so that a simulation gives the same log on every machine and two spans that
//! should be equal are.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

const NANOS: f64 = 1e9;

/// A point in time: nanoseconds since the start of the run, by the clock of whoever says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);

    /// Seconds since the start of the run.
    #[must_use]
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / NANOS
    }

    /// How long after `earlier` this is; nothing if it is not after.
    #[must_use]
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `n` whole seconds.
    #[must_use]
    pub const fn from_secs(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000_000))
    }

    /// `n` milliseconds.
    #[must_use]
    pub const fn from_millis(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000))
    }

    /// `n` microseconds.
    #[must_use]
    pub const fn from_micros(n: u64) -> Span {
        Span(n.saturating_mul(1_000))
    }

    /// Seconds, rounded to the nearest nanosecond; negative and not-a-number become zero,
    /// what is too long becomes the longest span.
    #[must_use]
    pub fn from_secs_f64(seconds: f64) -> Span {
        // `as` saturates and maps NaN to 0, which is the documented rule.
        Span((seconds * NANOS).round() as u64)
    }

    /// This span in seconds.
    #[must_use]
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / NANOS
    }

    /// This span times `factor` (not negative), rounded to the nearest nanosecond.
    #[must_use]
    pub fn scale(self, factor: f64) -> Span {
        Span((self.0 as f64 * factor).round() as u64)
    }

    /// The standard library's form.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Span {
    fn from(value: Duration) -> Span {
        Span(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, rhs: Span) -> Time {
        Time(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, rhs: Span) {
        *self = *self + rhs;
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, rhs: Span) -> Span {
        Span(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, rhs: Span) {
        *self = *self + rhs;
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, rhs: Span) -> Span {
        Span(self.0.saturating_sub(rhs.0))
    }
}

impl std::iter::Sum for Span {
    fn sum<I: Iterator<Item = Span>>(iter: I) -> Span {
        iter.fold(Span::ZERO, Add::add)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Span(self.0), f)
    }
}

impl fmt::Display for Span {
    /// Three significant places in the unit that suits the size: `850 ns`, `1.20 ms`,
    /// `3.00 s`, `2m05s`, `1h02m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        match self.0 {
            0 => write!(f, "0 s"),
            1..1_000 => write!(f, "{} ns", self.0),
            1_000..1_000_000 => write!(f, "{:.2} µs", n / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.2} ms", n / 1e6),
            1_000_000_000..100_000_000_000 => write!(f, "{:.2} s", n / NANOS),
            _ => {
                let s = self.0 / 1_000_000_000;
                let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
                if h > 0 { write!(f, "{h}h{m:02}m") } else { write!(f, "{m}m{s:02}s") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
        assert_eq!(Time(u64::MAX) + Span(1), Time(u64::MAX));
        assert_eq!(Span::from_secs_f64(-1.0), Span::ZERO);
        assert_eq!(Span::from_secs_f64(f64::NAN), Span::ZERO);
        assert_eq!(Span::from_secs_f64(1e300), Span(u64::MAX));
    }

    #[test]
    fn spans_print_in_a_unit_that_suits_them() {
        let shown: Vec<String> =
            [0, 850, 1_200_000, 3_000_000_000, 125_000_000_000, 3_720_000_000_000]
                .map(|n| Span(n).to_string())
                .into();
        assert_eq!(shown, ["0 s", "850 ns", "1.20 ms", "3.00 s", "2m05s", "1h02m"]);
    }
}
