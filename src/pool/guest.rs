//! Threads that are not workers, and take part all the same.

use std::sync::Arc;

use super::context::Context;
use super::list::Priority;
use super::post::Post;
use super::shared::Shared;
use super::team::Team;
use super::work::Work;

/// Calls `body` with a guest's place in `team`, on a seat that was taken for this and is left
/// afterwards: what it splits off is offered to the team, and while it waits it runs work of the
/// team. `stands_for`: the worker in whose place it is.
///
/// The team is there, and is not over, until this returns.
pub(super) fn take_part<R>(
    shared: &Arc<Shared>,
    team: &Arc<Team>,
    seat: usize,
    stands_for: Option<usize>,
    body: impl FnOnce(&Context) -> R,
) -> R {
    let place = Place { team, seat };
    let post = Post::at(shared, Arc::clone(team), place.seat, stands_for);
    // SAFETY: a guest's seat is taken by one thread at a time, and given back after all else.
    let here = unsafe { team.seats()[place.seat].place.enter(&post) };
    let _leaving = Leaving(here.cx);
    body(here.cx)
}

/// A seat that is given back, also in a panic.
struct Place<'a> {
    team: &'a Arc<Team>,
    seat: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.team.leave_guest_seat(self.seat);
    }
}

/// Leaves what the guest has spawned, and nobody waits for, to the team.
struct Leaving<'a>(&'a Context);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        while let Some(entry) = self.0.pop_above(0) {
            // SAFETY: it was taken out of the deque here, and is run by a member of the team.
            let work = unsafe { Work::of(entry) };
            self.0.team().inject(work, None, Priority::default());
        }
    }
}
