//! What happened, line by line: all of it as a digest, the last of it to be read.

use std::collections::VecDeque;
use std::fmt;

use super::fault::Fault;
use crate::model::{AttemptKey, Epoch, Finish, PeerId, Record, State, Time, Verdict};
use crate::sched::{Conclusion, Entry, Event, Frame, Message};

/// How many lines are kept to be read.
const TAIL: usize = 60;

/// One line.
#[derive(Clone, Debug)]
pub(super) enum Line {
    /// A process is stepped.
    Step(Event),
    /// It starts an attempt, on so many cores.
    Launches(AttemptKey, usize),
    /// An attempt ended there.
    Ends(AttemptKey),
    /// It ends all that runs there.
    StopsAll,
    /// A record is written to the journal, or some other entry.
    Writes(&'static str, Vec<AttemptKey>),
    /// A record is published.
    Publishes(AttemptKey, State),
    /// A frame for it is lost.
    Misses(PeerId, u64),
    /// It says something.
    Says(String),
    /// It leaves.
    Leaves,
    /// The run ends.
    Finishes(Verdict),
    /// Something strikes the run.
    Strikes(Fault),
    /// It begins, as this incarnation.
    Boots(u32),
    /// It goes on after a hang.
    Wakes,
}

/// The log of a run.
#[derive(Debug, Default)]
pub(super) struct Log {
    digest: Digest,
    tail: VecDeque<(Time, PeerId, Line)>,
}

impl Log {
    pub(super) fn add(&mut self, at: Time, peer: PeerId, line: Line) {
        self.digest.word(at.0);
        self.digest.word(u64::from(peer.0));
        self.digest.line(&line);
        if matches!(&line, Line::Step(Event::Flush | Event::Tick)) {
            return;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back((at, peer, line));
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.0
    }

    pub(super) fn tail(&self) -> Vec<String> {
        let shown = |(at, peer, line): &(Time, PeerId, Line)| {
            format!("{:>12.6} s  {peer:<4} {line}", at.as_secs())
        };
        self.tail.iter().map(shown).collect()
    }
}

/// A running checksum over whole words, each of which changes half of it.
#[derive(Debug, Default)]
struct Digest(u64);

impl Digest {
    fn word(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        text.bytes().for_each(|byte| self.word(u64::from(byte)));
    }

