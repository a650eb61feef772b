//! The bytes of a volume of a journal.
//!
//! A head, then entries; all numbers little-endian:
//!
//! ```text
//! head     "evenkeel"  version u32  run u64  epoch u32  part u32  kept u64
//!          of the volume that it goes on from: epoch u32  part u32  bytes u64  records u64
//!          crc32 u32 (of all before it)
//! record   length u32  crc32 u32 (of length and payload)  payload
//! mark     u32::MAX    crc32 u32 (of the rest)            offset u64  records u64
//! ```
//!
//! A volume is whole: the first `kept` records are what is still needed of those that came before
//! it, and its head says how far that goes, in the volume that it goes on from (all zero in the
//! first of a run). What is written there later is not read any more.
//!
//! A mark stands before the first record of a group and is written only when the group before
//! it is durable: it says "all up to my own offset, so many records, was on the disk". That
//! tells the two kinds of bad bytes apart:
//!
//! - **A torn tail**: no mark follows. The bytes belong to the last group, which was not durable
//!   when the crash came. A crash may leave any part of that group, also a later page without
//!   an earlier one, so that good records may follow the bad one; none of them was promised,
//!   and all are cut off.
//! - **Damage**: a mark follows. Those bytes were durable and have changed since: an error,
//!   nothing is cut.
//!
//! A journal that was closed ends with a mark. In one that was not, damage to the very last
//! group cannot be told from a torn tail; the note of the torn tail is all there is.

use std::io::{self, BufRead};
use std::ops::Range;

use super::volume::Volume;

const MAGIC: &[u8; 8] = b"evenkeel";
/// The version of the format that this program writes and reads.
pub(super) const VERSION: u32 = 4;
/// The length of a head.
pub(super) const HEAD: usize = 64;
const MARK: u32 = u32::MAX;
const MARK_LENGTH: usize = 24;
const PREFIX: usize = 8;
/// The longest record in bytes; in tests one that is soon made.
pub(super) const LONGEST_RECORD: usize = if cfg!(test) { 1 << 20 } else { 1 << 30 };

/// Where the volume that came before another one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which it was.
    pub volume: Volume,
    /// So many bytes of it count.
    pub bytes: u64,
    /// So many records of it count.
    pub records: u64,
}

/// What a volume says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) run: u64,
    pub(super) volume: Volume,
    /// How many of its first records are of what came before it.
    pub(super) kept: u64,
    pub(super) origin: Option<Origin>,
}

/// What a journal held.
#[derive(Debug)]
pub struct Recovered {
    /// The run that the journal belongs to.
    pub run: u64,
    /// The volume that counts.
    pub volume: Volume,
    /// What came before it, if anything did.
    pub origin: Option<Origin>,
    /// So many of the first records are what is kept of that.
    pub kept: u64,
    /// So many of the records are marked as durable. Those after them may be, or may just be
    /// about to be.
    pub marked: u64,
    /// The end that did not count, if there was one.
    pub torn: Option<TornTail>,
    bytes: Vec<u8>,
    records: Vec<Range<usize>>,
}

/// The end of a journal that a crash left half-written. Nothing in it was ever reported durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
}

impl Recovered {
    /// The records in the order in which they were appended.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.records.iter().map(|range| &self.bytes[range.clone()])
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes count.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.torn.map_or(self.bytes.len() as u64, |torn| torn.offset)
    }
}

/// Why bytes are not a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The head is not there or not whole.
    NoHead,
    /// The head has another version.
    Version(u32),
    /// An entry that was durable is bad; it starts at this offset.
    Damaged(u64),
}

