//! Work that is split while it runs, when somebody has nothing to do.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::context::Context;
use super::scope::{Scope, scope};

/// Work of which nobody can say beforehand how much it is: the search of a tree, an interval that
/// is refined where it must be. A piece of it can be split as long as it is not done.
///
/// A piece is a value that holds all that is left of it; so it can go to another worker. What
/// comes out are parts in the order of the pieces, merged with their neighbours.
///
/// ```
/// use evenkeel::pool::{self, Divisible, Pool};
///
/// /// How many numbers are left to be looked at, and how many primes were among the others.
/// struct Primes {
///     left: std::ops::Range<u64>,
///     found: u64,
/// }
///
/// impl Divisible for Primes {
///     type Output = u64;
///
///     fn advance(&mut self, steps: usize) -> bool {
///         let is_prime = |n: &u64| *n > 1 && (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0);
///         self.found += self.left.by_ref().take(steps).filter(is_prime).count() as u64;
///         !self.left.is_empty()
///     }
///
///     fn split(&mut self) -> Option<Primes> {
///         let middle = self.left.start + (self.left.end - self.left.start) / 2;
///         let upper = middle..self.left.end;
///         self.left.end = middle;
///         (!upper.is_empty()).then_some(Primes { left: upper, found: 0 })
///     }
///
///     fn finish(self) -> u64 {
///         self.found
///     }
///
///     fn merge(left: u64, right: u64) -> u64 {
///         left + right
///     }
/// }
///
/// let pool = Pool::builder().threads(2).build()?;
/// let primes = Primes { left: 0..10_000, found: 0 };
/// assert_eq!(pool.install(|| pool::divide(primes)), 1_229);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Divisible: Send + Sized {
    /// What a piece comes to.
    type Output: Send;

    /// Does some of the work: about as much as `steps` of its smallest parts, which should take
    /// some microseconds at most each. `false` when nothing is left.
    fn advance(&mut self, steps: usize) -> bool;

    /// Gives away about half of what is left; the half that comes after what is kept, where that
    /// matters for [`merge`](Self::merge). `None` if it is not worth it.
    fn split(&mut self) -> Option<Self>;

    /// What the piece has come to, when nothing is left of it.
    fn finish(self) -> Self::Output;

    /// What two neighbours have come to together, `left` being of what was kept and `right` of what
    /// was given away.
    fn merge(left: Self::Output, right: Self::Output) -> Self::Output;
}

/// Does all of `work`, by the caller's team as far as it has nothing else to do, and gives back
/// what it comes to.
///
/// The calling worker begins. Whenever another of the team asks for work, and none is there, the
/// piece at hand is split. Outside a pool nobody asks.
///
/// # Panics
/// If a method of a piece does, once no other is being worked on any more.
pub fn divide<W: Divisible>(work: W) -> W::Output {
    let first = Arc::new(Part::default());
    scope(|scope| run(scope, work, &first));
    // What is left in the row: those that were done after those before them.
    let mut output = first.take().expect("a scope ends when all pieces are done");
    let mut next = first.after();
    while let Some(part) = next {
        output = W::merge(output, part.take().expect("as above"));
        next = part.after();
    }
    output
}

/// What a piece has come to, in the row of all pieces.
struct Part<O> {
    output: Mutex<Option<O>>,
    /// The one after it. Changed only by the worker that has this piece, as long as it is not
    /// done, and then by the one that takes its output.
    next: Mutex<Option<Arc<Part<O>>>>,
}

impl<O> Default for Part<O> {
    fn default() -> Self {
        Part { output: Mutex::new(None), next: Mutex::new(None) }
    }
}

impl<O> Part<O> {
    fn take(&self) -> Option<O> {
        self.output.lock().take()
    }

    /// The next in the row, which this leaves.
    fn after(&self) -> Option<Arc<Part<O>>> {
        self.next.lock().take()
    }

    /// Puts a new part into the row behind this one.
    fn insert(&self) -> Arc<Part<O>> {
        let mut next = self.next.lock();
        let new = Arc::new(Part { output: Mutex::new(None), next: Mutex::new(next.take()) });
        *next = Some(Arc::clone(&new));
        new
    }

    /// What the next has come to, which then leaves the row; `None` if it is not done or there
    /// is none.
    fn take_next(&self) -> Option<O> {
        let mut next = self.next.lock();
        let output = next.as_ref()?.take()?;
        let after = next.as_ref().and_then(|part| part.after());
        *next = after;
        Some(output)
    }
}

impl<O> Drop for Part<O> {
    /// One after the other: a long row would be too deep a recursion.
    fn drop(&mut self) {
        let mut next = self.next.get_mut().take();
        while let Some(part) = next.and_then(Arc::into_inner) {
            next = part.after();
        }
    }
}

/// Does `piece`, and gives away of it what others want.
fn run<'scope, W: Divisible + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut piece: W,
    part: &Arc<Part<W::Output>>,
) {
    let mut pace = Pace::new();
    while pace.go(|steps| piece.advance(steps)) {
        let wanted = Context::with(|cx| cx.is_some_and(Context::is_wanted));
        if let Some(given) = wanted.then(|| piece.split()).flatten() {
            let part = part.insert();
            scope.spawn(move || run(scope, given, &part));
        }
    }
    let mut output = piece.finish();
    while let Some(right) = part.take_next() {
        output = W::merge(output, right);
    }
    *part.output.lock() = Some(output);
}

/// How many steps are done between two looks whether somebody wants work.
struct Pace {
    steps: usize,
    since: Instant,
}

/// How long it should be between two looks: what a thief waits at most, and long enough that looking
/// does not count.
const LOOK: Duration = Duration::from_micros(10);

impl Pace {
    fn new() -> Pace {
        Pace { steps: 16, since: Instant::now() }
    }

    /// Advances, and learns how long that took.
    fn go(&mut self, advance: impl FnOnce(usize) -> bool) -> bool {
        let more = advance(self.steps);
        let now = Instant::now();
        let took = now - mem::replace(&mut self.since, now);
        if took < LOOK {
            self.steps = self.steps.saturating_mul(2);
        } else if took > 3 * LOOK {
            self.steps = (self.steps / 2).max(1);
        }
        more
    }
}
