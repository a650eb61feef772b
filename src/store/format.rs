//! The bytes of a journal.
//!
//! A header, then entries; all numbers little-endian:
//!
//! ```text
//! header   "evenkeel"  version u32  run u64  crc32 u32 (of all before it)
//! record   length u32  crc32 u32 (of length and payload)  payload
//! mark     u32::MAX    crc32 u32 (of the rest)            offset u64  records u64
//! ```
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

use std::ops::Range;

const MAGIC: &[u8; 8] = b"evenkeel";
/// The version of the format that this program writes and reads.
pub(super) const VERSION: u32 = 1;
const HEADER: usize = 24;
const MARK: u32 = u32::MAX;
const MARK_LENGTH: usize = 24;
const PREFIX: usize = 8;
/// The longest record in bytes.
pub(super) const LONGEST_RECORD: usize = 1 << 30;

/// What a journal held.
#[derive(Debug)]
pub struct Recovered {
    /// The run that the journal belongs to.
    pub run: u64,
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

    /// How long the part of the file is that counts.
    pub(super) fn end(&self) -> u64 {
        self.torn.map_or(self.bytes.len() as u64, |torn| torn.offset)
    }
}

/// Why bytes are not a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The header is not there or not whole.
    NoHeader,
    /// The header has another version.
    Version(u32),
    /// An entry that was durable is bad; it starts at this offset.
    Damaged(u64),
}

/// The header of the journal of `run`.
pub(super) fn header(run: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(run.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Adds a record to `out`.
pub(super) fn put_record(out: &mut Vec<u8>, payload: &[u8]) {
    assert!(payload.len() <= LONGEST_RECORD, "a record of {} bytes", payload.len());
    put(out, payload.len() as u32, payload);
}

/// The mark that belongs at `offset`, after so many `records`.
pub(super) fn mark(offset: u64, records: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(MARK_LENGTH);
    put(&mut out, MARK, &[offset.to_le_bytes(), records.to_le_bytes()].concat());
    out
}

fn put(out: &mut Vec<u8>, length: u32, payload: &[u8]) {
    out.extend(length.to_le_bytes());
    out.extend(checksum(&length.to_le_bytes(), payload).to_le_bytes());
    out.extend(payload);
}

fn checksum(length: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(payload);
    hasher.finalize()
}

/// Finds the records in the `bytes` of a journal.
pub(super) fn scan(bytes: Vec<u8>) -> Result<Recovered, Fault> {
    let run = read_header(&bytes)?;
    let mut records = Vec::new();
    let mut at = HEADER;
    let mut torn = None;
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
            }
            _ if mark_follows(&bytes, at) => return Err(Fault::Damaged(at as u64)),
            _ => {
                torn = Some(TornTail { offset: at as u64, bytes: (bytes.len() - at) as u64 });
                break;
            }
        }
    }
    Ok(Recovered { run, torn, bytes, records })
}

enum Entry {
    Record(Range<usize>),
    Mark { offset: u64, count: u64 },
}

fn read_header(bytes: &[u8]) -> Result<u64, Fault> {
    if !bytes.starts_with(MAGIC) {
        return Err(Fault::NoHeader);
    }
    // The version first: the rest of another version's header may look different.
    let version = u32_at(bytes, 8).ok_or(Fault::NoHeader)?;
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    let run = u64_at(bytes, 12).ok_or(Fault::NoHeader)?;
    let whole = u32_at(bytes, 20) == Some(crc32fast::hash(&bytes[..20]));
    if whole { Ok(run) } else { Err(Fault::NoHeader) }
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

    /// Two groups of records, without the closing mark.
    fn journal() -> Vec<u8> {
        let mut bytes = header(7);
        put_record(&mut bytes, b"one");
        put_record(&mut bytes, b"two");
        bytes.extend(mark(bytes.len() as u64, 2));
        put_record(&mut bytes, b"");
        put_record(&mut bytes, b"four");
        put_record(&mut bytes, b"five");
        bytes
    }

    #[test]
    fn what_was_put_is_found_again() {
        let found = scan(journal()).unwrap();
        assert_eq!((found.run, found.torn, found.len()), (7, None, 5));
        let records: Vec<&[u8]> = found.records().collect();
        assert_eq!(records, [&b"one"[..], b"two", b"", b"four", b"five"]);
    }

    #[test]
    fn a_cut_at_any_byte_leaves_a_prefix() {
        let whole = scan(journal()).unwrap();
        for cut in HEADER..journal().len() {
            let found = scan(journal()[..cut].to_vec()).unwrap();
            assert!(found.records().zip(whole.records()).all(|(a, b)| a == b));
            assert_eq!(found.end() + found.torn.map_or(0, |t| t.bytes), cut as u64);
        }
        for cut in 0..HEADER {
            assert_eq!(scan(journal()[..cut].to_vec()).unwrap_err(), Fault::NoHeader);
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_before_a_mark_and_torn_after_the_last() {
        let last_mark = HEADER + 2 * (PREFIX + 3);
        for bit in HEADER * 8..journal().len() * 8 {
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
        let mut bytes = header(7);
        bytes.extend(mark(HEADER as u64, 1));
        assert_eq!(scan(bytes).unwrap_err(), Fault::Damaged(HEADER as u64));
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = header(7);
        bytes[8] = 9;
        assert_eq!(scan(bytes).unwrap_err(), Fault::Version(9));
    }
}
