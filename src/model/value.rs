//! What a kernel is given and what it gives back.

use std::fmt;

/// A value that moves between kernels, into the record and back to the submitter.
///
/// Maps keep the order in which they were written and are looked up by scanning: they are
/// argument lists, not tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Unit,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes whose meaning only the kernels know.
    Bytes(Vec<u8>),
    /// A dense vector of numbers, without a tag per element.
    Floats(Vec<f64>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values in the order written.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under `name`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The number, if this is a whole or floating-point one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The whole number, if this is one, or a float without a fraction.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in a word, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Unit => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Floats(_) => "numbers",
            Value::List(_) => "a list",
            Value::Map(_) => "a table",
        }
    }

    /// Bytes that this value takes in memory beyond itself, roughly; what limits on the size
    /// of results are measured by.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Value::Unit | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Floats(numbers) => numbers.len() * 8,
            Value::List(items) => items.iter().map(|v| v.size() + 1).sum(),
            Value::Map(entries) => entries.iter().map(|(k, v)| k.len() + v.size() + 2).sum(),
        }
    }
}

impl fmt::Display for Value {
    /// As a command line or a path would have it: text bare, lists separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T>(
            f: &mut fmt::Formatter<'_>,
            items: &[T],
            one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
        ) -> fmt::Result {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    f.write_str(",")?;
                }
                one(f, item)?;
            }
            Ok(())
        }
        match self {
            Value::Unit => Ok(()),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x}"),
            Value::Text(text) => f.write_str(text),
            Value::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Value::Floats(numbers) => list(f, numbers, |f, x| write!(f, "{x}")),
            Value::List(items) => list(f, items, |f, v| write!(f, "{v}")),
            Value::Map(entries) => list(f, entries, |f, (k, v)| write!(f, "{k}={v}")),
        }
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, f64 => Float, f32 => Float,
      String => Text, &str => Text, Vec<u8> => Bytes, Vec<f64> => Floats, Vec<Value> => List);

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Unit
    }
}
