//! Two closures, perhaps at the same time.

use std::panic;

use super::work::{StackWork, catch, discard};
use super::worker::Post;

/// Runs both closures, in parallel if a worker of the caller's team has nothing better to do,
/// and gives back both results.
///
/// `a` runs on the calling thread. `b` is offered to the team meanwhile and runs on the calling
/// thread too if nobody has taken it. While it waits for `b` the caller runs other work of its
/// team. Outside a pool it is `a` and then `b`.
///
/// # Panics
/// If a closure panics, its panic goes on here once neither is running any more; of two, that
/// of `a`. If `a` panics before anybody has taken `b`, then `b` is never run.
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    Post::with(|post| match post {
        Some(post) => join_on(post, a, b),
        None => (a(), b()),
    })
}

fn join_on<A, B, RA, RB>(post: &Post, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let offer = StackWork::new(b);
    // SAFETY: this function neither unwinds (`a` is caught, work does not) nor returns before
    // the offer has come back or its latch is set.
    post.push(unsafe { offer.as_work() });
    let a = catch(a);
    while let Some(work) = post.pop() {
        if offer.is_mine(&work) {
            return match a {
                Ok(a) => (a, offer.into_body()()),
                Err(payload) => panic::resume_unwind(payload),
            };
        }
        // Something that `a` spawned and that lies above the offer.
        work.run();
    }
    post.help_until(|| offer.latch().is_set());
    match (a, offer.into_result()) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(first), b) => {
            if let Err(second) = b {
                discard(second);
            }
            panic::resume_unwind(first)
        }
        (Ok(_), Err(payload)) => panic::resume_unwind(payload),
    }
}
