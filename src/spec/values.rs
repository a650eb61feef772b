//! The values behind keys, of the kind that is expected there.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::de::{DeArray, DeFloat, DeInteger, DeTable, DeValue};

use super::error::{Report, quote};
use super::fields::{Entry, Fields, in_order};
use super::units::{DURATION_HELP, SIZE_HELP, UnitError, parse_duration, parse_size};
use crate::model::{Span, Value};

/// How deep values may be nested.
const DEEPEST: usize = 32;

/// What kind of value this is, in a word.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn to_integer(n: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(n.as_str(), n.radix()).ok()
}

fn to_float(x: &DeFloat<'_>) -> Option<f64> {
    x.as_str().parse().ok()
}

/// A number that is written as one, with the digits behind its point.
pub(super) enum Number {
    Whole(i128),
    Fraction { value: f64, digits: Option<usize> },
}

impl Number {
    pub(super) fn as_f64(&self) -> f64 {
        match self {
            Number::Whole(n) => *n as f64,
            Number::Fraction { value, .. } => *value,
        }
    }

    /// The number, if that is what `value` is.
    pub(super) fn of(value: &DeValue<'_>) -> Option<Number> {
        match value {
            DeValue::Integer(n) => to_integer(n).map(Number::Whole),
            DeValue::Float(x) => {
                let text = x.as_str();
                let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
                let digits = (!text.contains(['e', 'E'])).then_some(behind);
                to_float(x).map(|value| Number::Fraction { value, digits })
            }
            _ => None,
        }
    }
}

impl<'a> Report<'a> {
    fn wrong_kind(&mut self, value: Entry<'_, 'a>, key: &str, expected: &str, help: &str) {
        let found = kind(value.get_ref());
        let what = format!("`{key}` is {found} where {expected} is expected");
        self.error(&value.span(), what, help);
    }

