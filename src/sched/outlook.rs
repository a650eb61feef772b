//! When the job will have ended, by what is left of it and how it went so far.
//!
//! A load is what tasks cost, times the cores that they ask for. It goes as many times slower than it
//! was foretold as what has ended so far did, on the cores that there is work for. How little of a
//! job goes on side by side is so known without looking at its graph: where each task waits for the
//! one before there is work for one core.

use crate::model::{Cost, ResourceId, Span, Task, Time};

/// What is left, and how fast it goes.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// Of all tasks.
    all: Load,
    /// Of those that have not ended.
    left: Load,
    /// Of those that have ended since this master began.
    done: Load,
    /// The time that attempts took, times their cores.
    took: u128,
    /// The time in which cores had something in hand, times their number, and up to when it is counted.
    in_use: u128,
    counted: Time,
    /// The longest that a task was said to take, or took.
    longest: Span,
    /// When an attempt ended last, or it all began.
    last: Time,
    crew: Crew,
}

/// What tasks cost, times their cores.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// In nanoseconds, as far as it is known.
    cost: u128,
    /// The cores of tasks whose cost is known, and of the others.
    known: u64,
    unknown: u64,
}

/// Who is there to do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crew {
    /// The cores that may be given work.
    pub(super) cores: u64,
    /// How many of them have something in hand.
    pub(super) busy: u64,
    /// How many tasks wait to be given out.
    pub(super) waiting: u64,
}

impl Load {
    fn of(task: &Task) -> Load {
        let cores = cores_of(task);
        match &task.cost {
            Cost::Unknown => Load { unknown: cores, ..Load::default() },
            known => {
                let cost = u128::from(known.mean().0) * u128::from(cores);
                Load { cost, known: cores, unknown: 0 }
            }
        }
    }

    fn add(&mut self, more: Load) {
        self.cost += more.cost;
        self.known += more.known;
        self.unknown += more.unknown;
    }

    fn take(&mut self, less: Load) {
        self.cost -= less.cost;
        self.known -= less.known;
        self.unknown -= less.unknown;
    }

    /// All of it as a number, where a core of a task of unknown cost counts for `each`.
    fn weight(self, each: f64) -> f64 {
        self.cost as f64 + self.unknown as f64 * each
    }
}

/// Whatever a job asks for: sums over all tasks that there can be stay far from overflowing.
fn cores_of(task: &Task) -> u64 {
    let first = task.request.variants.first();
    let asked = first.map_or(1, |v| v.resources.get(ResourceId::CORES).ceil());
    asked.clamp(1, 1 << 24)
}

impl Outlook {
    /// The master begins.
    pub(super) fn begin(&mut self, now: Time) {
        (self.counted, self.last) = (now, now);
    }

    /// A task has come.
    pub(super) fn expect(&mut self, task: &Task) {
        let work = Load::of(task);
        self.all.add(work);
        self.left.add(work);
        self.longest = self.longest.max(task.cost.mean());
    }

    /// A task has come to its end, whether it ran or not.
    pub(super) fn over(&mut self, task: &Task) {
        self.left.take(Load::of(task));
    }

    /// An attempt that took so long has ended just now; with it its task, if that `is_over`.
    pub(super) fn tried(&mut self, task: &Task, took: Span, is_over: bool, now: Time) {
        self.took += u128::from(took.0) * u128::from(cores_of(task));
        if is_over {
            self.done.add(Load::of(task));
        }
        self.longest = self.longest.max(took);
        self.last = now;
        self.count_use(now);
    }

    /// From now on these are there.
    pub(super) fn crew(&mut self, now: Time, crew: Crew) {
        if crew.busy != self.crew.busy {
            self.count_use(now);
        }
        self.crew = crew;
    }

    fn count_use(&mut self, now: Time) {
        self.in_use += u128::from(now.since(self.counted).0) * u128::from(self.crew.busy);
        self.counted = now;
    }

    /// What a core of a task of unknown cost counts for.
    fn each(&self) -> f64 {
        let known = self.all.cost as f64 / self.all.known.max(1) as f64;
        if known > 0.0 { known } else { 1.0 }
    }

    /// How many times longer than it was foretold a core takes for a piece of work; nothing if nothing
    /// is foretold of some, and nothing has ended yet.
    fn slowness(&self) -> Option<f64> {
        let each = self.each();
        let done = self.done.weight(each);
        if done <= 0.0 {
            return (self.left.unknown == 0).then_some(1.0);
        }
        // Beside the attempts themselves there is what comes between them. How far those have come
        // that are in hand is not known: as if they had ended.
        let in_hand = self.crew.busy as f64 * each;
        Some((self.took as f64 / done).max(self.in_use as f64 / (done + in_hand)))
    }

    /// How long all that is left takes after the last attempt that ended, if there is anything and it can
    /// be told.
    fn ahead(&self) -> Option<Span> {
        if self.left.known + self.left.unknown == 0 {
            return None;
        }
        let Crew { cores, busy, waiting } = self.crew;
        let side_by_side = (busy + waiting).min(cores).max(1);
        let work = self.left.weight(self.each()) * self.slowness()?;
        Some(Span((work / side_by_side as f64) as u64))
    }

    /// How long one may wait for the next ending, and all is as it was foretold.
    fn patience(&self, ahead: Span) -> Span {
        ahead.min(self.longest)
    }

