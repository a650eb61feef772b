//! What one end of a connection says and hears, without the socket.

use std::collections::VecDeque;

use super::HELLO_BYTES;
use super::ends::End;
use super::line::{Line, Load};
use super::noise::{
    self, Asking, MAGIC, MESSAGE_BYTES, PROOF_BYTES, Proved, Session, Unproved, Version,
};
use super::record::{Cutter, Garbled, PART_BYTES, Record};
use super::secret::Secret;

/// So many bytes are sealed ahead of the socket.
const AHEAD_BYTES: usize = 128 << 10;

/// One end of a connection.
pub(super) struct Wire {
    stage: Stage,
    ours: Version,
    inbox: Cutter,
    /// What has come of a letter, and how long it may become.
    letter: Vec<u8>,
    limit: usize,
    /// Letters to send, the first of which has left up to `at`.
    letters: VecDeque<Vec<u8>>,
    at: usize,
    /// Whether `Closed` is to be said after the last of them.
    is_last: bool,
    /// What is sealed, and has left up to `gone`.
    out: Vec<u8>,
    gone: usize,
}

enum Stage {
    /// The other end is to begin, and to prove that it knows this.
    Listening { secret: Secret, is_known: bool },
    /// The other end is to prove that it knows it too.
    Asking(Box<Asking>),
    /// It did. Whether it is sure to be there now: its proof may be one of old, said again.
    Open { session: Box<Session>, is_fresh: bool },
    /// Nothing is said any more.
    Over,
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The other end knows the secret.
    Proved,
    /// It is there now, and speaks itself.
    Fresh,
    Letter(Vec<u8>),
    Taken(Load),
}

/// Memory to work in, which connections share.
pub(super) struct Scratch {
    heard: Vec<u8>,
    said: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { heard: vec![0; MESSAGE_BYTES], said: Vec::with_capacity(MESSAGE_BYTES) }
    }
}

impl From<Unproved> for End {
    fn from(_: Unproved) -> End {
        End::Unproved
    }
}

impl From<Garbled> for End {
    fn from(_: Garbled) -> End {
        End::Garbled
    }
}

impl Wire {
    fn new(stage: Stage, ours: Version, limit: usize) -> Wire {
        Wire {
            stage,
            ours,
            inbox: Cutter::default(),
            letter: Vec::new(),
            limit,
            letters: VecDeque::new(),
            at: 0,
            is_last: false,
            out: Vec::new(),
            gone: 0,
        }
    }

    /// The end that listens.
    pub(super) fn listening(secret: Secret, ours: Version) -> Wire {
        Wire::new(Stage::Listening { secret, is_known: false }, ours, HELLO_BYTES)
    }

    /// The end that dials.
    pub(super) fn dialling(secret: &Secret, ours: Version) -> Result<Wire, End> {
        let (asking, first) = Asking::begin(secret, ours)?;
        let mut wire = Wire::new(Stage::Asking(Box::new(asking)), ours, usize::MAX);
        wire.out.extend_from_slice(&MAGIC);
        wire.proof(&first);
        Ok(wire)
    }

    /// Letters may be as long as they like from now on.
    pub(super) fn lift_limit(&mut self) {
        self.limit = usize::MAX;
    }

    fn proof(&mut self, message: &[u8]) {
        self.out.extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.out.extend_from_slice(message);
    }

