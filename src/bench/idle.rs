//! What a pool uses that has nothing to do.

use std::thread;
use std::time::{Duration, Instant};

use super::quiet::{time_of_others, until_quiet};
use super::{Case, Figure, OURS, RAYON, SEQUENTIAL, Setting, Unit, pools};

/// How long is looked on.
const WINDOW: Duration = Duration::from_millis(200);

/// The processor time of a pool that has done its work. The input is how many threads it has,
/// the output what it has computed before.
#[must_use]
pub fn burnt(setting: &Setting) -> Case<usize, u64> {
    let figure = Figure { name: "processor time", unit: Unit::Cores };
    let case = Case::sampled("an idle pool", vec![figure], setting.threads, |_, done| done);
    let case = with(case, SEQUENTIAL, |_| Some(((), 1)));
    let case = with(case, OURS, |threads| {
        let pool = pools::ours(threads).ok()?;
        let done = pool.install(|| 1);
        Some((pool, done))
    });
    with(case, RAYON, |threads| {
        let pool = pools::rayon(threads).ok()?;
        let done = pool.install(|| 1);
        Some((pool, done))
    })
}

/// Adds a contender, of which `start` makes a pool and has it compute 1. While it is looked at,
/// no other pool is there.
#[must_use]
pub fn with<P>(
    case: Case<usize, u64>,
    name: &str,
    mut start: impl FnMut(usize) -> Option<(P, u64)> + 'static,
) -> Case<usize, u64> {
    case.with_costs(name, move |threads| {
        // Without its threads it has computed nothing, which is wrong.
        let Some((pool, done)) = start(*threads) else { return (0, vec![None]) };
        until_quiet();
        let (begin, before) = (Instant::now(), time_of_others());
        thread::sleep(WINDOW);
        let (wall, used) = (begin.elapsed(), time_of_others().saturating_sub(before));
        drop(pool);
        (done, vec![Some(used.as_secs_f64() / wall.as_secs_f64())])
    })
}
