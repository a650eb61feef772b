//! TOML tables, with the place of every key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Report, quote};
use super::nearest::suggest;

/// A value of the document with its place.
pub(super) type Entry<'t, 'a> = &'t Spanned<DeValue<'a>>;
/// A key of the document with its place.
pub(super) type Key<'t, 'a> = &'t Spanned<DeString<'a>>;

/// A document. Dotted keys in nested tables make it a few thousand levels deep, more than a
/// small stack has room for when each level drops the next one; here they drop one by one.
pub(super) struct Document<'a>(DeTable<'a>);

impl<'a> Document<'a> {
    pub(super) fn table(&self) -> &DeTable<'a> {
        &self.0
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        let mut left = vec![DeValue::Table(std::mem::take(&mut self.0))];
        while let Some(value) = left.pop() {
            match value {
                DeValue::Table(table) => {
                    left.extend(table.into_iter().map(|(_, value)| value.into_inner()));
                }
                DeValue::Array(list) => left.extend(list.into_iter().map(Spanned::into_inner)),
                _ => {}
            }
        }
    }
}

/// A table all of whose keys are known.
pub(super) struct Fields<'t, 'a> {
    table: &'t DeTable<'a>,
    /// Where the table begins.
    pub(super) span: Range<usize>,
    /// Whether it has a key that is not known, which may be what is missing.
    mistyped: bool,
}

impl<'t, 'a> Fields<'t, 'a> {
    /// The keys of `table`; those that are not `known` are reported.
    pub(super) fn open(
        report: &mut Report<'a>,
        table: &'t DeTable<'a>,
        span: Range<usize>,
        known: &[&str],
    ) -> Fields<'t, 'a> {
        let mut mistyped = false;
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            mistyped = true;
            let name = key.get_ref();
            let what = format!("unknown key {}", quote(name));
            report.error(&key.span(), what, suggest(name, known));
        }
        Fields { table, span, mistyped }
    }

    /// Reports what is not there, unless there is a key that may have been meant for it.
    pub(super) fn missing(
        &self,
        report: &mut Report<'a>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.mistyped {
            report.error(&self.span, what, help);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<'t, 'a>> {
        self.table.get(key)
    }

    /// The key itself, for its place.
    pub(super) fn key(&self, key: &str) -> Option<Key<'t, 'a>> {
        self.table.get_key_value(key).map(|(key, _)| key)
    }

    /// Whether any of `keys` is there.
    pub(super) fn any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.table.contains_key(*key))
    }
}

/// The entries of a table in the order of the file.
pub(super) fn in_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<(Key<'t, 'a>, Entry<'t, 'a>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

impl<'a> Report<'a> {
    /// The document as TOML.
    pub(super) fn parse_toml(&mut self) -> Option<Document<'a>> {
        // `parse` would drop by itself what it has when it meets an error.
        let (mut table, errors) = DeTable::parse_recoverable(self.source.text);
        let document = Document(std::mem::take(table.get_mut()));
        let Some(error) = errors.first() else { return Some(document) };
        let end = self.source.text.len();
        let span = error.span().unwrap_or(end..end);
        let what = format!("not TOML: {}", error.message().replace('\n', ", "));
        self.error(&span, what, syntax_help(error.message()));
        None
    }
}

/// The mend for the most common ways in which a file is not TOML.
fn syntax_help(message: &str) -> &'static str {
    let mends = [
        ("duplicate key", "give each key once; what repeats goes under [[…]] with two brackets"),
        ("array", "put commas between the elements of a list, and `]` at its end"),
        ("string", "text stands between double quotes: \"…\"; a backslash in it is written \\\\"),
        ("recurse", "nest less deeply"),
        ("recursion", "nest less deeply"),
        ("key", "write `key = value`, one to a line, text between double quotes"),
        ("`]`", "close the list or the table's name with `]`"),
    ];
    let found = mends.iter().find(|(word, _)| message.contains(word));
    found.map_or("see https://toml.io for how TOML is written", |(_, mend)| mend)
}
