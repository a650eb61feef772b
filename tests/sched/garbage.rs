//! Bytes that a peer or a disk may hand over: what cannot be read is said to be so, and what can
//! be read is what was written.

use evenkeel::model::wire::{Garbled, Wire};
use evenkeel::model::*;
use evenkeel::sched::{Action, Entry, Event, Frame, Machine, Message, Process};
use proptest::prelude::*;

use crate::story::*;

/// Frames, entries of the journal, and launches, as bytes.
type Spoken = (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Vec<u8>>);

/// Everything that a small run with all that can happen says, writes down and starts.
fn spoken() -> Spoken {
    let added = Addition { task: task("child").after([TaskId(0)]), siblings: vec![] };
    let mut story = Story::of(&[&[1], &[1, 1]])
        .ending(move |l| Ending {
            value: Value::Map(vec![("x".into(), Value::Floats(vec![0.5; 3]))]),
            added: if l.work.name == "link-0" { vec![added.clone()] } else { vec![] },
            tail: "said é".into(),
            ..Ending::new(Exit::Code(i32::from(l.work.name == "link-3")), Some("why".into()))
        })
        .job(chain(5).into_iter().chain(wide(8)).collect());
    story.run_until(|s| s.count(State::Done) == 5);
    story.tell(node(2), Event::Drain);
    story.tell(node(0), Event::Cancel(vec![TaskId(11), TaskId(12)]));
    story.finish();
    let frames = story.frames.iter().map(Wire::to_bytes).collect();
    let entries = story.journal.iter().map(Wire::to_bytes).collect();
    let launches = story.launched.iter().map(|l| Action::Launch(vec![l.clone()]).to_bytes());
    (frames, entries, launches.collect())
}

/// If it can be read, it can be written and read again, to the same.
fn steady<T: Wire + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        let again = value.to_bytes();
        assert_eq!(T::from_bytes(&again).map(|v| v.to_bytes()), Ok(again));
    }
}

fn read_as_anything(bytes: &[u8]) {
    steady::<Frame>(bytes);
    steady::<Entry>(bytes);
    steady::<Event>(bytes);
    steady::<Action>(bytes);
    steady::<Message>(bytes);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_as_anything(&bytes);
        let head = Frame { envelopes: Vec::new().into(), ..empty_frame() }.to_bytes();
        read_as_anything(&[&head[..head.len() - 1], &bytes].concat());
    }

    #[test]
    fn mutated_bytes_are_refused_or_read_and_harm_nobody(
        which: prop::sample::Index,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: Option<prop::sample::Index>,
    ) {
        let (frames, entries, launches) = spoken_once();
        let mut bytes = which.get(&[&frames[..], entries, launches].concat()).clone();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_as_anything(&bytes);
        let story = Story::of(&[&[1, 1]]);
        let mut events: Vec<Event> = Vec::new();
        events.extend(Frame::from_bytes(&bytes).map(|frame| Event::Frame { from: node(1), frame }));
        events.extend(Entry::from_bytes(&bytes).map(|entry| Event::Replay(Box::new(entry))));
        for event in events {
            let mut process = Process::new(story.seat(0));
            process.step(Time(1), event, &mut Vec::new());
            process.step(Time(2), Event::Start, &mut Vec::new());
        }
    }
}

fn spoken_once() -> &'static Spoken {
    static SPOKEN: std::sync::OnceLock<Spoken> = std::sync::OnceLock::new();
    SPOKEN.get_or_init(spoken)
}

fn empty_frame() -> Frame {
    Frame {
        run: evenkeel::sched::RunId(7),
        epoch: Epoch(1),
        from: Incarnation(1),
        to: Incarnation(1),
        refused: false,
        seq: 1,
        ack: 0,
        envelopes: Vec::new().into(),
    }
}

#[test]
fn all_that_is_said_and_written_comes_back_equal_and_nothing_shorter_does() {
    let (frames, entries, launches) = spoken_once();
    assert!(frames.len() > 20 && entries.len() > 20 && launches.len() > 10);
    for bytes in frames {
        assert_eq!(&Frame::from_bytes(bytes).unwrap().to_bytes(), bytes);
        assert!((0..bytes.len()).all(|n| Frame::from_bytes(&bytes[..n]).is_err()));
    }
    for bytes in entries {
        assert_eq!(&Entry::from_bytes(bytes).unwrap().to_bytes(), bytes);
        assert!((0..bytes.len()).all(|n| Entry::from_bytes(&bytes[..n]).is_err()));
    }
    for bytes in launches {
        assert_eq!(&Action::from_bytes(bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn what_is_wrong_with_a_frame_is_said() {
    let good = empty_frame().to_bytes();
    assert!(Frame::from_bytes(&good).is_ok());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Frame::from_bytes(&bytes)
    };
    assert_eq!(with(0, b'X'), Err(Garbled("not a frame of evenkeel")));
    let version = with(2, Frame::VERSION + 1);
    assert_eq!(version, Err(Garbled("a frame of another version of evenkeel")));
    let longer = [&good[..], &[0]].concat();
    assert_eq!(Frame::from_bytes(&longer), Err(Garbled("bytes after the end")));
}

/// Found by hand or by fuzzing; kept so that they stay found.
#[test]
fn a_corpus_of_old_sins() {
    let sins: [&[u8]; 8] = [
        b"",
        b"EK",
        b"EK\x01",
        // A sequence that claims 2^63 envelopes.
        b"EK\x01\x07\x01\x01\x01\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        // One envelope of a role that there is not.
        b"EK\x01\x07\x01\x01\x01\x00\x01\x00\x01\x09",
        // A number of eleven bytes.
        b"EK\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        // A batch whose tasks have no end.
        b"\x01\x01a\xff\xff\xff\xff\x0f",
        // A boolean that is neither.
        b"EK\x01\x07\x01\x01\x01\x02\x01\x00\x00",
    ];
    for sin in sins {
        assert!(Frame::from_bytes(sin).is_err(), "{sin:?}");
        read_as_anything(sin);
    }
    // Lists in lists in lists: deeper than any stack.
    let mut deep = [7u8, 1].repeat(200_000);
    deep.push(0);
    read_as_anything(&deep);
    assert!(Value::from_bytes(&deep).is_err());
}
