//! Places in a JSON text: from a pointer (RFC 6901) to where it points, and back.
//!
//! The text is walked without building anything, and only once something is wrong.

use std::ops::Range;

/// What leads to a value: the keys and numbers on the way.
#[derive(Default)]
struct Path(Vec<Step>);

#[derive(PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Key(key) => format!("/{}", escape(key)),
            Step::Index(index) => format!("/{index}"),
        };
        self.0.iter().map(step).collect()
    }

    fn is(&self, pointer: &[String]) -> bool {
        let same = |(step, wanted): (&Step, &String)| match step {
            Step::Key(key) => key == wanted,
            Step::Index(index) => wanted.parse() == Ok(*index),
        };
        self.0.len() == pointer.len() && self.0.iter().zip(pointer).all(same)
    }
}

/// A key as a part of a pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The pointer to the value in which a text breaks at `offset`.
pub(super) fn pointer_at(text: &str, offset: usize) -> String {
    walk(text, offset, |_, _| {}).pointer()
}

/// The place of what `pointer` points at, if `text` has it; of an object or a list, where it
/// begins. Of a key that is given twice, the last.
pub(super) fn span_of(text: &str, pointer: &str) -> Option<Range<usize>> {
    let steps = pointer.split('/').skip(1);
    let wanted: Vec<String> =
        steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let mut found = None;
    walk(text, text.len(), |path, span| {
        if path.is(&wanted) {
            found = Some(span);
        }
    });
    found
}

/// Calls `visit` at each value of `text` that begins before `end`, with its path and place;
/// gives the path at which it ended.
fn walk(text: &str, end: usize, mut visit: impl FnMut(&Path, Range<usize>)) -> Path {
    let bytes = text.as_bytes();
    let mut path = Path::default();
    let mut at = 0;
    let mut key_next = false;
    while at < end.min(bytes.len()) {
        let byte = bytes[at];
        let next = token_end(bytes, at);
        match (byte, path.0.last_mut()) {
            (b' ' | b'\t' | b'\n' | b'\r' | b':', _) => {}
            (b',', Some(Step::Index(index))) => *index += 1,
            (b',', _) => key_next = true,
            (b'}' | b']', _) => {
                path.0.pop();
                key_next = false;
            }
            (b'"', Some(Step::Key(key))) if key_next => {
                *key = serde_json::from_str(&text[at..next]).unwrap_or_default();
                key_next = false;
            }
            _ => {
                visit(&path, at..next);
                key_next = byte == b'{';
                match byte {
                    b'{' => path.0.push(Step::Key(String::new())),
                    b'[' => path.0.push(Step::Index(0)),
                    _ => {}
                }
            }
        }
        at = next;
    }
    path
}

/// Behind the token that begins at `start`.
fn token_end(bytes: &[u8], start: usize) -> usize {
    let punctuation = |b: &u8| b"{}[],: \t\r\n\"".contains(b);
    match bytes[start] {
        b'"' => {
            let mut at = start + 1;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => return at + 1,
                    b'\\' => at += 2,
                    _ => at += 1,
                }
            }
            bytes.len()
        }
        byte if punctuation(&byte) => start + 1,
        _ => bytes[start..].iter().position(punctuation).map_or(bytes.len(), |n| start + n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"a": [1, {"b/c": "x\"]"}, true], "ä~": {}, "z": null}"#;

    #[test]
    fn pointers_lead_to_places() {
        for (pointer, value) in [
            ("/a/0", "1"),
            ("/a/1", "{"),
            ("/a/1/b~1c", r#""x\"]""#),
            ("/a/2", "true"),
            ("/ä~0", "{"),
            ("/z", "null"),
            ("", "{"),
        ] {
            let span = span_of(TEXT, pointer).unwrap_or_else(|| panic!("{pointer}"));
            assert_eq!(&TEXT[span], value, "{pointer}");
        }
        assert_eq!(span_of(TEXT, "/a/3"), None);
        assert_eq!(span_of(TEXT, "/b"), None);
    }

    #[test]
    fn places_lead_to_pointers_also_where_the_text_breaks() {
        assert_eq!(pointer_at(TEXT, TEXT.find("true").unwrap()), "/a/2");
        assert_eq!(pointer_at(TEXT, TEXT.find("null").unwrap()), "/z");
        assert_eq!(pointer_at(r#"{"a": {"b": ["#, 100), "/a/b/0");
        for end in 0..TEXT.len() {
            if let Some(part) = TEXT.get(..end) {
                pointer_at(part, end);
                span_of(part, "/a/1");
            }
        }
        pointer_at("]}],,:\"", 100);
    }
}