/// The bytes of a head.
pub(super) fn head(head: &Head) -> Vec<u8> {
    const NONE: Origin = Origin { volume: Volume { epoch: 0, part: 0 }, bytes: 0, records: 0 };
    let Origin { volume, bytes: end, records } = head.origin.unwrap_or(NONE);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(head.run.to_le_bytes());
    bytes.extend([head.volume.epoch, head.volume.part].map(u32::to_le_bytes).concat());
    bytes.extend(head.kept.to_le_bytes());
    bytes.extend([volume.epoch, volume.part].map(u32::to_le_bytes).concat());
    bytes.extend([end, records].map(u64::to_le_bytes).concat());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// A record of so many bytes, which is too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) usize);

/// Adds a record to `out`: what `write` appends to it.
pub(super) fn put_record(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TooLong> {
    let begin = out.len();
    out.extend([0; PREFIX]);
    write(out);
    match out.len() - begin - PREFIX {
        bytes @ ..=LONGEST_RECORD => seal(&mut out[begin..], bytes as u32),
        bytes => {
            out.truncate(begin);
            return Err(TooLong(bytes));
        }
    }
    Ok(())
}

/// Adds the mark that belongs at `offset`, after so many `records`.
pub(super) fn put_mark(out: &mut Vec<u8>, offset: u64, records: u64) {
    let begin = out.len();
    out.extend([0; PREFIX]);
    out.extend([offset, records].map(u64::to_le_bytes).as_flattened());
    seal(&mut out[begin..], MARK);
}

/// Writes the prefix of an entry, for which there is room before its payload.
fn seal(entry: &mut [u8], length: u32) {
    let crc = checksum(&length.to_le_bytes(), &entry[PREFIX..]);
    entry[..4].copy_from_slice(&length.to_le_bytes());
    entry[4..PREFIX].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(length: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(payload);
    hasher.finalize()
}

/// Finds the records in the `bytes` of a journal.
pub(super) fn scan(bytes: Vec<u8>) -> Result<Recovered, Fault> {
    let Head { run, volume, kept, origin } = read_head(&bytes)?;
    let mut records = Vec::new();
    let mut at = HEAD;
    let (mut marked, mut torn) = (0, None);
    while at < bytes.len() {
        match read_entry(&bytes, at) {
            Some(Entry::Record(range)) => {
                at = range.end;
                records.push(range);
            }
            Some(Entry::Mark { offset, count })
                if offset == at as u64 && count == records.len() as u64 =>
            {
                at += MARK_LENGTH;
                marked = count;
            }
            _ if mark_follows(&bytes, at) => return Err(Fault::Damaged(at as u64)),
            _ => {
                torn = Some(TornTail { offset: at as u64, bytes: (bytes.len() - at) as u64 });
                break;
            }
        }
    }
    Ok(Recovered { run, volume, origin, kept, marked, torn, bytes, records })
}

enum Entry {
    Record(Range<usize>),
    Mark { offset: u64, count: u64 },
}

fn read_head(bytes: &[u8]) -> Result<Head, Fault> {
    if !bytes.starts_with(MAGIC) {
        return Err(Fault::NoHead);
    }
    // The version first: the rest of another version's head may look different.
    let version = u32_at(bytes, 8).ok_or(Fault::NoHead)?;
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    let crc = bytes.get(..HEAD - 4).map(crc32fast::hash);
    if crc.is_none() || crc != u32_at(bytes, HEAD - 4) {
        return Err(Fault::NoHead);
    }
    read_fields(bytes).ok_or(Fault::NoHead)
}

fn read_fields(bytes: &[u8]) -> Option<Head> {
    let volume = |at| Some(Volume { epoch: u32_at(bytes, at)?, part: u32_at(bytes, at + 4)? });
    let origin =
        Origin { volume: volume(36)?, bytes: u64_at(bytes, 44)?, records: u64_at(bytes, 52)? };
    Some(Head {
        run: u64_at(bytes, 12)?,
        volume: volume(20)?,
        kept: u64_at(bytes, 28)?,
        origin: (origin.volume.epoch > 0).then_some(origin),
    })
}

/// Hands the records that `file` holds after its head to `take`, up to byte `end`, one at a time.
pub(super) fn each_record(
    mut file: impl BufRead,
    end: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut payload = Vec::new();
    let mut at = HEAD as u64;
    while at < end {
        let mut prefix = [0; PREFIX];
        file.read_exact(&mut prefix)?;
        let [length, crc] = [0, 4].map(|at| u32_at(&prefix, at).unwrap_or_default());
        let size = match length {
            MARK => MARK_LENGTH - PREFIX,
            n if n as usize <= LONGEST_RECORD => n as usize,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        payload.resize(size, 0);
        file.read_exact(&mut payload)?;
        if crc != checksum(&length.to_le_bytes(), &payload) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if length != MARK {
            take(&payload)?;
        }
        at += (PREFIX + size) as u64;
    }
    Ok(())
}

/// The entry at `at`, if there is a whole one.
fn read_entry(bytes: &[u8], at: usize) -> Option<Entry> {
    let length = u32_at(bytes, at)?;
    let start = at + PREFIX;
    let end = match length {
        MARK => at + MARK_LENGTH,
        n if n as usize <= LONGEST_RECORD => start + n as usize,
        _ => return None,
    };
    let payload = bytes.get(start..end)?;
    if u32_at(bytes, at + 4)? != checksum(&length.to_le_bytes(), payload) {
        return None;
    }
    Some(match length {
        MARK => Entry::Mark { offset: u64_at(payload, 0)?, count: u64_at(payload, 8)? },
        _ => Entry::Record(start..end),
    })
}

/// Whether a mark stands at `from` or anywhere after it. A mark names its own place, so that
/// bytes of a payload are not taken for one.
fn mark_follows(bytes: &[u8], from: usize) -> bool {
    let here = |at: usize| {
        u32_at(bytes, at) == Some(MARK)
            && matches!(read_entry(bytes, at), Some(Entry::Mark { offset, .. }) if offset == at as u64)
    };
    (from..bytes.len()).any(here)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_OF_7: Head = Head {
        run: 7,
        volume: Volume { epoch: 3, part: 1 },
        kept: 2,
        origin: Some(Origin { volume: Volume { epoch: 2, part: 0 }, bytes: 900, records: 40 }),
    };

    fn put(bytes: &mut Vec<u8>, record: &[u8]) {
        put_record(bytes, |out| out.extend(record)).unwrap();
    }

    fn put_mark_here(bytes: &mut Vec<u8>, records: u64) {
        let offset = bytes.len() as u64;
        put_mark(bytes, offset, records);
    }

    /// Two groups of records, without the closing mark.
    fn journal() -> Vec<u8> {
        let mut bytes = head(&HEAD_OF_7);
        put(&mut bytes, b"one");
        put(&mut bytes, b"two");
        put_mark_here(&mut bytes, 2);
        put(&mut bytes, b"");
        put(&mut bytes, b"four");
        put(&mut bytes, b"five");
        bytes
    }

    #[test]
    fn what_was_put_is_found_again() {
        let found = scan(journal()).unwrap();
        assert_eq!((found.run, found.torn, found.len()), (7, None, 5));
        assert_eq!((found.volume, found.origin), (HEAD_OF_7.volume, HEAD_OF_7.origin));
        assert_eq!((found.kept, found.marked), (2, 2));
        let records: Vec<&[u8]> = found.records().collect();
        assert_eq!(records, [&b"one"[..], b"two", b"", b"four", b"five"]);
    }

    #[test]
    fn a_cut_at_any_byte_leaves_a_prefix() {
        let whole = scan(journal()).unwrap();
        for cut in HEAD..journal().len() {
            let found = scan(journal()[..cut].to_vec()).unwrap();
            assert!(found.records().zip(whole.records()).all(|(a, b)| a == b));
            assert_eq!(found.end() + found.torn.map_or(0, |t| t.bytes), cut as u64);
        }
        for cut in 0..HEAD {
            assert_eq!(scan(journal()[..cut].to_vec()).unwrap_err(), Fault::NoHead);
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_before_a_mark_and_torn_after_the_last() {
        let last_mark = HEAD + 2 * (PREFIX + 3);
        for bit in HEAD * 8..journal().len() * 8 {
            let mut bytes = journal();
            bytes[bit / 8] ^= 1 << (bit % 8);
            match scan(bytes) {
                Err(Fault::Damaged(offset)) => {
                    assert!(bit / 8 < last_mark, "bit {bit}: {offset}");
                    assert!(offset as usize <= bit / 8);
                }
                Ok(found) => {
                    assert!(bit / 8 >= last_mark, "bit {bit} went unseen");
                    assert!(found.torn.is_some() && found.len() >= 2);
                }
                Err(other) => panic!("bit {bit}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_later_page_of_a_torn_group_without_an_earlier_one_is_torn() {
        let mut bytes = journal();
        let four = bytes.len() - 2 * (PREFIX + 4);
        bytes[four..four + PREFIX + 4].fill(0);
        let found = scan(bytes).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found.torn, Some(TornTail { offset: four as u64, bytes: 24 }));
    }

    #[test]
    fn a_mark_with_a_wrong_count_is_damage() {
        let mut bytes = head(&HEAD_OF_7);
        put_mark_here(&mut bytes, 1);
        assert_eq!(scan(bytes).unwrap_err(), Fault::Damaged(HEAD as u64));
    }

    #[test]
    fn records_are_read_one_by_one_as_they_are_read_together() {
        let bytes = journal();
        let whole = scan(bytes.clone()).unwrap();
        let mut records = Vec::new();
        let mut gather = |record: &[u8]| {
            records.push(record.to_vec());
            Ok(())
        };
        each_record(&bytes[HEAD..], whole.end(), &mut gather).unwrap();
        assert_eq!(records, whole.records().collect::<Vec<_>>());
        let mut bad = bytes.clone();
        bad[HEAD + PREFIX] ^= 1;
        let bad = each_record(&bad[HEAD..], whole.end(), |_| Ok(()));
        assert_eq!(bad.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = head(&HEAD_OF_7);
        bytes[8] = 9;
        assert_eq!(scan(bytes).unwrap_err(), Fault::Version(9));
    }
}
