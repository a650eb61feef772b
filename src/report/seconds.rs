//! Times and spans as seconds in JSON. A double holds nanoseconds exactly up to 100 days.

use serde::{Deserialize, Deserializer, Serializer};

use crate::model::Span;

/// Appends the same text as is [serialised](serialize), without a double in between.
pub(super) fn put(span: Span, out: &mut Vec<u8>) {
    /// Less than this is written with an exponent.
    const SMALL: u64 = 10_000;
    /// From here on a double may not have the last digit.
    const LARGE: u64 = 1_000_000_000_000_000;
    match span.0 {
        nanos @ 1..SMALL => put_small(nanos as u32, out),
        nanos @ (0 | SMALL..LARGE) => put_plain(nanos, out),
        _ => serde_json::to_writer(out, &span.as_secs()).expect("a number has a form"),
    }
}

fn put_plain(nanos: u64, out: &mut Vec<u8>) {
    const SECOND: u64 = 1_000_000_000;
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(nanos / SECOND).as_bytes());
    // With a one before it no zero at its front is lost; the point takes its place.
    let fraction = &digits.format((SECOND + nanos % SECOND) as u32).as_bytes()[1..];
    let end = fraction.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&fraction[..end]);
}

fn put_small(nanos: u32, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(nanos);
    let exponent = b'9' + 1 - digits.len() as u8;
    let (first, rest) = digits.trim_end_matches('0').split_at(1);
    out.extend_from_slice(first.as_bytes());
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
    out.extend_from_slice(&[b'e', b'-', exponent]);
}

pub(super) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    f64::deserialize(deserializer).map(Span::from_secs_f64)
}

/// Times that may be missing.
pub(super) mod time {
    use serde::{Deserialize, Deserializer};

    use crate::model::{Span, Time};

    pub(in crate::report) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds.map(|s| Time::ZERO + Span::from_secs_f64(s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_what_is_serialised() {
        let ends = [0, 1, 999, 9_999, 10_000, 999_999_999_999_999, 1_000_000_000_000_000, u64::MAX];
        let powers = (0..64).map(|bit| 1u64 << bit);
        let edges = ends.into_iter().chain(powers).flat_map(|n| [n, n.wrapping_add(1)]);
        // Of every length, with zeros at their ends and without.
        let mixed = (1..100_000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 64));
        let rounded = mixed.clone().map(|n| n / 1_000_000 * 1_000_000);
        for span in edges.chain(mixed).chain(rounded).map(Span) {
            let mut text = Vec::new();
            put(span, &mut text);
            assert_eq!(text, serde_json::to_vec(&span.as_secs()).unwrap(), "{span:?}");
        }
    }
}
