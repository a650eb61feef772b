//! Bytes as frames, entries, events and actions: reading them never panics, what was read can be
//! written and read again, and a process that is given it does not panic either.
#![no_main]

use evenkeel::model::{Epoch, Incarnation, PeerId, Resources, Span, SubclusterId, Time, Topology};
use evenkeel::model::wire::Wire;
use evenkeel::sched::{Action, Entry, Event, Former, Frame, Machine, Process, RunId, Seat};
use libfuzzer_sys::fuzz_target;

fn steady<T: Wire>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    let again = value.to_bytes();
    let reread = T::from_bytes(&again).expect("what was written can be read");
    assert_eq!(reread.to_bytes(), again);
    Some(value)
}

fn seat() -> Seat {
    Seat {
        run: RunId(0),
        peer: PeerId(0),
        incarnation: Incarnation(1),
        epoch: Epoch(0),
        subcluster: SubclusterId(0),
        ancestors: vec![PeerId(0)],
        master: PeerId(0),
        host: String::new(),
        topology: Topology::flat(2),
        capacity: Resources::cores(2),
        lease: Span::from_secs(4),
        wait_for_nodes: Span::from_secs(30),
        reattach: Span::from_secs(30),
        time_left: None,
        apart: false,
        standby: None,
        former: Former::Silent,
    }
}

fuzz_target!(|bytes: &[u8]| {
    steady::<Action>(bytes);
    let mut process = Process::new(&seat());
    let mut actions = Vec::new();
    if let Some(entry) = steady::<Entry>(bytes) {
        process.step(Time(1), Event::Replay(Box::new(entry)), &mut actions);
    }
    process.step(Time(1), Event::Start, &mut actions);
    if let Some(frame) = steady::<Frame>(bytes) {
        process.step(Time(2), Event::Frame { from: PeerId(1), frame }, &mut actions);
    }
    if let Some(event) = steady::<Event>(bytes) {
        process.step(Time(3), event, &mut actions);
    }
    process.step(Time(4), Event::Flush, &mut actions);
});
