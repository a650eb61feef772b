//! What is promised of every transport, and what those between threads and between processes do
//! beyond that.
#![allow(clippy::print_stderr, reason = "what is skipped is worth seeing")]

mod channel;
mod conformance;
#[cfg(feature = "link")]
mod link;

use std::thread;

use evenkeel::comm::Transport;
use evenkeel::comm::channel::network;
use evenkeel::model::PeerId;

/// Runs a check with each of `transports`, which are peers of each other in this order, on a
/// thread.
fn on_threads<T: Transport>(transports: Vec<T>, check: fn(T, PeerId, u32)) {
    let peers = transports.len() as u32;
    thread::scope(|scope| {
        for (id, transport) in (0..).map(PeerId).zip(transports) {
            scope.spawn(move || check(transport, id, peers));
        }
    });
}

macro_rules! conforms {
    ($($check:ident with $peers:literal),* $(,)?) => {$(
        mod $check {
            #[test]
            fn between_threads() {
                super::on_threads(super::network($peers), super::conformance::$check);
            }

            #[test]
            #[cfg(feature = "link")]
            fn over_links() {
                super::on_threads(super::link::mesh($peers), super::conformance::$check);
            }
        }
    )*};
}

conforms! {
    frames_come_in_order_each_once with 4,
    big_frames_pass with 3,
    many_send_to_one with 8,
    a_deadline_is_kept with 2,
    a_waker_ends_a_wait with 2,
    waiting_takes_no_processor_time with 2,
    a_dead_peer_is_told_and_hurts_nobody with 4,
    a_peer_dies_while_others_send with 5,
}
