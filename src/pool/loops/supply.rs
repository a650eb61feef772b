//! Where the chunks of a loop come from, by its schedule.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pace::Pace;
use super::shares::Shares;
use super::weighted::Weighted;
use crate::policy::{Chunks, Schedule};
use crate::pool::post::Post;
use crate::pool::team::Team;

/// How a loop is shared out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing {
    pub(super) schedule: Schedule,
    /// So many at least at a time; not 0.
    pub(super) grain: usize,
}

impl Default for Sharing {
    fn default() -> Sharing {
        Sharing { schedule: Schedule::default(), grain: 1 }
    }
}

/// What is left of a loop, for all that take part.
#[expect(clippy::large_enum_variant, reason = "it stays in one place, and that one is the usual")]
pub(super) enum Supply {
    /// A share for each worker.
    Shares(Shares),
    /// One list of chunks, and how many are taken.
    Central(Chunks, AtomicUsize),
    Weighted(Weighted),
}

impl Supply {
    /// The numbers `0..n` for this team.
    pub(super) fn new(sharing: Sharing, n: usize, team: &Team) -> Supply {
        let (team, seats) = (team.len(), team.seats().len());
        let Sharing { schedule, grain } = sharing;
        match schedule {
            Schedule::Steal => Supply::Shares(Shares::new(n, n / grain, team, seats)),
            // Shares of one block each, so that they are not divided.
            Schedule::Static => Supply::Shares(Shares::new(n, team.min(n / grain), team, seats)),
            Schedule::Awf => Supply::Weighted(Weighted::new(n, grain, team, seats)),
            Schedule::Ss | Schedule::Gss | Schedule::Tss | Schedule::Fac2 => {
                let chunks = Chunks::new(schedule, n, team, grain);
                let chunks = chunks.expect("their chunks depend on nothing but their number");
                Supply::Central(chunks, AtomicUsize::new(0))
            }
        }
    }

    /// The next chunk for the worker on this post, who is done with the one before.
    ///
    /// All is relaxed, here and in what is called: only numbers change hands. What they are the
    /// numbers of was there before the loop, and what was made of it is seen after it, both by the
    /// joins.
    #[inline]
    pub(super) fn take(&self, post: &Post, pace: &mut Pace) -> Option<Range<usize>> {
        match self {
            Supply::Shares(shares) => shares.take(post, pace),
            Supply::Central(chunks, taken) => chunks.get(taken.fetch_add(1, Ordering::Relaxed)),
            Supply::Weighted(weighted) => weighted.take(post.seat(), pace),
        }
    }
}
