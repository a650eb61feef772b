//! How nouns become bytes and come back: the rules, the primitive types, and below, the nouns of
//! [`model`](crate::model). What else travels, a message or an entry of the journal, follows the
//! same rules in the room that it belongs to.
//!
//! Integers are little-endian base-128 ([LEB128](https://en.wikipedia.org/wiki/LEB128)), signed
//! ones zigzag first; a sequence is its length and its items; an enum is a tag byte and its
//! fields. The format is not self-describing: both sides have the same version, which the frame
//! header proves before anything else is read.
//!
//! Reading never panics and never reserves more than the bytes at hand can fill, whatever a
//! peer or a disk gives it.

mod nouns;

use std::ffi::CString;
use std::sync::Arc;

use super::{Body, Name, Shared, Work};

/// What can be written to bytes and read back equal.
pub trait Wire: Sized {
    /// Appends itself to `out`.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads one from the front of `bytes` and moves past it.
    ///
    /// # Errors
    /// If the bytes end early or do not make sense.
    fn get(bytes: &mut Reader<'_>) -> Result<Self, Garbled>;

    /// Itself alone, as bytes.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// One that fills `bytes` from end to end.
    ///
    /// # Errors
    /// If there is less, more, or something else.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Garbled> {
        let mut reader = Reader { bytes, depth: 0 };
        let value = Self::get(&mut reader)?;
        if reader.bytes.is_empty() { Ok(value) } else { Err(Garbled("bytes after the end")) }
    }
}

/// Bytes that do not decode, and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled(pub &'static str);

impl std::fmt::Display for Garbled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "garbled message: {}", self.0)
    }
}

impl std::error::Error for Garbled {}

/// What is left to read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Values nest this deep at most, so that a forged one cannot overflow the stack.
    const DEPTH: u32 = 64;

    fn take(&mut self, n: usize) -> Result<&'a [u8], Garbled> {
        let (head, rest) = self.bytes.split_at_checked(n).ok_or(Garbled("it ends early"))?;
        self.bytes = rest;
        Ok(head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Garbled> {
        Ok(self.take(1)?[0])
    }

    /// A length of a sequence. Each item takes at least a byte, so that what is left bounds it.
    fn len(&mut self) -> Result<usize, Garbled> {
        let n = usize::try_from(u64::get(self)?).map_err(|_| Garbled("a length"))?;
        if n <= self.bytes.len() { Ok(n) } else { Err(Garbled("a length beyond the end")) }
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Garbled>,
    ) -> Result<T, Garbled> {
        if self.depth == Self::DEPTH {
            return Err(Garbled("a value nested too deep"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }
}

impl Wire for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        // Most are small; for what is longer there is made room once.
        if rest < 0x80 {
            return out.push(rest as u8);
        }
        let (mut bytes, mut last) = ([0; 10], 0);
        while rest >= 0x80 {
            bytes[last] = rest as u8 | 0x80;
            rest >>= 7;
            last += 1;
        }
        bytes[last] = rest as u8;
        out.extend_from_slice(&bytes[..=last]);
    }

    fn get(bytes: &mut Reader<'_>) -> Result<u64, Garbled> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = bytes.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Garbled("a number beyond 64 bits"))
    }
}

macro_rules! narrow {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            fn put(&self, out: &mut Vec<u8>) {
                u64::from(*self).put(out);
            }
            fn get(bytes: &mut Reader<'_>) -> Result<$int, Garbled> {
                <$int>::try_from(u64::get(bytes)?).map_err(|_| Garbled("a number too large"))
            }
        }
    )*};
}
narrow!(u16, u32);

impl Wire for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        (((self << 1) ^ (self >> 63)) as u64).put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<i64, Garbled> {
        let n = u64::get(bytes)?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }
}

impl Wire for i32 {
    fn put(&self, out: &mut Vec<u8>) {
        i64::from(*self).put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<i32, Garbled> {
        i32::try_from(i64::get(bytes)?).map_err(|_| Garbled("a number too large"))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(bytes: &mut Reader<'_>) -> Result<bool, Garbled> {
        match bytes.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Garbled("a boolean")),
        }
    }
}

