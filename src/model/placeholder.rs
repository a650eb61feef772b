//! `%{NAME}` in commands, paths, variables and names.
//!
//! Filled in are the parameters of a sweep and, where a task runs, `JOB_ID`, `TASK_ID`,
//! `TASK_NAME`, `ATTEMPT` and `NODE`. `%%{` stands for a literal `%{`. What is not known stays
//! as it is: a job is checked for unknown names before it runs.

use super::Value;

/// The placeholders that are known wherever a task runs.
pub const AT_RUN: [&str; 5] = ["JOB_ID", "TASK_ID", "TASK_NAME", "ATTEMPT", "NODE"];

/// `text` with each `%{name}` of `values` replaced.
#[must_use]
pub fn fill(text: &str, values: &[(String, Value)]) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Escape => out.push_str("%{"),
            Piece::Name(name) => match values.iter().find(|(key, _)| key == name) {
                Some((_, value)) => out.push_str(&value.to_string()),
                None => out.extend(["%{", name, "}"]),
            },
        }
    }
    out
}

/// `value` with each text in it filled in; text that is one placeholder and nothing else
/// becomes the value itself, so that a number stays a number.
#[must_use]
pub fn fill_value(value: &Value, values: &[(String, Value)]) -> Value {
    match value {
        Value::Text(text) => match (names(text).next(), values) {
            (Some(name), values) if text.len() == name.len() + 3 => {
                let found = values.iter().find(|(key, _)| key == name);
                found.map_or_else(|| value.clone(), |(_, v)| v.clone())
            }
            _ => Value::Text(fill(text, values)),
        },
        Value::List(items) => Value::List(items.iter().map(|v| fill_value(v, values)).collect()),
        Value::Map(entries) => {
            let filled = entries.iter().map(|(k, v)| (k.clone(), fill_value(v, values)));
            Value::Map(filled.collect())
        }
        other => other.clone(),
    }
}

/// The names of the placeholders in `text`, in order.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) | Piece::Escape => None,
    })
}

enum Piece<'a> {
    Text(&'a str),
    Escape,
    Name(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(after) = rest.strip_prefix("%%{") {
            rest = after;
            return Some(Piece::Escape);
        }
        if let Some(after) = rest.strip_prefix("%{")
            && let Some(end) = after.find('}')
        {
            rest = &after[end + 1..];
            return Some(Piece::Name(&after[..end]));
        }
        // Text up to the next percent sign; one that opens nothing is text itself.
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[skip..].find('%').map_or(rest.len(), |i| i + skip);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_filled_and_others_stay() {
        let values = [("a".to_owned(), Value::Int(7)), ("b".to_owned(), "x".into())];
        let filled = fill("é%{a}%%{a}-%{b}%{c}%100%{open %", &values);
        assert_eq!(filled, "é7%{a}-x%{c}%100%{open %");
    }

    #[test]
    fn a_lone_placeholder_keeps_its_type() {
        let values = [("a".to_owned(), Value::Int(7))];
        let args = Value::List(vec!["%{a}".into(), "n=%{a}".into(), "%{z}".into()]);
        let filled = Value::List(vec![Value::Int(7), "n=7".into(), "%{z}".into()]);
        assert_eq!(fill_value(&args, &values), filled);
    }
}
