//! Schedules by name, and the chunks in which they hand out `0..n`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::parts::EqualParts;

/// A rule by which workers share what is to be done: the iterations of a loop, the tasks of a
/// sweep.
///
/// With `R` for how much is left and `P` for the number of workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// `static`: one chunk per worker, of equal size as far as that goes, always the same one.
    Static,
    /// `ss`, self-scheduling: one at a time (Tang, Yew, "Processor self-scheduling for
    /// multiple-nested parallel loops", 1986).
    Ss,
    /// `gss`, guided: `R / P` (Polychronopoulos, Kuck, "Guided self-scheduling: a practical
    /// scheduling scheme for parallel supercomputers", 1987).
    Gss,
    /// `tss`, trapezoid: from `n / 2P` down to one in equal steps (Tzeng, Ni, "Trapezoid
    /// self-scheduling: a practical scheduling scheme for parallel compilers", 1993).
    Tss,
    /// `fac2`, factoring by halves: batches of `P` equal chunks, each batch half of what is left
    /// (Hummel, Schonberg, Flynn, "Factoring: a method for scheduling parallel loops", 1992).
    Fac2,
    /// `awf`, adaptive weighted factoring: `R / 2P` times the [weight](super::Weights) of the
    /// worker, which follows from how fast it was so far.
    Awf,
    /// `steal`: first as `static`; then who has nothing left takes half of what another has.
    #[default]
    Steal,
}

impl Schedule {
    /// All there are.
    pub const ALL: [Schedule; 7] = [
        Schedule::Static,
        Schedule::Ss,
        Schedule::Gss,
        Schedule::Tss,
        Schedule::Fac2,
        Schedule::Awf,
        Schedule::Steal,
    ];

    fn name(self) -> &'static str {
        match self {
            Schedule::Static => "static",
            Schedule::Ss => "ss",
            Schedule::Gss => "gss",
            Schedule::Tss => "tss",
            Schedule::Fac2 => "fac2",
            Schedule::Awf => "awf",
            Schedule::Steal => "steal",
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Schedule {
    type Err = UnknownSchedule;

    fn from_str(name: &str) -> Result<Schedule, UnknownSchedule> {
        let known = Schedule::ALL.into_iter().find(|schedule| schedule.name() == name);
        known.ok_or_else(|| UnknownSchedule(name.to_owned()))
    }
}

/// A name that no [`Schedule`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSchedule(pub String);

impl fmt::Display for UnknownSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Schedule::ALL.map(Schedule::name).join(", ");
        write!(f, "there is no schedule {:?}; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownSchedule {}

/// The chunks of a schedule whose sizes depend on nothing but their number.
///
/// So taking one is taking a number: whoever shares the chunks out, threads or a scheduler
/// across nodes, needs no more state than how many have been taken.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use evenkeel::policy::{Chunks, Schedule};
///
/// let chunks = Chunks::new(Schedule::Gss, 1000, 4, 1).expect("it has central chunks");
/// let taken = AtomicUsize::new(0);
/// // Each worker:
/// let mut sizes = Vec::new();
/// while let Some(chunk) = chunks.get(taken.fetch_add(1, Ordering::Relaxed)) {
///     sizes.push(chunk.len());
/// }
/// assert_eq!(sizes[..3], [250, 188, 141]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    runs: Vec<Run>,
    /// How many chunks.
    len: usize,
    /// The end of the last.
    n: usize,
}

/// Chunks of one size that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    /// The number of the first chunk.
    first: usize,
    /// Where that begins.
    start: usize,
    size: usize,
}

impl Chunks {
    /// Those of `schedule` for `0..n` and this many workers, none counting as one. No chunk but
    /// the last has less than `min`. Takes time and memory for as many runs of equal chunks as
    /// there are: two for `static`, one for `ss`, of the order of `workers` for `tss`, of
    /// `workers · log n` for `gss`, of `log n` for `fac2`.
    ///
    /// `None` for `awf`, where a chunk depends on who asks, and for `steal`, where nothing is
    /// handed out from one place.
    #[must_use]
    pub fn new(schedule: Schedule, n: usize, workers: usize, min: usize) -> Option<Chunks> {
        let (workers, min) = (workers.max(1), min.max(1));
        let mut chunks = Chunks { runs: Vec::new(), len: 0, n: 0 };
        match schedule {
            Schedule::Static => {
                let parts = EqualParts::new(n, workers.min(n / min));
                chunks.fill(n, |_, number| (parts.get(number).len(), parts.alike(number)));
            }
            Schedule::Ss => chunks.fill(n, |_, _| (min, usize::MAX)),
            Schedule::Gss => chunks.fill(n, |left, _| (left.div_ceil(workers).max(min), 1)),
            Schedule::Tss => {
                let first = half_share(n, workers).max(min);
                let count = (2 * n as u128).div_ceil(first as u128 + min as u128) as usize;
                let step = (first - min) / count.saturating_sub(1).max(1);
                chunks.fill(n, |_, number| (first - number * step, 1));
            }
            Schedule::Fac2 => {
                chunks.fill(n, |left, _| (half_share(left, workers).max(min), workers));
            }
            Schedule::Awf | Schedule::Steal => return None,
        }
        Some(chunks)
    }

    /// Appends chunks up to `n`: of what size and how many of it next, as `next` says given how
    /// much is left and the number of the next chunk.
    fn fill(&mut self, n: usize, next: impl Fn(usize, usize) -> (usize, usize)) {
        while self.n < n {
            let left = n - self.n;
            let (size, count) = next(left, self.len);
            if self.runs.last().is_none_or(|run| run.size != size) {
                self.runs.push(Run { first: self.len, start: self.n, size });
            }
            self.len += count.min(left.div_ceil(size));
            self.n += left.min(size.saturating_mul(count));
        }
    }

    /// The chunk with this number, counted from 0; nothing where there are no more. Chunks
    /// follow each other without gaps and none is empty.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Range<usize>> {
        if number >= self.len {
            return None;
        }
        let later = self.runs.partition_point(|run| run.first <= number);
        let run = &self.runs[later - 1];
        let start = run.start + (number - run.first) * run.size;
        Some(start..self.n.min(start.saturating_add(run.size)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What one of `workers` gets of half of what is left.
pub(super) fn half_share(left: usize, workers: usize) -> usize {
    left.div_ceil(workers.saturating_mul(2))
}
