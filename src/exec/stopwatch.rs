//! When kernels that run one after the other start and end, and what processor time they take.

#![forbid(unsafe_code)]

use rustix::time::{ClockId, clock_gettime};

use crate::host::Clock;
use crate::model::{Span, Time};

/// The system is asked for processor time at the end of a kernel if it was not for so long. It takes
/// almost a microsecond to tell, and the shortest kernels a tenth of one to run. What ends in between
/// counts as having had its core all the time: a thread that loses it comes back later than that.
const APART: Span = Span::from_micros(20);

/// For a thread that does nothing but run kernels.
pub(super) struct Stopwatch {
    clock: Clock,
    start: Time,
    /// The last answer of the system, if it is asked.
    told: Option<Told>,
}

/// What a thread has used until a moment.
#[derive(Clone, Copy)]
struct Told {
    at: Time,
    used: Span,
}

/// What one kernel took.
pub(super) struct Lap {
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) cpu: Span,
}

impl Stopwatch {
    /// The first kernel starts now. Where it `is_alone`, the time of the calling thread is all that is
    /// used for it; else processor time is not told.
    pub(super) fn start(clock: Clock, is_alone: bool) -> Stopwatch {
        let told = is_alone.then(|| Told::now(clock));
        let start = told.map_or_else(|| clock.now(), |told| told.at);
        Stopwatch { clock, start, told }
    }

    /// When the kernel started that runs, or is to.
    pub(super) fn started(&self) -> Time {
        self.start
    }

    /// It has ended, and the next one starts.
    pub(super) fn lap(&mut self) -> Lap {
        let (start, end) = (self.start, self.clock.now());
        self.start = end;
        let cpu = match &mut self.told {
            None => Span::ZERO,
            Some(told) if end.since(told.at) < APART => end.since(start),
            Some(told) => {
                let before = std::mem::replace(told, Told::now(self.clock));
                // Asking is no part of the next one.
                self.start = told.at;
                cpu(told.used - before.used, start.since(before.at), end.since(start))
            }
        };
        Lap { start, end, cpu }
    }
}

/// The processor time of a kernel that `took` so long, if so much was `used` by it and by those
/// `before` it since the system was asked last.
fn cpu(used: Span, before: Span, took: Span) -> Span {
    Span(used.0.saturating_sub(before.0)).min(took)
}

impl Told {
    fn now(clock: Clock) -> Told {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let used = Span::from_secs(time.tv_sec.unsigned_abs()) + Span(time.tv_nsec.unsigned_abs());
        Told { at: clock.now(), used }
    }
}

#[cfg(test)]
mod tests {
    use std::hint;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_came_before_is_taken_off_and_no_kernel_used_more_than_it_took() {
        let [none, three, four, ten] = [0, 3, 4, 10].map(Span::from_micros);
        assert_eq!(cpu(ten, three, ten), Span::from_micros(7));
        assert_eq!(cpu(ten, three, four), four);
        // One of those before had lost its core after all.
        assert_eq!(cpu(three, four, ten), none);
    }

    #[test]
    fn laps_lie_end_to_end_and_who_sleeps_uses_no_processor() {
        let mut stopwatch = Stopwatch::start(Clock::start(), true);
        let mut laps = vec![stopwatch.lap()];
        thread::sleep(Duration::from_millis(50));
        laps.push(stopwatch.lap());
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            hint::spin_loop();
        }
        laps.push(stopwatch.lap());
        assert!(
            laps.is_sorted_by(|a, b| a.end <= b.start),
            "none starts before the last has ended"
        );
        let took = |lap: &Lap| lap.end.since(lap.start);
        assert!(laps.iter().all(|lap| lap.cpu <= took(lap)));
        let [asleep, busy] = [&laps[1], &laps[2]];
        assert!(asleep.cpu.0 < took(asleep).0 / 2, "{} of {}", asleep.cpu, took(asleep));
        // How much of it others had is not known, but it spun until it was over.
        assert!(busy.cpu > Span::ZERO, "{} of {}", busy.cpu, took(busy));
    }

    #[test]
    fn the_time_of_one_thread_is_not_told_as_that_of_several() {
        let mut stopwatch = Stopwatch::start(Clock::start(), false);
        thread::sleep(Duration::from_millis(1));
        assert_eq!(stopwatch.lap().cpu, Span::ZERO);
    }
}
