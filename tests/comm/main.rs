//! What is promised of every transport, and what the one between threads does beyond that.

mod channel;
mod conformance;

use std::thread;

use evenkeel::comm::channel::{ChannelTransport, network};
use evenkeel::model::PeerId;

/// Runs a check with each of `peers` threads as one peer.
fn on_threads(peers: u32, check: fn(ChannelTransport, PeerId, u32)) {
    thread::scope(|scope| {
        for transport in network(peers) {
            let id = transport.id();
            scope.spawn(move || check(transport, id, peers));
        }
    });
}

macro_rules! conforms {
    ($($check:ident with $peers:literal),* $(,)?) => {$(
        #[test]
        fn $check() {
            on_threads($peers, conformance::$check);
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
