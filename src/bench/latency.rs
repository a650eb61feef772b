//! How long a task waits that comes from outside to a pool which sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{BenchError, Case, Cost, Figure, OURS, RAYON, SEQUENTIAL, Setting, Unit, churn, pools};

/// Where a task leaves the moment at which it begins.
#[derive(Clone, Debug)]
pub struct Stamp {
    epoch: Instant,
    /// Nanoseconds since then; 0 before the task has begun.
    moment: Arc<AtomicU64>,
}

impl Stamp {
    fn new() -> Stamp {
        Stamp { epoch: Instant::now(), moment: Arc::new(AtomicU64::new(0)) }
    }

    /// What the task does.
    pub fn mark(&self) {
        let nanoseconds = self.epoch.elapsed().as_nanos() as u64;
        // Relaxed: nothing else comes with it.
        self.moment.store(nanoseconds.max(1), Ordering::Relaxed);
    }

    /// Whether the task has begun.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.waited().is_some()
    }

    /// How long after the stamp was made the task has begun, if it has.
    fn waited(&self) -> Option<Duration> {
        let nanoseconds = self.moment.load(Ordering::Relaxed);
        (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
    }
}

/// The submitter waits, asleep, until its task has run.
///
/// # Errors
/// If the pools do not get their threads.
pub fn blocking(setting: &Setting) -> Result<Case<u32, u64>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let case = with(case("submitter blocks", setting), SEQUENTIAL, |stamp| stamp.mark());
    let case = with(case, OURS, move |stamp| ours.install(|| stamp.mark()));
    Ok(with(case, RAYON, move |stamp| rayon.install(|| stamp.mark())))
}

/// The submitter goes on computing, and does not let go of its core.
///
/// # Errors
/// If the pools do not get their threads.
pub fn computing(setting: &Setting) -> Result<Case<u32, u64>, BenchError> {
    let (ours, rayon) = (pools::ours(setting.threads)?, pools::rayon(setting.threads)?);
    let case = with(case("submitter goes on computing", setting), SEQUENTIAL, |s| s.mark());
    let case = with(case, OURS, move |stamp| {
        let stamp = stamp.clone();
        ours.spawn(move || stamp.mark());
    });
    Ok(with(case, RAYON, move |stamp| {
        let stamp = stamp.clone();
        rayon.spawn(move || stamp.mark());
    }))
}

/// The input is how many tasks come, one by one, the output how many have run.
fn case(name: &str, setting: &Setting) -> Case<u32, u64> {
    let tasks = (setting.size / 5000).clamp(10, 200);
    let figures = ["p50", "p99"].map(|name| Figure { name, unit: Unit::Microseconds });
    let name = format!("a task to a sleeping pool, {name}");
    Case::sampled(name, figures.to_vec(), tasks, |_, run| run)
}

/// Adds a contender, of which `submit` brings one task that marks the stamp.
#[must_use]
pub fn with(
    case: Case<u32, u64>,
    name: &str,
    mut submit: impl FnMut(&Stamp) + 'static,
) -> Case<u32, u64> {
    case.with_costs(name, move |tasks| {
        let mut waits: Vec<Duration> = (0..*tasks).map(|_| wait(&mut submit)).collect();
        waits.sort_unstable();
        (waits.len() as u64, Vec::<Cost>::from([at(&waits, 0.5), at(&waits, 0.99)]))
    })
}

/// How long one task waits.
fn wait(submit: &mut impl FnMut(&Stamp)) -> Duration {
    // The workers have gone to sleep by then; the submitter has a core that is awake.
    thread::sleep(Duration::from_millis(1));
    let mut x = churn(1, 10_000);
    let stamp = Stamp::new();
    submit(&stamp);
    loop {
        if let Some(waited) = stamp.waited() {
            return waited;
        }
        x = std::hint::black_box(churn(x, 100));
    }
}

/// The cost that such a share of all are not above; nearest rank.
fn at(in_order: &[Duration], share: f64) -> Cost {
    let rank = (in_order.len() as f64 * share).ceil() as usize;
    in_order.get(rank.saturating_sub(1)).map(Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let waits: Vec<Duration> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!((at(&waits, 0.5), at(&waits, 0.99)), (Some(100.0), Some(198.0)));
        assert_eq!((at(&waits[..1], 0.5), at(&[], 0.5)), (Some(1.0), None));
    }
}
