//! The one clock of a process.

use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::model::{Span, Time};

/// Goes on while the machine is suspended: a lease ends for those who wait for it elsewhere, and has
/// to end for who slept.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A clock that never goes back and counts from the moment it was started, the sleep of the machine
/// among it where the system can tell. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Duration,
    origin: Time,
}

impl Clock {
    /// A clock that stands at [`Time::ZERO`] now.
    #[must_use]
    pub fn start() -> Clock {
        Clock::start_at(Time::ZERO)
    }

    /// A clock that stands at `time` now: it goes on where another one ended.
    #[must_use]
    pub fn start_at(time: Time) -> Clock {
        Clock { began: reading(), origin: time }
    }

    /// A clock that stood at [`Time::ZERO`] at `zero`, by the time of day; it shows no less than `least`
    /// now.
    #[must_use]
    pub fn since(zero: SystemTime, least: Time) -> Clock {
        let (day, began) = day_and_reading();
        let since = day.duration_since(zero).unwrap_or_default();
        Clock { began, origin: least.max(Time::ZERO + Span::from(since)) }
    }

    /// When it stood at [`Time::ZERO`], by the time of day as it is now.
    #[must_use]
    pub fn zero(&self) -> SystemTime {
        let (day, reading) = day_and_reading();
        let elapsed = self.at(reading).since(Time::ZERO).as_duration();
        day.checked_sub(elapsed).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Time {
        self.at(reading())
    }

    fn at(&self, reading: Duration) -> Time {
        self.origin + Span::from(reading.saturating_sub(self.began))
    }

    /// The moment at which it shows `time`, if the machine does not sleep until then; now if that is
    /// past.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        // A time too far off to be represented is as good as a century away.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        Instant::now() + time.since(self.now()).as_duration().min(CENTURY)
    }
}

fn reading() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(CLOCK);
    let seconds = u64::try_from(tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(tv_nsec).unwrap_or(0))
}

/// The time of day and a reading of the same moment, as nearly as can be had: between one and the other
/// a thread may have to wait for a core.
fn day_and_reading() -> (SystemTime, Duration) {
    const TRIES: usize = 16;
    let pair = || {
        let (before, day) = (reading(), SystemTime::now());
        let took = reading().saturating_sub(before);
        (took, day, before + took / 2)
    };
    let first = pair();
    let pairs = std::iter::once(first).chain((1..TRIES).map(|_| pair()));
    let (_, day, reading) = pairs.min_by_key(|(took, ..)| *took).unwrap_or(first);
    (day, reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_found_again_by_its_zero() {
        let hour = Span::from_secs(3600);
        let clock = Clock::start_at(Time::ZERO + hour);
        let found = Clock::since(clock.zero(), Time::ZERO);
        let (before, shown, after) = (clock.now(), found.now(), clock.now());
        // Both have to be pinned to the time of day, each to some microseconds.
        let slack = Span::from_millis(1);
        assert!(before <= shown + slack && shown <= after + slack, "{before} {shown} {after}");
        let least = Time::ZERO + hour + hour;
        assert!(Clock::since(clock.zero(), least).now() >= least);
        assert!(
            Clock::since(SystemTime::now() + hour.as_duration(), Time::ZERO).now() < Time(hour.0)
        );
    }

    #[test]
    fn a_clock_goes_on_from_where_it_was_started_and_knows_when_it_will_show_a_time() {
        let from = Time::ZERO + Span::from_secs(7);
        let clock = Clock::start_at(from);
        let (first, second) = (clock.now(), clock.now());
        assert!(from <= first && first <= second && second < from + Span::from_secs(5));
        let before = Instant::now();
        assert!(clock.instant(from) <= Instant::now());
        let hour = clock.instant(clock.now() + Span::from_secs(3600));
        assert!(hour >= before + Duration::from_secs(3599));
        assert!(clock.instant(Time(u64::MAX)) > hour);
    }
}