    /// How much longer the run will take, if that can be told.
    pub(super) fn left(&self, now: Time) -> Option<Span> {
        let ahead = self.ahead()?;
        Some(ahead - self.patience(ahead).min(now.since(self.last)))
    }

    /// From when on the run will not end by `time` any more, as far as can be told, if nothing ends
    /// until then.
    pub(super) fn misses(&self, time: Time) -> Time {
        let Some(ahead) = self.ahead() else { return time };
        if self.last + ahead > time {
            return self.last;
        }
        let patience = self.patience(ahead);
        let rest = ahead - patience;
        (self.last + patience).max(Time(time.0.saturating_sub(rest.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = Span::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    fn task(cost: Option<u64>) -> Task {
        let task = Task::kernel("task", "noop", ());
        match cost {
            Some(seconds) => task.cost(Span::from_secs(seconds)),
            None => task,
        }
    }

    /// So many tasks alike, on so many cores that are all at work.
    fn outlook(n: u64, cost: Option<u64>, cores: u64) -> Outlook {
        let mut outlook = Outlook::default();
        outlook.begin(Time::ZERO);
        (0..n).for_each(|_| outlook.expect(&task(cost)));
        outlook.crew(Time::ZERO, Crew { cores, busy: cores, waiting: n - cores });
        outlook
    }

    /// So many end at once that took so long.
    fn end(outlook: &mut Outlook, n: u64, cost: Option<u64>, took: Span, now: Time) {
        for _ in 0..n {
            outlook.over(&task(cost));
            outlook.tried(&task(cost), took, true, now);
        }
        outlook.crew(now, outlook.crew);
    }

    fn left(outlook: &Outlook, now: u64) -> Option<u64> {
        outlook.left(at(now)).map(|left| left.as_secs().round() as u64)
    }

    #[test]
    fn what_costs_are_known_tells_the_end_from_the_beginning() {
        let outlook = outlook(100, Some(10), 10);
        assert_eq!(left(&outlook, 0), Some(100));
        assert_eq!(left(&outlook, 7), Some(93));
        assert_eq!(left(&outlook, 60), Some(90), "nothing has ended as it should have");
        assert_eq!(outlook.misses(at(120)), at(30));
        assert_eq!(outlook.misses(at(99)), at(0), "it is late from the beginning");
    }

    #[test]
    fn of_unknown_costs_nothing_can_be_told_before_something_has_ended() {
        let mut outlook = outlook(100, None, 10);
        assert_eq!(left(&outlook, 5), None);
        assert_eq!(outlook.misses(at(70)), at(70), "then it has missed it for certain");
        end(&mut outlook, 1, None, Span::from_secs(6), at(6));
        assert_eq!(left(&outlook, 6), Some(59), "the first of ten that go on side by side");
        end(&mut outlook, 9, None, Span::from_secs(6), at(6));
        assert_eq!((left(&outlook, 6), left(&outlook, 9)), (Some(54), Some(51)));
    }

    #[test]
    fn what_takes_longer_than_foretold_is_taken_to_go_on_like_that() {
        let mut outlook = outlook(100, Some(10), 10);
        end(&mut outlook, 10, Some(10), Span::from_secs(15), at(15));
        assert_eq!(left(&outlook, 15), Some(135));
        assert!(outlook.misses(at(149)) <= at(15) && outlook.misses(at(151)) > at(15));
    }

    #[test]
    fn cores_that_go_leave_the_work_to_the_others() {
        let mut outlook = outlook(100, Some(10), 10);
        end(&mut outlook, 10, Some(10), Span::from_secs(10), at(10));
        outlook.crew(at(10), Crew { cores: 5, busy: 5, waiting: 85 });
        assert_eq!(left(&outlook, 10), Some(180));
    }

    #[test]
    fn where_each_waits_for_the_one_before_more_cores_are_of_no_use() {
        let mut outlook = outlook(10, None, 8);
        outlook.crew(at(0), Crew { cores: 8, busy: 1, waiting: 0 });
        end(&mut outlook, 1, None, Span::from_secs(60), at(60));
        assert_eq!(left(&outlook, 60), Some(540));
    }

    #[test]
    fn what_comes_between_attempts_counts_where_these_are_short() {
        let mut outlook = outlook(100_000, None, 2);
        // A thousand in a second on two cores, of a microsecond each.
        end(&mut outlook, 1000, None, Span::from_micros(1), at(1));
        let left = outlook.left(at(1)).unwrap();
        assert!(left > SECOND.scale(98.0) && left < SECOND.scale(100.0), "{left}");
    }

    #[test]
    fn attempts_that_fail_and_are_tried_again_take_their_time() {
        let mut outlook = outlook(10, Some(10), 1);
        outlook.tried(&task(Some(10)), Span::from_secs(10), false, at(10));
        end(&mut outlook, 1, Some(10), Span::from_secs(10), at(20));
        assert_eq!(left(&outlook, 20), Some(180));
    }

    #[test]
    fn a_job_that_costs_nothing_is_no_riddle() {
        let mut outlook = outlook(3, Some(0), 1);
        assert_eq!(left(&outlook, 5), Some(0));
        end(&mut outlook, 3, Some(0), Span::ZERO, at(5));
        assert_eq!((left(&outlook, 5), outlook.misses(at(9))), (None, at(9)), "nothing is left");
    }
}