    /// Takes what came; what is heard in it goes to `said`, also if the connection then ends.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        scratch: &mut Scratch,
        said: &mut Vec<Said>,
    ) -> Result<(), End> {
        self.inbox.push(bytes);
        while self.hear(scratch, said)? {}
        Ok(())
    }

    /// Hears one message; whether there was one.
    fn hear(&mut self, scratch: &mut Scratch, said: &mut Vec<Said>) -> Result<bool, End> {
        match &mut self.stage {
            Stage::Listening { secret, is_known } => {
                if !*is_known && !self.inbox.strip(&MAGIC).map_err(|_| End::Unproved)? {
                    return Ok(false);
                }
                *is_known = true;
                let message = self.inbox.next(PROOF_BYTES).map_err(|_| End::Unproved)?;
                let Some(message) = message else { return Ok(false) };
                let (proved, reply) = noise::answer(secret, self.ours, message)?;
                self.proof(&reply);
                self.prove(proved, false, said)
            }
            Stage::Asking(_) => {
                let message = self.inbox.next(PROOF_BYTES).map_err(|_| End::Unproved)?;
                let Some(message) = message else { return Ok(false) };
                let stage = std::mem::replace(&mut self.stage, Stage::Over);
                let Stage::Asking(asking) = stage else { return Err(End::Unproved) };
                let proved = asking.finish(message, self.ours)?;
                self.prove(proved, true, said)
            }
            Stage::Open { session, is_fresh } => {
                let Some(message) = self.inbox.next(MESSAGE_BYTES)? else { return Ok(false) };
                let plain = session.open(message, &mut scratch.heard).map_err(|_| End::Garbled)?;
                if !std::mem::replace(is_fresh, true) {
                    said.push(Said::Fresh);
                }
                let record = Record::read(plain)?;
                note(&mut self.letter, self.limit, record, said).map(|()| true)
            }
            Stage::Over => Ok(false),
        }
    }

    fn prove(&mut self, proved: Proved, is_fresh: bool, said: &mut Vec<Said>) -> Result<bool, End> {
        match proved {
            Proved::Session(session) => {
                self.stage = Stage::Open { session: Box::new(session), is_fresh };
                said.push(Said::Proved);
                Ok(true)
            }
            Proved::OtherVersion(theirs) => {
                self.stage = Stage::Over;
                Err(End::OtherVersion { ours: self.ours, theirs })
            }
        }
    }

    /// Queues a letter.
    pub(super) fn send(&mut self, letter: Vec<u8>) {
        self.letters.push_back(letter);
    }

    /// Says something between two parts of letters.
    pub(super) fn say(&mut self, record: Record<'_>, scratch: &mut Scratch) -> Result<(), End> {
        let Stage::Open { session, .. } = &mut self.stage else { return Ok(()) };
        scratch.said.clear();
        record.put(&mut scratch.said);
        Ok(session.seal(&scratch.said, &mut self.out)?)
    }

    /// Says `last` in the middle of whatever is being said, and nothing after that.
    pub(super) fn break_off(&mut self, last: Record<'_>, scratch: &mut Scratch) -> Result<(), End> {
        self.letters.clear();
        self.say(last, scratch)?;
        self.stage = Stage::Over;
        Ok(())
    }

    /// Says `Closed` after all letters that are queued.
    pub(super) fn wind_up(&mut self) {
        self.is_last = true;
    }

    /// Seals what waits, up to a bound: letters of its own, then frames of the line.
    pub(super) fn fill(&mut self, line: Option<&Line>, scratch: &mut Scratch) -> Result<(), End> {
        while self.out.len() - self.gone < AHEAD_BYTES {
            let Stage::Open { session, .. } = &mut self.stage else { return Ok(()) };
            if self.letters.is_empty() {
                self.letters.extend(line.and_then(Line::next));
            }
            let Some(letter) = self.letters.front() else {
                if self.is_last {
                    return self.break_off(Record::Closed, scratch);
                }
                return Ok(());
            };
            let rest = &letter[self.at..];
            let part = &rest[..rest.len().min(PART_BYTES)];
            let is_whole = part.len() == rest.len();
            scratch.said.clear();
            if is_whole { Record::Last(part) } else { Record::Part(part) }.put(&mut scratch.said);
            session.seal(&scratch.said, &mut self.out)?;
            self.at += part.len();
            if is_whole {
                self.at = 0;
                self.letters.pop_front();
            }
        }
        Ok(())
    }

    /// Gives memory back that is not needed while nothing happens.
    pub(super) fn rest(&mut self) {
        self.inbox.rest();
        self.out.shrink_to_fit();
    }

    /// What is to go into the socket.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.out[self.gone..]
    }

    /// So much of it has gone.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.gone += bytes;
        if self.gone == self.out.len() {
            self.out.clear();
            self.gone = 0;
        } else if self.gone >= AHEAD_BYTES {
            self.out.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Whether all has been said that ever will be.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.unsent().is_empty()
    }
}

/// Adds a record to the letter that it is of, or to what was said.
fn note(
    letter: &mut Vec<u8>,
    limit: usize,
    record: Record<'_>,
    said: &mut Vec<Said>,
) -> Result<(), End> {
    match record {
        Record::Part(bytes) | Record::Last(bytes) => {
            if bytes.len() > limit - letter.len() {
                return Err(End::LongHello);
            }
            letter.extend_from_slice(bytes);
            if matches!(record, Record::Last(_)) {
                said.push(Said::Letter(std::mem::take(letter)));
            }
        }
        Record::Taken(load) => said.push(Said::Taken(load)),
        Record::Ping => {}
        Record::Refused(why) => {
            return Err(End::Refused(String::from_utf8_lossy(why).into_owned()));
        }
        Record::Closed => return Err(End::Closed),
    }
    Ok(())
}
