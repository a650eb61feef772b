//! What is said over a link once the secret is proved: one record in each message.

use super::line::Load;

/// So many bytes of a letter go into one record.
pub(super) const PART_BYTES: usize = super::noise::PLAIN_BYTES - 1;

/// What a message says. Letters are what both ends are there for: the hello of the one, the answer
/// to it, and from then on frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A part of a letter of which more comes.
    Part(&'a [u8]),
    /// The last part of a letter.
    Last(&'a [u8]),
    /// So much of what came was taken since this was last said.
    Taken(Load),
    /// The sender is there.
    Ping,
    /// The sender says nothing more, since it does not want the other, which is told why.
    Refused(&'a [u8]),
    /// The sender says nothing more, and means it.
    Closed,
}

/// A message that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbled;

const PART: u8 = 1;
const LAST: u8 = 2;
const TAKEN: u8 = 3;
const PING: u8 = 4;
const REFUSED: u8 = 5;
const CLOSED: u8 = 6;

impl<'a> Record<'a> {
    pub(super) fn read(plain: &'a [u8]) -> Result<Record<'a>, Garbled> {
        let (kind, rest) = plain.split_first().ok_or(Garbled)?;
        let number = |at: usize| {
            let bytes = rest.get(at..at + 8)?.try_into().ok()?;
            usize::try_from(u64::from_be_bytes(bytes)).ok()
        };
        match (*kind, rest.len()) {
            (PART, 1..) => Ok(Record::Part(rest)),
            (LAST, _) => Ok(Record::Last(rest)),
            (TAKEN, 16) => {
                let (frames, bytes) = (number(0).ok_or(Garbled)?, number(8).ok_or(Garbled)?);
                Ok(Record::Taken(Load { frames, bytes }))
            }
            (PING, 0) => Ok(Record::Ping),
            (REFUSED, _) => Ok(Record::Refused(rest)),
            (CLOSED, 0) => Ok(Record::Closed),
            _ => Err(Garbled),
        }
    }

    /// Appends what [`read`](Record::read) reads.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Record::Part(bytes) => put(PART, bytes, out),
            Record::Last(bytes) => put(LAST, bytes, out),
            Record::Taken(load) => {
                put(TAKEN, &(load.frames as u64).to_be_bytes(), out);
                out.extend_from_slice(&(load.bytes as u64).to_be_bytes());
            }
            Record::Ping => put(PING, &[], out),
            Record::Refused(why) => put(REFUSED, why, out),
            Record::Closed => put(CLOSED, &[], out),
        }
    }
}

fn put(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

/// Bytes as they come, cut into messages: each has its length before it, in two bytes.
#[derive(Default)]
pub(super) struct Cutter {
    bytes: Vec<u8>,
    /// Where what was not given yet begins.
    at: usize,
}

impl Cutter {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives memory back that is not needed while nothing comes.
    pub(super) fn rest(&mut self) {
        self.push(&[]);
        self.bytes.shrink_to_fit();
    }

    /// Takes the first `expected.len()` bytes off, which are to be `expected`; whether they are
    /// there.
    ///
    /// # Errors
    /// At the first byte that is another.
    pub(super) fn strip(&mut self, expected: &[u8]) -> Result<bool, Garbled> {
        let there = &self.bytes[self.at..];
        let common = there.len().min(expected.len());
        if there[..common] != expected[..common] {
            return Err(Garbled);
        }
        let whole = common == expected.len();
        self.at += if whole { common } else { 0 };
        Ok(whole)
    }

    /// The next message, if it is there.
    ///
    /// # Errors
    /// If it is of more than `limit` bytes, before it is there.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<&[u8]>, Garbled> {
        let there = &self.bytes[self.at..];
        let Some((prefix, rest)) = there.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length > limit {
            return Err(Garbled);
        }
        let message = rest.get(..length);
        self.at += message.map_or(0, |message| 2 + message.len());
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, bytes: &[u8], numbers: (u32, u32)) -> Record<'_> {
        let load = Load { frames: numbers.0 as usize, bytes: numbers.1 as usize };
        match kind {
            0 if !bytes.is_empty() => Record::Part(bytes),
            0 | 1 => Record::Last(bytes),
            2 => Record::Taken(load),
            3 => Record::Ping,
            4 => Record::Refused(bytes),
            _ => Record::Closed,
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(
            kind in 0u8..6,
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            numbers in any::<(u32, u32)>(),
        ) {
            let record = record(kind, &bytes, numbers);
            let mut plain = Vec::new();
            record.put(&mut plain);
            prop_assert_eq!(Record::read(&plain), Ok(record));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(plain in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(record) = Record::read(&plain) {
                let mut again = Vec::new();
                record.put(&mut again);
                prop_assert_eq!(again, plain);
            }
        }

        #[test]
        fn messages_are_cut_out_of_pieces_of_any_size(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            sizes in prop::collection::vec(1usize..400, 1..50),
        ) {
            let mut stream = b"magic".to_vec();
            for message in &messages {
                stream.extend_from_slice(&(message.len() as u16).to_be_bytes());
                stream.extend_from_slice(message);
            }
            let mut cutter = Cutter::default();
            let (mut got, mut begun) = (Vec::new(), false);
            let mut rest = &stream[..];
            for size in sizes.iter().cycle() {
                let (piece, left) = rest.split_at(rest.len().min(*size));
                rest = left;
                cutter.push(piece);
                begun = begun || cutter.strip(b"magic").unwrap();
                while begun && let Some(message) = cutter.next(300).unwrap() {
                    got.push(message.to_vec());
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, messages);
        }

        #[test]
        fn no_more_is_kept_than_a_message(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..50),
        ) {
            const LIMIT: usize = 100;
            let mut cutter = Cutter::default();
            for piece in pieces {
                cutter.push(&piece);
                loop {
                    match cutter.next(LIMIT) {
                        Ok(Some(message)) => prop_assert!(message.len() <= LIMIT),
                        Ok(None) => break,
                        Err(Garbled) => return Ok(()),
                    }
                }
                prop_assert!(cutter.bytes.len() - cutter.at < 2 + LIMIT);
            }
        }
    }

    #[test]
    fn garbage_is_refused_at_its_first_byte() {
        let mut cutter = Cutter::default();
        cutter.push(b"ma");
        assert_eq!(cutter.strip(b"magic"), Ok(false));
        cutter.push(b"n");
        assert_eq!(cutter.strip(b"magic"), Err(Garbled));
        let mut cutter = Cutter::default();
        cutter.push(&[1, 0]);
        assert_eq!(cutter.next(255), Err(Garbled), "256 are announced");
    }
}