impl Wire for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_bits().to_le_bytes());
    }
    fn get(bytes: &mut Reader<'_>) -> Result<f64, Garbled> {
        let raw = bytes.take(8)?.try_into().map_err(|_| Garbled("a float"))?;
        Ok(f64::from_bits(u64::from_le_bytes(raw)))
    }
}

impl Wire for () {
    fn put(&self, _: &mut Vec<u8>) {}
    fn get(_: &mut Reader<'_>) -> Result<(), Garbled> {
        Ok(())
    }
}

fn put_block(block: &[u8], out: &mut Vec<u8>) {
    (block.len() as u64).put(out);
    out.extend(block);
}

fn get_block<'a>(bytes: &mut Reader<'a>) -> Result<&'a [u8], Garbled> {
    let n = bytes.len()?;
    bytes.take(n)
}

/// A block. That a byte alone is no [`Wire`] keeps this apart from other sequences, which are
/// written item by item.
impl Wire for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self, out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Vec<u8>, Garbled> {
        Ok(get_block(bytes)?.to_vec())
    }
}

impl Wire for CString {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<CString, Garbled> {
        CString::new(get_block(bytes)?).map_err(|_| Garbled("text with a zero byte"))
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<String, Garbled> {
        let text = std::str::from_utf8(get_block(bytes)?).map_err(|_| Garbled("text"))?;
        Ok(text.to_owned())
    }
}

impl Wire for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Box<str>, Garbled> {
        Ok(String::get(bytes)?.into_boxed_str())
    }
}

impl Wire for Name {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Name, Garbled> {
        Arc::<str>::get(bytes).map(Name::from)
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Arc<str>, Garbled> {
        let text = std::str::from_utf8(get_block(bytes)?).map_err(|_| Garbled("text"))?;
        Ok(text.into())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Vec<T>, Garbled> {
        let n = bytes.len()?;
        // Items may be far larger in memory than on the wire: reserve for what is likely.
        let mut items = Vec::with_capacity(n.min(1024));
        for _ in 0..n {
            items.push(T::get(bytes)?);
        }
        Ok(items)
    }
}

impl<T: Wire> Wire for Box<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Box<[T]>, Garbled> {
        Ok(Vec::get(bytes)?.into_boxed_slice())
    }
}

/// The items alone: both sides know how many.
impl<T: Wire, const N: usize> Wire for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.put(out));
    }
    fn get(bytes: &mut Reader<'_>) -> Result<[T; N], Garbled> {
        let items = (0..N).map(|_| T::get(bytes)).collect::<Result<Vec<T>, Garbled>>()?;
        items.try_into().map_err(|_| Garbled("an array"))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Option<T>, Garbled> {
        if bool::get(bytes)? { Ok(Some(T::get(bytes)?)) } else { Ok(None) }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<(A, B), Garbled> {
        Ok((A::get(bytes)?, B::get(bytes)?))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Box<T>, Garbled> {
        bytes.nested(T::get).map(Box::new)
    }
}

/// Shared things are written out each time; most are the default, which is one byte.
impl<T: Wire + Shared + PartialEq> Wire for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        let shared = T::shared();
        let plain = Arc::ptr_eq(self, &shared) || *self == shared;
        plain.put(out);
        if !plain {
            (**self).put(out);
        }
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Arc<T>, Garbled> {
        if bool::get(bytes)? { Ok(T::shared()) } else { T::get(bytes).map(Arc::new) }
    }
}

/// Without a default there is no byte for it.
macro_rules! wire_arc {
    ($($name:ident)*) => {$(
        impl Wire for Arc<$name> {
            fn put(&self, out: &mut Vec<u8>) {
                (**self).put(out);
            }
            fn get(bytes: &mut Reader<'_>) -> Result<Self, Garbled> {
                $name::get(bytes).map(Arc::new)
            }
        }
    )*};
}

wire_arc! { Body Work }

impl<T: Wire> Wire for Arc<Vec<T>> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Arc<Vec<T>>, Garbled> {
        Vec::get(bytes).map(Arc::new)
    }
}

impl<T: Wire> Wire for Arc<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Arc<[T]>, Garbled> {
        Ok(Vec::get(bytes)?.into())
    }
}

