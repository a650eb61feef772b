//! The one clock of a process.

use std::time::{Duration, Instant};

use crate::model::{Span, Time};

/// A monotonic clock that counts from the moment it was started. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
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
        Clock { epoch: Instant::now(), origin: time }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Time {
        self.origin + Span::from(self.epoch.elapsed())
    }

    /// The moment at which it shows `time`; that of its start if it never showed that.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        // A time too far off to be represented is as good as a century away.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        self.epoch + time.since(self.origin).as_duration().min(CENTURY)
    }
}