    fn keys(&mut self, keys: &[AttemptKey]) {
        self.word(keys.len() as u64);
        for key in keys {
            self.word(u64::from(key.task.0) << 16 | u64::from(key.attempt.0));
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let flags = u64::from(frame.refused);
        let who = u64::from(frame.from.0) << 32 | u64::from(frame.to.0);
        [flags, who, frame.seq, frame.ack].into_iter().for_each(|word| self.word(word));
        for envelope in frame.envelopes.iter() {
            let (what, keys) = message(&envelope.message);
            self.text(what);
            self.keys(&keys);
        }
    }

    fn line(&mut self, line: &Line) {
        match line {
            Line::Step(Event::Frame { from, frame }) => {
                self.word(u64::from(from.0));
                self.frame(frame);
            }
            Line::Writes(what, keys) => {
                self.text(what);
                self.keys(keys);
            }
            Line::Step(Event::Flush) => self.word(1),
            Line::Step(Event::Tick) => self.word(2),
            other => self.text(&other.to_string()),
        }
    }
}

/// What a message is, in a word, and the attempts that it is about.
fn message(message: &Message) -> (&'static str, Vec<AttemptKey>) {
    match message {
        Message::Hello { holding, .. } => ("hello", holding.iter().map(|held| held.key).collect()),
        Message::Renew { .. } => ("renew", Vec::new()),
        Message::Members { left, holding, .. } if left.is_empty() => {
            ("joined", holding.iter().map(|held| held.key).collect())
        }
        Message::Members { .. } => ("left", Vec::new()),
        Message::Done(list) => ("done", list.iter().map(|c| c.key).collect()),
        Message::Adrift { keys, .. } => ("adrift", keys.clone()),
        Message::Lost(list) => ("lost", list.iter().map(|l| l.key).collect()),
        Message::Returned(list) => ("returned", list.iter().map(|d| d.key).collect()),
        Message::Goodbye => ("goodbye", Vec::new()),
        Message::Welcome(_) => ("welcome", Vec::new()),
        Message::Renewed(_) => ("renewed", Vec::new()),
        Message::Grant(list) => ("grant", list.iter().map(|d| d.key).collect()),
        Message::Recall { .. } => ("recall", Vec::new()),
        Message::Cancel { keys, .. } => ("cancel", keys.clone()),
        Message::Drain => ("drain", Vec::new()),
        Message::DrainNode(_) => ("drain a node", Vec::new()),
        Message::BringIn(_) => ("bring in", Vec::new()),
        Message::Dismiss => ("dismiss", Vec::new()),
        Message::Farewell => ("farewell", Vec::new()),
        Message::Accepted { refused, .. } => ("accepted but", refused.clone()),
        Message::Moved { holding, .. } => ("moved with", holding.clone()),
    }
}

/// What an entry of the journal is, and the attempts that it is about.
pub(super) fn entry(entry: &Entry) -> (&'static str, Vec<AttemptKey>) {
    match entry {
        Entry::Opened { .. } => ("opened", Vec::new()),
        Entry::Submitted(_) => ("submitted", Vec::new()),
        Entry::Sealed => ("sealed", Vec::new()),
        Entry::Granted { keys, .. } => ("granted", keys.clone()),
        Entry::Returned(keys) => ("returned", keys.clone()),
        Entry::Unwanted(_) => ("unwanted", Vec::new()),
        Entry::Ended(endings) => {
            let key = |ended: &Conclusion| {
                let Record { job, task, attempt, .. } = ended.record;
                AttemptKey { job, task, attempt, epoch: Epoch(0) }
            };
            let same = endings.windows(2).all(|two| two[0].record.state == two[1].record.state);
            let word = endings.first().filter(|_| same).map_or("ended", |e| e.record.state.word());
            (word, endings.iter().map(key).collect())
        }
        Entry::Closed(_) => ("closed", Vec::new()),
    }
}

fn list(f: &mut fmt::Formatter<'_>, keys: &[AttemptKey]) -> fmt::Result {
    keys.iter().take(6).try_for_each(|key| write!(f, " {}{}", key.task, key.attempt))?;
    if keys.len() > 6 { write!(f, " … ({})", keys.len()) } else { Ok(()) }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Step(event) => step(f, event),
            Line::Launches(key, cores) => {
                write!(f, "launches {}{} on {cores} cores", key.task, key.attempt)
            }
            Line::Ends(key) => write!(f, "{}{} ends there", key.task, key.attempt),
            Line::StopsAll => f.write_str("stops all it runs"),
            Line::Writes(what, keys) => {
                write!(f, "writes {what}")?;
                list(f, keys)
            }
            Line::Publishes(key, state) => {
                write!(f, "publishes {}{} {state}", key.task, key.attempt)
            }
            Line::Misses(from, seq) => write!(f, "misses frame {seq} from {from}"),
            Line::Says(text) => write!(f, "says: {text}"),
            Line::Leaves => f.write_str("leaves"),
            Line::Finishes(verdict) => {
                write!(f, "finishes: {:?}, {}", verdict.code, verdict.reason)
            }
            Line::Strikes(fault) => write!(f, "FAULT: {fault}"),
            Line::Boots(incarnation) => write!(f, "begins as incarnation {incarnation}"),
            Line::Wakes => f.write_str("wakes"),
        }
    }
}

fn step(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    match event {
        Event::Frame { from, frame } => {
            let refused = if frame.refused { " REFUSED" } else { "" };
            let Frame { seq, ack, from: inc, to, .. } = frame;
            write!(f, "<- {from} frame {seq} (ack {ack}, {inc} to {to}){refused}:")?;
            for envelope in frame.envelopes.iter() {
                let (what, keys) = message(&envelope.message);
                write!(f, " {what}")?;
                list(f, &keys)?;
            }
            Ok(())
        }
        Event::Start => f.write_str("starts"),
        Event::Up(peer) => write!(f, "reaches {peer}"),
        Event::Down(peer) => write!(f, "reaches {peer} no more"),
        Event::Master(peer, epoch) => write!(f, "learns that {peer} is the master of {}", epoch.0),
        Event::Dead(peer) => write!(f, "learns that {peer} has ended"),
        Event::Ended(finishes) => finishes.iter().try_for_each(|Finish { key, ending, .. }| {
            write!(f, "hears that {}{} ended: {} ", key.task, key.attempt, ending.exit)
        }),
        Event::Withdrawn(launches) => {
            f.write_str("is given back")?;
            list(f, &launches.iter().map(|launch| launch.key).collect::<Vec<_>>())
        }
        Event::Durable(upto) => write!(f, "hears that {upto} entries are durable"),
        Event::Replay(item) => {
            let (what, keys) = entry(item);
            write!(f, "reads {what}")?;
            list(f, &keys)
        }
        Event::Submit(batch) => write!(f, "is given {} tasks", batch.tasks.len()),
        Event::Seal => f.write_str("is told that no more come"),
        Event::Cancel(tasks) => write!(f, "is asked to cancel {} tasks", tasks.len()),
        Event::Interrupt => f.write_str("is interrupted"),
        Event::Drain => f.write_str("is drained"),
        Event::DrainPart(part) => write!(f, "is told to drain {part:?}"),
        Event::Flush => f.write_str("flushes"),
        Event::Tick => f.write_str("ticks"),
    }
}
