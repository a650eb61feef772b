//! Endings that may be a part of the end of all.
//!
//! A launcher or a batch system that ends a run, or a host of it, may send its signal to every process,
//! tasks among them. Then a task can die of it, and be told of, before this process has heard of it,
//! or has died likewise.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::model::{AttemptKey, Exit, Finish};
use crate::sched::Event;

/// How long it takes at most until this process hears of the same signal.
const DOUBT: Duration = Duration::from_millis(200);

/// Endings that wait until it is clear what they are.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Attempts that were told to end.
    stopped: BTreeSet<AttemptKey>,
    /// It was said that the run is to end, or this process to leave.
    told: bool,
    waiting: Vec<(Instant, Finish)>,
}

impl Doubts {
    /// An attempt is told to end.
    pub(super) fn stop(&mut self, key: AttemptKey) {
        self.stopped.insert(key);
    }

    /// Takes an event in, and gives it back with all that is not in doubt any more.
    pub(super) fn sift(&mut self, event: Event, now: Instant) -> Vec<Event> {
        match event {
            Event::Ended(mut finishes) => {
                let doubtful = finishes.extract_if(.., |finish| {
                    let stopped = self.stopped.remove(&finish.key);
                    is_in_doubt(finish.ending.exit) && !stopped && !self.told
                });
                self.waiting.extend(doubtful.map(|finish| (now + DOUBT, finish)));
                ended(finishes)
            }
            // It had not begun: there is no ending.
            Event::Withdrawn(ref launches) => {
                launches.iter().for_each(|launch| _ = self.stopped.remove(&launch.key));
                vec![event]
            }
            Event::Interrupt | Event::Drain => {
                self.told = true;
                let waiting = std::mem::take(&mut self.waiting);
                let waited = ended(waiting.into_iter().map(|(_, finish)| finish).collect());
                [event].into_iter().chain(waited).collect()
            }
            _ => vec![event],
        }
    }

    /// What has waited for long enough: it ended like that by itself.
    pub(super) fn settled(&mut self, now: Instant) -> Vec<Event> {
        let settled = self.waiting.extract_if(.., |(until, _)| *until <= now);
        ended(settled.map(|(_, finish)| finish).collect())
    }

    /// When something has waited for long enough.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|(until, _)| *until).min()
    }
}

/// Whether something from outside may have ended it, and be about to end this process as well: who
/// kills all processes of a host, or of a step, begins with some.
fn is_in_doubt(exit: Exit) -> bool {
    const KILL: i32 = 9;
    const SHELL: i32 = 128;
    exit.is_by_request() || exit == Exit::Signal(KILL) || exit == Exit::Code(SHELL + KILL)
}

fn ended(finishes: Vec<Finish>) -> Vec<Event> {
    if finishes.is_empty() { Vec::new() } else { vec![Event::Ended(finishes)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, Ending, Epoch, JobId, TaskId, Time};

    fn key(task: u32) -> AttemptKey {
        AttemptKey { job: JobId(0), task: TaskId(task), attempt: Attempt(1), epoch: Epoch(1) }
    }

    fn ended(task: u32, exit: Exit) -> Event {
        let ending = Ending::new(exit, None);
        Event::Ended(vec![Finish { key: key(task), start: Time::ZERO, end: Time::ZERO, ending }])
    }

    #[test]
    fn a_death_of_a_signal_waits_for_word_that_all_is_to_end() {
        let now = Instant::now();
        let (mut doubts, by_signal) = (Doubts::default(), ended(1, Exit::Signal(15)));
        assert_eq!(doubts.sift(by_signal.clone(), now), []);
        assert_eq!(doubts.sift(ended(2, Exit::Code(1)), now), [ended(2, Exit::Code(1))]);
        assert_eq!(doubts.settled(now), []);
        let told = doubts.sift(Event::Interrupt, now);
        assert_eq!(told, [Event::Interrupt, by_signal]);
        // Whoever kills all of a host may come to this process a moment later.
        let (mut doubts, killed) = (Doubts::default(), ended(4, Exit::Signal(9)));
        assert_eq!(doubts.sift(killed.clone(), now), []);
        assert_eq!(doubts.settled(now + DOUBT), [killed]);
        doubts.told = true;
        let later = ended(3, Exit::Signal(2));
        assert_eq!(doubts.sift(later.clone(), now), [later]);
    }

    #[test]
    fn without_such_word_it_counts_after_a_while_and_at_once_if_it_was_asked_for() {
        let now = Instant::now();
        let (mut doubts, by_shell) = (Doubts::default(), ended(1, Exit::Code(143)));
        assert_eq!(doubts.sift(by_shell.clone(), now), []);
        let due = doubts.next().expect("it waits");
        assert_eq!(doubts.settled(due), [by_shell]);
        assert_eq!(doubts.next(), None);
        doubts.stop(key(2));
        let stopped = ended(2, Exit::Signal(15));
        assert_eq!(doubts.sift(stopped.clone(), now), [stopped]);
    }
}
