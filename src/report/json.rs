//! JSON where there is much of it to write: what a line of a records file is made of. Anything in it
//! that may be of any shape goes through `serde_json`.

use super::record::ExitLine;
use super::seconds;
use super::value::{Table, Written};
use crate::model::{CoreId, Span, Time};

/// What has a form in JSON.
pub(super) trait Json {
    /// Appends itself to `out`.
    fn put(&self, out: &mut Vec<u8>);
}

/// Appends the pairs of a table, each after a comma.
macro_rules! pairs {
    ($out:ident => $($key:literal: $value:expr),+ $(,)?) => {{$(
        $out.extend_from_slice(concat!(",\"", $key, "\":").as_bytes());
        Json::put(&$value, $out);
    )+}};
}
pub(super) use pairs;

macro_rules! integers {
    ($($int:ty)+) => {$(
        impl Json for $int {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
            }
        }
    )+};
}
integers! { u16 i32 u32 u64 }

macro_rules! by_serde {
    ($($shape:ty)+) => {$(
        impl Json for $shape {
            fn put(&self, out: &mut Vec<u8>) {
                serde_json::to_writer(out, self).expect("it has only text as keys");
            }
        }
    )+};
}
by_serde! { ExitLine Table<'_> Written<'_> }

impl Json for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Json for str {
    fn put(&self, out: &mut Vec<u8>) {
        let stands_for_itself = |byte: &u8| *byte >= b' ' && !matches!(byte, b'"' | b'\\');
        if self.as_bytes().iter().all(stands_for_itself) {
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            serde_json::to_writer(out, self).expect("text has a form");
        }
    }
}

impl Json for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

impl<T: Json> Json for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Json for Span {
    fn put(&self, out: &mut Vec<u8>) {
        seconds::put(*self, out);
    }
}

impl Json for Time {
    fn put(&self, out: &mut Vec<u8>) {
        seconds::put(self.since(Time::ZERO), out);
    }
}

impl Json for [CoreId] {
    fn put(&self, out: &mut Vec<u8>) {
        let mut before = b'[';
        for core in self {
            out.push(before);
            core.0.put(out);
            before = b',';
        }
        out.extend_from_slice(if self.is_empty() { b"[]" } else { b"]" });
    }
}
