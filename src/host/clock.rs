//! The one clock of a process.

use std::time::{Duration, Instant};

use crate::model::{Span, Time};

/// A monotonic clock that counts from the moment it was started. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that stands at [`Time::ZERO`] now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { epoch: Instant::now() }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::ZERO + Span::from(self.epoch.elapsed())
    }

    /// The moment at which it shows `time`.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        // A time too far off to be represented is as good as a century away.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        self.epoch + Duration::from_nanos(time.0).min(CENTURY)
    }
}
