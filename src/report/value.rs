//! Values in JSON.
//!
//! Nothing is `null`, and so is a number that JSON does not have (infinite, not a number).
//! Bytes are `{"$bytes": "00ff"}`. A list of floating-point numbers alone is read as
//! [`Value::Floats`], whether or not it was one.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::model::Value;

/// The key of the table that stands for bytes.
const BYTES: &str = "$bytes";

/// Reads one.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Read::deserialize(from).map(|Read(value)| value)
}

/// Reads a table by itself.
pub(super) fn table<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, Value)>, D::Error> {
    match Read::deserialize(from)? {
        Read(Value::Map(entries)) => Ok(entries),
        Read(other) => {
            Err(de::Error::invalid_type(de::Unexpected::Other(other.kind()), &"a table"))
        }
    }
}

/// A table by itself, as it is written.
pub(super) struct Table<'a>(pub(super) &'a [(String, Value)]);

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, &Written(value))?;
        }
        map.end()
    }
}

/// A value, as it is written.
pub(super) struct Written<'a>(pub(super) &'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Unit => to.serialize_unit(),
            Value::Bool(b) => to.serialize_bool(*b),
            Value::Int(n) => to.serialize_i64(*n),
            Value::Float(x) => to.serialize_f64(*x),
            Value::Text(text) => to.serialize_str(text),
            Value::Bytes(bytes) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry(BYTES, &hex(bytes))?;
                map.end()
            }
            Value::Floats(numbers) => to.collect_seq(numbers),
            Value::List(items) => to.collect_seq(items.iter().map(Written)),
            Value::Map(entries) => Table(entries).serialize(to),
        }
    }
}

struct Read(Value);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Read, D::Error> {
        from.deserialize_any(ValueVisitor).map(Read)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Unit)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Read(item)) = seq.next_element()? {
            items.push(item);
        }
        let float = |item: &Value| match item {
            Value::Float(x) => Some(*x),
            _ => None,
        };
        let floats: Option<Vec<f64>> = items.iter().map(float).collect();
        let numbers = floats.filter(|numbers| !numbers.is_empty());
        Ok(numbers.map_or(Value::List(items), Value::Floats))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while let Some((key, Read(value))) = map.next_entry()? {
            entries.push((key, value));
        }
        if let [(key, Value::Text(text))] = &entries[..]
            && key == BYTES
        {
            let bytes = unhex(text).ok_or_else(|| de::Error::custom("bytes that are not hex"))?;
            return Ok(Value::Bytes(bytes));
        }
        Ok(Value::Map(entries))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(pairs.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}
