//! What is promised of every transport, kept between ranks, and what is MPI's own.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::comm::mpi::{self, Farewell, MpiTransport};
use evenkeel::comm::{Incoming, QUEUE_FRAMES, Transport, Waker};
use evenkeel::model::PeerId;
use rustix::process::{Signal, getpid, kill_process};

use crate::conformance;
use crate::launcher::Launcher;
use crate::scratch::{LIMIT, Scratch, poll};

/// Runs the test `name` of this program, one that is a rank, as so many ranks; sees that those
/// before `passing` pass it, and that all end in an orderly way if all are to.
fn on_ranks(name: &str, ranks: u32, passing: u32) {
    let launcher = match passing == ranks {
        true => Launcher::linked(),
        false => Launcher::linked_and_surviving(),
    };
    let Some(launcher) = launcher else { return };
    let scratch = Scratch::new();
    let this = std::env::current_exe().unwrap();
    let argv = [this.to_str().unwrap(), "--exact", name, "--ignored", "--nocapture"];
    let command = match passing == ranks {
        true => launcher.command(&scratch, ranks, &argv),
        false => launcher.surviving(&scratch, ranks, &argv),
    };
    let finished = scratch.start_command(command).wait().expect(0);
    for rank in 0..passing {
        assert!(scratch.path(&passed(rank)).exists(), "rank {rank} of {finished:#?}");
    }
    scratch.expect_no_process(Duration::from_secs(1));
}

/// The file that a rank leaves when it has passed.
fn passed(rank: u32) -> String {
    format!("passed-{rank}")
}

/// One rank of a check.
fn as_rank(check: impl FnOnce(MpiTransport, PeerId, u32)) {
    let transport = mpi::start().unwrap();
    let (me, peers) = (transport.id(), transport.size());
    check(transport, me, peers);
    fs::write(passed(me.0), "").unwrap();
    mpi::leave(0);
}

macro_rules! holds {
    ($($check:ident of $module:ident with $peers:literal),* $(,)?) => {$(
        mod $check {
            #[test]
            fn between_ranks() {
                let rank = concat!("transport::", stringify!($check), "::rank");
                super::on_ranks(rank, $peers, $peers);
            }

            #[test]
            #[ignore = "one of the ranks"]
            fn rank() {
                super::as_rank(super::$module::$check);
            }
        }
    )*};
}

holds! {
    frames_come_in_order_each_once of conformance with 4,
    big_frames_pass of conformance with 3,
    many_send_to_one of conformance with 8,
    a_deadline_is_kept of conformance with 2,
    a_waker_ends_a_wait of conformance with 2,
    waiting_takes_no_processor_time of conformance with 2,
    a_dead_peer_is_told_and_hurts_nobody of conformance with 4,
    a_peer_dies_while_others_send of conformance with 5,
    too_much_for_a_rank_brings_a_connection_down_and_it_comes_up_again of own with 2,
    who_asks_late_whether_a_rank_is_gone_is_told_at_once of own with 2,
}

/// The same with a last rank that is killed, and does not say goodbye.
macro_rules! holds_with_a_death {
    ($($check:ident as $name:ident with $peers:literal),* $(,)?) => {$(
        mod $name {
            #[test]
            fn between_ranks() {
                let rank = concat!("transport::", stringify!($name), "::rank");
                super::on_ranks(rank, $peers, $peers - 1);
            }

            #[test]
            #[ignore = "one of the ranks"]
            fn rank() {
                super::as_rank(|transport, me, peers| match me.0 + 1 == peers {
                    true => super::conformance::$check(super::Mortal(transport), me, peers),
                    false => super::conformance::$check(transport, me, peers),
                });
            }
        }
    )*};
}

holds_with_a_death! {
    a_dead_peer_is_told_and_hurts_nobody as a_rank_that_is_killed_is_told_and_hurts_nobody with 4,
    a_peer_dies_while_others_send as a_rank_is_killed_while_others_send with 5,
}

/// When it is dropped its process is killed.
struct Mortal(MpiTransport);

impl Transport for Mortal {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        self.0.send(to, frame);
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        self.0.receive(until)
    }

    fn waker(&self) -> Waker {
        self.0.waker()
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        kill_process(getpid(), Signal::KILL).unwrap();
    }
}

/// Checks that are MPI's own, each run by two ranks.
mod own {
    use super::*;

    const FIRST: PeerId = PeerId(0);
    const OTHER: PeerId = PeerId(1);
    const FRESH: &[u8] = b"fresh";

    fn next(transport: &mut MpiTransport) -> Incoming {
        let incoming = transport.receive(Some(Instant::now() + LIMIT));
        incoming.expect("nothing comes, and was to come")
    }

    pub(super) fn too_much_for_a_rank_brings_a_connection_down_and_it_comes_up_again(
        mut transport: MpiTransport,
        me: PeerId,
        _: u32,
    ) {
        let full = Path::new("full");
        if me == FIRST {
            assert_eq!(next(&mut transport), Incoming::Up(OTHER));
            let mut sent = 0u32;
            while transport.receive(Some(Instant::now())).is_none() {
                transport.send(OTHER, sent.to_le_bytes().into());
                sent += 1;
                assert!(sent as usize <= 4 * QUEUE_FRAMES, "there is no end to what is kept");
            }
            fs::write(full, "").unwrap();
            assert_eq!(next(&mut transport), Incoming::Up(OTHER));
            transport.send(OTHER, FRESH.into());
            return assert_eq!(next(&mut transport), Incoming::Down(OTHER), "it has what it wants");
        }
        assert_eq!(next(&mut transport), Incoming::Up(FIRST));
        assert!(poll(LIMIT, || full.exists()), "nothing is ever too much");
        let mut came = 0u32;
        let after = loop {
            match next(&mut transport) {
                Incoming::Frame { bytes, .. } => assert_eq!(bytes, came.to_le_bytes()),
                other => break other,
            }
            came += 1;
        };
        assert_eq!(after, Incoming::Down(FIRST));
        assert_eq!(next(&mut transport), Incoming::Up(FIRST));
        let fresh = Incoming::Frame { from: FIRST, bytes: FRESH.into() };
        assert_eq!(next(&mut transport), fresh);
    }

    pub(super) fn who_asks_late_whether_a_rank_is_gone_is_told_at_once(
        mut transport: MpiTransport,
        me: PeerId,
        _: u32,
    ) {
        assert!(matches!(next(&mut transport), Incoming::Up(_)));
        if me == OTHER {
            return;
        }
        assert_eq!(next(&mut transport), Incoming::Down(OTHER));
        let (sender, receiver) = std::sync::mpsc::channel();
        transport.when_gone(OTHER, move |farewell| sender.send(farewell).unwrap());
        assert_eq!(receiver.try_recv(), Ok(Farewell::Said));
    }
}
