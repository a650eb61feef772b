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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Wire, Wire) {
        let (secret, ours) = (Secret::random().unwrap(), Version::of(1));
        (Wire::dialling(&secret, ours).unwrap(), Wire::listening(secret, ours))
    }

    /// Passes on what `from` says, in pieces of so many bytes.
    fn pass(from: &mut Wire, to: &mut Wire, piece: usize) -> Result<Vec<Said>, End> {
        let mut scratch = Scratch::default();
        let mut said = Vec::new();
        loop {
            from.fill(None, &mut scratch)?;
            let unsent = from.unsent();
            let bytes = &unsent[..unsent.len().min(piece)];
            if bytes.is_empty() {
                return Ok(said);
            }
            to.take(bytes, &mut scratch, &mut said)?;
            let gone = bytes.len();
            from.sent(gone);
        }
    }

    /// Two ends that have proved the secret to each other.
    fn open(piece: usize) -> (Wire, Wire) {
        let (mut here, mut there) = pair();
        assert_eq!(pass(&mut here, &mut there, piece).unwrap(), [Said::Proved]);
        assert_eq!(pass(&mut there, &mut here, piece).unwrap(), [Said::Proved]);
        (here, there)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn letters_of_any_size_arrive_whole_in_pieces_of_any_size(
            sizes in prop::collection::vec(0usize..3 * PART_BYTES, 1..5),
            piece in 1usize..100_000,
        ) {
            let (mut here, mut there) = open(piece);
            let letters: Vec<Vec<u8>> =
                sizes.iter().enumerate().map(|(i, size)| vec![i as u8; *size]).collect();
            letters.iter().for_each(|letter| here.send(letter.clone()));
            here.wind_up();
            let mut scratch = Scratch::default();
            let mut said = Vec::new();
            let end = loop {
                here.fill(None, &mut scratch).unwrap();
                let bytes = here.unsent()[..here.unsent().len().min(piece)].to_vec();
                prop_assert!(!bytes.is_empty(), "it ends without a word");
                if let Err(end) = there.take(&bytes, &mut scratch, &mut said) {
                    break end;
                }
                here.sent(bytes.len());
            };
            prop_assert!(matches!(end, End::Closed), "{end}");
            prop_assert_eq!(said.remove(0), Said::Fresh);
            let expected: Vec<Said> = letters.into_iter().map(Said::Letter).collect();
            prop_assert!(said == expected);
        }

        #[test]
        fn whatever_a_stranger_says_is_not_answered(
            begun in any::<bool>(),
            bytes in prop::collection::vec(any::<u8>(), 0..700),
        ) {
            let (_, mut there) = pair();
            let begun = if begun { &MAGIC[..] } else { &[] };
            let mut said = Vec::new();
            let _ = there.take(&[begun, &bytes].concat(), &mut Scratch::default(), &mut said);
            prop_assert!(there.unsent().is_empty());
            prop_assert_eq!(said, []);
        }

        #[test]
        fn a_word_that_was_changed_on_the_way_ends_it(at in 0usize..200, bit in 0u8..8) {
            let (mut here, mut there) = open(usize::MAX);
            here.send(vec![7; 200 - 2 - 16 - 1]);
            here.fill(None, &mut Scratch::default()).unwrap();
            let mut bytes = here.unsent().to_vec();
            prop_assert_eq!(bytes.len(), 200);
            bytes[at] ^= 1 << bit;
            let mut said = Vec::new();
            let taken = there.take(&bytes, &mut Scratch::default(), &mut said);
            // A length that has grown has it wait for more.
            prop_assert!(matches!(taken, Err(End::Garbled)) || at < 2);
            prop_assert_eq!(said, []);
        }
    }

    #[test]
    fn a_proof_of_old_is_answered_and_gets_no_further() {
        let (secret, ours) = (Secret::random().unwrap(), Version::of(1));
        let recorded = Wire::dialling(&secret, ours).unwrap().unsent().to_vec();
        let mut there = Wire::listening(secret, ours);
        let (mut said, mut scratch) = (Vec::new(), Scratch::default());
        there.take(&recorded, &mut scratch, &mut said).unwrap();
        assert_eq!(said, [Said::Proved]);
        // Whoever repeats it does not know what to say next.
        let garbage = [&[0, 20][..], &[7; 20]].concat();
        let taken = there.take(&garbage, &mut scratch, &mut said);
        assert!(matches!(taken, Err(End::Garbled)));
        assert_eq!(said, [Said::Proved], "it counts as a stranger to the end");
    }

    #[test]
    fn a_hello_is_not_longer_than_it_may_be() {
        for (bytes, fits) in [(HELLO_BYTES, true), (HELLO_BYTES + 1, false)] {
            let (mut here, mut there) = open(usize::MAX);
            here.send(vec![0; bytes]);
            match pass(&mut here, &mut there, usize::MAX) {
                Ok(said) => assert!(fits && said.len() == 2),
                Err(end) => assert!(!fits && matches!(end, End::LongHello)),
            }
            assert!(there.letter.len() <= HELLO_BYTES);
        }
    }

    #[test]
    fn what_is_broken_off_says_no_more() {
        let (mut here, mut there) = open(usize::MAX);
        here.send(vec![0; 10 * PART_BYTES]);
        let mut scratch = Scratch::default();
        here.fill(None, &mut scratch).unwrap();
        here.break_off(Record::Refused(b"why"), &mut scratch).unwrap();
        here.send(b"more".into());
        let end = pass(&mut here, &mut there, usize::MAX).unwrap_err();
        assert!(matches!(end, End::Refused(why) if why == "why"));
        here.sent(here.unsent().len());
        assert!(here.is_over());
    }
}
