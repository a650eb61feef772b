//! A loop while it goes on, and how workers come in.

use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::pace::Pace;
use super::supply::{Sharing, Supply};
use crate::pool::context::Context;

/// Has `work` done with the numbers `0..n` by the caller and by those of its team that come, each
/// with a portion, and merges what each of them has made of its own.
pub(super) fn run<T: Send>(
    n: usize,
    sharing: Sharing,
    work: impl Fn(Portion<'_>) -> T + Sync,
    merge: impl Fn(T, T) -> T + Sync,
) -> T {
    Context::with(|cx| {
        let (cx, team) = match cx {
            Some(cx) if n > sharing.grain => (cx, cx.post().team().len()),
            _ => return work(Portion::whole(n)),
        };
        // Where they are fewer than the team, it is not worth while for all to come.
        let workers = team.min(n.div_ceil(sharing.grain));
        if workers == 1 {
            return work(Portion::whole(n));
        }
        let region = Region {
            supply: Supply::new(sharing, n, team),
            exhausted: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            work,
            merge,
        };
        region.enter(cx, workers - 1).expect("who comes first finds something to do")
    })
}

/// A loop that goes on.
struct Region<W, M> {
    supply: Supply,
    /// Somebody has found nothing more to do, so that nobody need come any more.
    exhausted: AtomicBool,
    /// Somebody has panicked, so that nothing more is to be begun.
    stopped: AtomicBool,
    work: W,
    merge: M,
}

impl<W, M> Region<W, M> {
    /// Works, while up to `others` more are asked in; who comes asks in half of them in its turn.
    /// `None` if there was nothing to do.
    ///
    /// To ask in is the other half of a join: so it costs next to nothing if nobody comes, and
    /// waiting, panics and wake-ups are those of joins.
    fn enter<T>(&self, cx: &Context, others: usize) -> Option<T>
    where
        T: Send,
        W: Fn(Portion<'_>) -> T + Sync,
        M: Fn(T, T) -> T + Sync,
    {
        // An offer that comes back comes back here.
        if self.exhausted.load(Ordering::Relaxed) {
            return None;
        }
        if others == 0 {
            return Some(self.take_part(cx));
        }
        let mine = others / 2;
        let theirs = others - 1 - mine;
        match cx.join(|cx| self.enter(cx, mine), |cx| self.enter(cx, theirs)) {
            (Some(mine), Some(theirs)) => Some((self.merge)(mine, theirs)),
            (mine, theirs) => mine.or(theirs),
        }
    }

    fn take_part<T>(&self, cx: &Context) -> T
    where
        W: Fn(Portion<'_>) -> T,
    {
        let (supply, stopped) = (&self.supply, &self.stopped);
        let portion = Portion::Shared { cx, supply, stopped, pace: Pace::default() };
        let result = stop_on_panic(stopped, || (self.work)(portion));
        // A range that a thief has taken and not yet put down may have been missed. He is there
        // to do it, so that nothing is lost but perhaps a helper, for the last few chunks.
        self.exhausted.store(true, Ordering::Relaxed);
        result
    }
}

/// Runs `body`, and sets the flag if it panics.
pub(super) fn stop_on_panic<R>(stopped: &AtomicBool, body: impl FnOnce() -> R) -> R {
    struct Guard<'a>(&'a AtomicBool);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let guard = Guard(stopped);
    let result = body();
    mem::forget(guard);
    result
}

/// The numbers that one worker gets, chunk by chunk.
pub(super) enum Portion<'a> {
    /// All of them at once, for who is alone; nothing where there are none.
    Whole(Range<usize>),
    Shared {
        cx: &'a Context,
        supply: &'a Supply,
        stopped: &'a AtomicBool,
        pace: Pace,
    },
}

impl Portion<'_> {
    fn whole(n: usize) -> Portion<'static> {
        Portion::Whole(0..n)
    }

    /// The next chunk that is left, even if the loop is to be stopped.
    #[inline]
    pub(super) fn next_left(&mut self) -> Option<Range<usize>> {
        match self {
            Portion::Whole(left) => Some(mem::take(left)).filter(|chunk| !chunk.is_empty()),
            Portion::Shared { cx, supply, pace, .. } => {
                cx.answer();
                supply.take(cx.post(), pace)
            }
        }
    }
}

impl Iterator for Portion<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        match self {
            Portion::Shared { stopped, .. } if stopped.load(Ordering::Relaxed) => None,
            _ => self.next_left(),
        }
    }
}