/// A struct is its fields in the order given here.
macro_rules! wire_struct {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::model::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn get(
                bytes: &mut $crate::model::wire::Reader<'_>,
            ) -> Result<Self, $crate::model::wire::Garbled> {
                Ok($name { $($field: $crate::model::wire::Wire::get(bytes)?),* })
            }
        }
    )*};
}
pub(crate) use wire_struct;

/// A struct around one number is that number.
macro_rules! wire_newtype {
    ($($name:ident)*) => {$(
        impl $crate::model::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn get(
                bytes: &mut $crate::model::wire::Reader<'_>,
            ) -> Result<Self, $crate::model::wire::Garbled> {
                Ok($name($crate::model::wire::Wire::get(bytes)?))
            }
        }
    )*};
}
pub(crate) use wire_newtype;

/// An enum is the tag given here, then the fields of the variant. Tags are never reused.
macro_rules! wire_enum {
    ($($name:ident { $($tag:literal => $variant:ident
        $(( $($place:ident),* ))? $({ $($field:ident),* $(,)? })?),* $(,)? })*) => {$(
        impl $crate::model::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $(( $($place),* ))? $({ $($field),* })? => {
                        out.push($tag);
                        $($($place.put(out);)*)?
                        $($($field.put(out);)*)?
                    })*
                }
            }
            fn get(
                bytes: &mut $crate::model::wire::Reader<'_>,
            ) -> Result<Self, $crate::model::wire::Garbled> {
                match bytes.byte()? {
                    $($tag => {
                        $($(let $place = $crate::model::wire::Wire::get(bytes)?;)*)?
                        $($(let $field = $crate::model::wire::Wire::get(bytes)?;)*)?
                        Ok($name::$variant $(( $($place),* ))? $({ $($field),* })?)
                    })*
                    _ => Err($crate::model::wire::Garbled(stringify!($name))),
                }
            }
        }
    )*};
}
pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(a: u64, b: i64, c: f64, d: Option<u32>) {
            prop_assert_eq!(u64::from_bytes(&a.to_bytes()), Ok(a));
            prop_assert_eq!(i64::from_bytes(&b.to_bytes()), Ok(b));
            prop_assert_eq!(f64::from_bytes(&c.to_bytes()).unwrap().to_bits(), c.to_bits());
            prop_assert_eq!(Option::<u32>::from_bytes(&d.to_bytes()), Ok(d));
        }

        #[test]
        fn text_and_lists_come_back(list: Vec<(u16, String)>) {
            let list: Vec<(u16, String)> = list;
            prop_assert_eq!(Vec::from_bytes(&list.to_bytes()), Ok(list));
        }
    }

    #[test]
    fn bytes_are_a_block_and_arrays_their_items() {
        let bytes = vec![0u8, 0x80, 0xff];
        assert_eq!(bytes.to_bytes(), [3, 0, 0x80, 0xff]);
        assert_eq!(Vec::<u8>::from_bytes(&bytes.to_bytes()), Ok(bytes));
        let pair = [Some(7u32), None];
        assert_eq!(pair.to_bytes(), [1, 7, 0]);
        assert_eq!(<[Option<u32>; 2]>::from_bytes(&[1, 7, 0]), Ok(pair));
        assert!(<[Option<u32>; 2]>::from_bytes(&[1, 7]).is_err());
        assert_eq!(CString::from_bytes(&[1, b'a']), Ok(c"a".to_owned()));
        assert!(CString::from_bytes(&[2, b'a', 0]).is_err());
    }

    #[test]
    fn a_forged_length_reserves_nothing() {
        let mut forged = Vec::new();
        u64::MAX.put(&mut forged);
        let read = Vec::<u64>::from_bytes(&forged);
        assert_eq!(read, Err(Garbled("a length beyond the end")));
    }

    #[test]
    fn a_number_of_eleven_bytes_is_refused() {
        assert!(u64::from_bytes(&[0xff; 11]).is_err());
        let mut too_big = vec![0xff; 9];
        too_big.push(2);
        assert!(u64::from_bytes(&too_big).is_err());
    }
}
