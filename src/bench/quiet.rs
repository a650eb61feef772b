//! What the other threads of this process use, and the wait for them to go to sleep.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The processor time that the other threads of this process have used.
pub(super) fn time_of_others() -> Duration {
    let of = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    };
    // This thread's first, and it uses some before the other is read: never less than nothing.
    let own = of(ClockId::ThreadCPUTime);
    of(ClockId::ProcessCPUTime).saturating_sub(own)
}

/// Waits until the threads of whoever ran before have stopped looking for work: OpenMP's do so
/// for milliseconds. One that never stops is not waited for.
pub(super) fn until_quiet() {
    const PATIENCE: u32 = 50;
    for _ in 0..PATIENCE {
        let (start, before) = (Instant::now(), time_of_others());
        thread::sleep(Duration::from_millis(1));
        let used = time_of_others().saturating_sub(before);
        if used < start.elapsed() / 20 {
            return;
        }
    }
}
