//! A loop while it goes on, and how workers come in.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::pace::Pace;
use super::stop::Stop;
use super::supply::{Sharing, Supply};
use crate::pool::context::Context;

/// Has `work` done with the numbers `0..n` by the caller and by those of its team that come, each
/// with a portion, and merges what each of them has made of its own.
pub(super) fn run<T: Send>(
    n: usize,
    sharing: Sharing,
    stop: Stop<'_>,
    work: impl Fn(Portion<'_>) -> T + Sync,
    merge: impl Fn(T, T) -> T + Sync,
) -> T {
    Context::with(|cx| {
        let team = cx.map_or(1, |cx| cx.team().len());
        // Where chunks are fewer than the team, it is not worth while for all to come.
        let workers = team.min(n.div_ceil(sharing.grain));
        match cx {
            Some(cx) if workers > 1 => {
                let supply = Supply::new(sharing, n, cx.team());
                let (exhausted, inside) = (AtomicBool::new(false), AtomicUsize::new(0));
                let is_guests = is_guest(cx);
                let region = Region { supply, stop, exhausted, is_guests, inside, work, merge };
                region.enter(cx, workers - 1).expect("who comes first finds something to do")
            }
            _ => {
                let source = Source::Own { left: 0..n, grain: sharing.grain };
                work(Portion { source, stop: &stop, pace: Pace::default() })
            }
        }
    })
}

/// A loop that goes on. Who comes in has nothing of it in his cache, so that it is as near
/// together as it can be.
struct Region<'a, W, M> {
    supply: Supply,
    stop: Stop<'a>,
    /// Somebody has found nothing more to do, so that nobody need come any more.
    exhausted: AtomicBool,
    /// Whether it was begun by a guest.
    is_guests: bool,
    /// How many workers have come to a loop of a guest.
    inside: AtomicUsize,
    work: W,
    merge: M,
}

impl<W, M> Region<'_, W, M> {
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
        let results = cx.join(|cx| self.enter(cx, mine), |cx| self.enter(cx, theirs));
        merged(results, &self.merge)
    }

    fn take_part<T>(&self, cx: &Context) -> T
    where
        W: Fn(Portion<'_>) -> T,
    {
        let is_guest = is_guest(cx);
        if self.is_guests && !is_guest {
            // Relaxed: it is only a number, by which guests go sooner or later.
            self.inside.fetch_add(1, Ordering::Relaxed);
        }
        let gives_way_to = (self.is_guests && is_guest).then_some(&self.inside);
        let source = Source::Shared { cx, supply: &self.supply, gives_way_to };
        let portion = Portion { source, stop: &self.stop, pace: Pace::default() };
        let result = self.stop.watch(|| (self.work)(portion));
        // A range that a thief has taken and not yet put down may have been missed. He is there
        // to do it, so that nothing is lost but perhaps a helper, for the last few chunks.
        if !self.exhausted.load(Ordering::Relaxed) {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        result
    }
}

fn is_guest(cx: &Context) -> bool {
    cx.seat() >= cx.team().len()
}

/// What both halves come to, where there may be nothing.
pub(super) fn merged<T>(halves: (Option<T>, Option<T>), merge: impl Fn(T, T) -> T) -> Option<T> {
    match halves {
        (Some(a), Some(b)) => Some(merge(a, b)),
        (a, b) => a.or(b),
    }
}

/// The numbers that one worker gets, chunk by chunk, until there are no more or the loop is to be
/// stopped.
pub(super) struct Portion<'a> {
    source: Source<'a>,
    stop: &'a Stop<'a>,
    pace: Pace,
}

enum Source<'a> {
    /// All that there are.
    Own { left: Range<usize>, grain: usize },
    Shared {
        cx: &'a Context,
        supply: &'a Supply,
        /// For a guest, how many workers there are: when all have come, it has no core to itself
        /// any more, and would only hold up the last chunk.
        gives_way_to: Option<&'a AtomicUsize>,
    },
}

impl Portion<'_> {
    /// The next chunk that is left, even if the loop is to be stopped.
    #[inline]
    pub(super) fn next_left(&mut self) -> Option<Range<usize>> {
        match &mut self.source {
            Source::Shared { cx, supply, gives_way_to } => {
                let team = cx.team().len();
                if gives_way_to.is_some_and(|inside| inside.load(Ordering::Relaxed) == team) {
                    return None;
                }
                cx.answer();
                supply.take(cx.post(), &mut self.pace)
            }
            Source::Own { left, .. } if left.start == left.end => None,
            Source::Own { left, grain } => {
                let mut size = left.len();
                if self.stop.is_open() {
                    self.pace.adapt();
                    size = self.pace.bite(size).max(*grain).min(size);
                    self.pace.begin(size);
                }
                let start = left.start;
                left.start += size;
                Some(start..left.start)
            }
        }
    }
}

impl Iterator for Portion<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        if self.stop.is_set() { None } else { self.next_left() }
    }
}