    pub(super) fn text<'t>(
        &mut self,
        value: Entry<'t, 'a>,
        key: &str,
        help: &str,
    ) -> Option<&'t str> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_kind(value, key, "text", help);
            return None;
        };
        if text.contains('\0') {
            let what = format!("`{key}` holds a zero byte");
            self.error(&value.span(), what, "the system cannot pass it on; leave it out");
            return None;
        }
        Some(text)
    }

    /// A name: text that is not empty, or a whole number taken as text.
    pub(super) fn name<'t>(
        &mut self,
        value: Entry<'t, 'a>,
        key: &str,
    ) -> Option<std::borrow::Cow<'t, str>> {
        if let DeValue::Integer(n) = value.get_ref() {
            return Some(n.to_string().into());
        }
        let text = self.text(value, key, &format!("write {key} = \"…\""))?;
        if text.is_empty() {
            let what = format!("`{key}` is empty");
            self.error(&value.span(), what, "give it a name, or leave the key out");
            return None;
        }
        if text.chars().any(char::is_control) {
            let what = format!("`{key}` holds a control character");
            self.error(&value.span(), what, "names are one line of printable text");
            return None;
        }
        Some(text.into())
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &mut self,
        value: Entry<'_, 'a>,
        key: &str,
        range: RangeInclusive<i128>,
    ) -> Option<i128> {
        let DeValue::Integer(n) = value.get_ref() else {
            let help = format!("write it without quotes and fraction: {key} = {}", range.start());
            self.wrong_kind(value, key, "a whole number", &help);
            return None;
        };
        let number = to_integer(n).filter(|n| range.contains(n));
        if number.is_none() {
            let below = to_integer(n).is_some_and(|n| n < *range.start());
            let mend = match below {
                true => format!("{} or more", range.start()),
                false => format!("at most {}", range.end()),
            };
            self.out_of_range(value, key, n.as_str(), mend);
        }
        number
    }

    pub(super) fn out_of_range(
        &mut self,
        value: Entry<'_, 'a>,
        key: &str,
        found: &str,
        mend: impl Display,
    ) {
        let what = format!("`{key}` is {}, out of range", quote(found));
        self.error(&value.span(), what, format!("give {mend}"));
    }

    /// A finite number from zero up.
    pub(super) fn amount(&mut self, value: Entry<'_, 'a>, key: &str) -> Option<f64> {
        let Some(number) = Number::of(value.get_ref()) else {
            self.wrong_kind(value, key, "a number", &format!("write it without quotes: {key} = 1"));
            return None;
        };
        let number = number.as_f64();
        if number.is_finite() && number >= 0.0 {
            return Some(number);
        }
        let what = format!("`{key}` is {number}, out of range");
        self.error(&value.span(), what, "give a number that is finite and not negative");
        None
    }

    /// A duration: text with units, or seconds.
    pub(super) fn duration(&mut self, value: Entry<'_, 'a>, key: &str) -> Option<Span> {
        self.with_unit(value, key, "a duration", DURATION_HELP, parse_duration, |seconds| {
            // A float below 2^64 fits when converted; the limit itself does not.
            (seconds * 1e9 < u64::MAX as f64).then(|| Span::from_secs_f64(seconds))
        })
    }

    /// A size in bytes: text with units, or bytes.
    pub(super) fn size(&mut self, value: Entry<'_, 'a>, key: &str) -> Option<u64> {
        self.with_unit(value, key, "a size", SIZE_HELP, parse_size, |bytes| {
            (bytes < u64::MAX as f64 && bytes.fract() == 0.0).then_some(bytes as u64)
        })
    }

    fn with_unit<T>(
        &mut self,
        value: Entry<'_, 'a>,
        key: &str,
        expected: &str,
        help: &str,
        parse: impl Fn(&str) -> Result<T, UnitError>,
        convert: impl Fn(f64) -> Option<T>,
    ) -> Option<T> {
        let parsed = match value.get_ref() {
            DeValue::String(text) => parse(text),
            // What is written exactly is read exactly.
            DeValue::Integer(n) if to_integer(n).is_some_and(|n| n >= 0) => {
                parse(&to_integer(n).unwrap_or_default().to_string())
            }
            DeValue::Integer(_) | DeValue::Float(_) => {
                let number = self.amount(value, key)?;
                let Some(converted) = convert(number) else {
                    let what = format!("`{key}` is {number}, which is not {expected}");
                    self.error(&value.span(), what, help);
                    return None;
                };
                Ok(converted)
            }
            _ => {
                self.wrong_kind(value, key, expected, help);
                return None;
            }
        };
        parsed
            .map_err(|error| {
                let what = format!("`{key}`: {}", error.what());
                self.error(&value.span(), what, error.help());
            })
            .ok()
    }

    pub(super) fn list<'t>(
        &mut self,
        value: Entry<'t, 'a>,
        key: &str,
        help: &str,
    ) -> Option<&'t DeArray<'a>> {
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_kind(value, key, "a list", help);
            return None;
        };
        Some(list)
    }

    pub(super) fn table<'t>(
        &mut self,
        value: Entry<'t, 'a>,
        key: &str,
        help: &str,
    ) -> Option<&'t DeTable<'a>> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_kind(value, key, "a table", help);
            return None;
        };
        Some(table)
    }

    /// The elements of `[[key]]`, each with its place; none if the key is not there.
    pub(super) fn tables<'t>(
        &mut self,
        fields: &Fields<'t, 'a>,
        key: &str,
    ) -> Vec<(&'t DeTable<'a>, Range<usize>)> {
        let help = format!("begin each one with the line [[{key}]]");
        let Some(value) = fields.get(key) else { return Vec::new() };
        let Some(list) = self.list(value, key, &help) else { return Vec::new() };
        let mut tables = Vec::with_capacity(list.len());
        for value in list.iter() {
            tables.extend(self.table(value, key, &help).map(|table| (table, value.span())));
        }
        tables
    }

    /// Any value, for kernels and records.
    pub(super) fn value(&mut self, value: Entry<'_, 'a>, key: &str) -> Option<Value> {
        self.value_at(value, key, DEEPEST)
    }

    fn value_at(&mut self, value: Entry<'_, 'a>, key: &str, depth: usize) -> Option<Value> {
        if depth == 0 {
            let what = format!("`{key}` is nested more than {DEEPEST} deep");
            self.error(&value.span(), what, "put what is inside into a file, or make it flat");
            return None;
        }
        match value.get_ref() {
            DeValue::String(text) => Some(Value::Text(text.to_string())),
            DeValue::Boolean(b) => Some(Value::Bool(*b)),
            DeValue::Integer(n) => {
                let number = to_integer(n).and_then(|n| i64::try_from(n).ok());
                if number.is_none() {
                    self.out_of_range(value, key, n.as_str(), "a number of at most 64 bits");
                }
                number.map(Value::Int)
            }
            DeValue::Float(x) => to_float(x).map(Value::Float),
            DeValue::Datetime(_) => {
                self.wrong_kind(
                    value,
                    key,
                    "text, a number, a list or a table",
                    "put it in quotes",
                );
                None
            }
            DeValue::Array(list) => {
                let items: Vec<_> =
                    list.iter().map(|item| self.value_at(item, key, depth - 1)).collect();
                items.into_iter().collect::<Option<Vec<Value>>>().map(Value::List)
            }
            DeValue::Table(table) => {
                let mut entries = Vec::with_capacity(table.len());
                for (name, item) in in_order(table) {
                    let item = self.value_at(item, name.get_ref(), depth - 1)?;
                    entries.push((name.get_ref().to_string(), item));
                }
                Some(Value::Map(entries))
            }
        }
    }
}
