//! What the threads of a pool do: help their team, go from team to team.

use std::sync::Arc;

use super::post::Post;
use super::shared::Shared;
use super::team::{LEADER, Team};

/// The life of worker `worker`: in the commons while no team calls it.
pub(super) fn live(shared: &Arc<Shared>, worker: usize) {
    let post = Post::take(shared, worker, Arc::clone(shared.commons()));
    // SAFETY: each worker has a thread and a seat of its own.
    let commons = unsafe { post.team().seats()[post.seat()].place.enter(&post) };
    loop {
        commons.cx.help_until(0, &|| shared.is_called(worker) || shared.is_closing());
        // Read before the queue: a team that was called before the closing is then in it.
        let closing = shared.is_closing();
        match shared.next_team(worker) {
            Some(team) => serve(shared, worker, team),
            None if closing => break,
            None => {}
        }
    }
    commons.cx.drain();
}

/// Takes a worker through its time in `team`.
fn serve(shared: &Arc<Shared>, worker: usize, team: Arc<Team>) {
    let post = Post::take(shared, worker, team);
    // SAFETY: as in `live`; a worker is in a team once at a time.
    let here = unsafe { post.team().seats()[post.seat()].place.enter(&post) };
    if post.seat() == LEADER {
        for seat in &post.team().seats()[LEADER + 1..post.team().len()] {
            shared.wake(seat.worker);
        }
        let opening = post.team().take_opening().expect("a team is opened once, by its leader");
        post.run_counted(|| opening(post.team()));
    }
    here.cx.help_until(0, &|| post.team().is_over());
    drop(here);
    let seat = post.seat();
    let team = post.leave();
    if seat == LEADER {
        // For a later call of the same workers.
        shared.keep(worker, team);
    }
}
