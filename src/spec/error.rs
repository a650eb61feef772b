//! What is wrong with a file, where, and how to mend it.

use std::fmt;
use std::ops::Range;

/// A text to be read, and what to call it in messages.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// As the user knows it: a path, or a word for what was on the command line.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// Everything found wrong in one pass over a file; never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    diagnostics: Vec<Diagnostic>,
    more: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    file: String,
    what: String,
    marks: Vec<Mark>,
    pointer: Option<String>,
    help: String,
}

/// A stretch of a source line, with the part of the line that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    line: usize,
    column: usize,
    shown: String,
    indent: usize,
    width: usize,
    label: String,
}

impl Errors {
    /// How many are kept and shown; those beyond are only counted.
    pub const SHOWN: usize = 20;

    /// The first [`SHOWN`](Self::SHOWN) that were found, in the order of the file.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many there are in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.diagnostics.len() + self.more
    }

    pub(super) fn push(&mut self, make: impl FnOnce() -> Diagnostic) {
        // To place a mark is to scan the text: not for what is not shown.
        if self.diagnostics.len() < Self::SHOWN {
            self.diagnostics.push(make());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.diagnostics.len() >= Self::SHOWN
    }
}

impl From<Diagnostic> for Errors {
    fn from(diagnostic: Diagnostic) -> Errors {
        Errors { diagnostics: vec![diagnostic], more: 0 }
    }
}

impl Diagnostic {
    /// What is wrong with the file called `file`, and the mend; marks are added by
    /// [`mark`](Self::mark).
    pub(super) fn new(file: &str, what: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        let (what, help) = (what.into(), help.into());
        Diagnostic { file: file.to_owned(), what, marks: Vec::new(), pointer: None, help }
    }

    /// The same, pointing at `span` of `text`. The first mark is where the error is, further
    /// ones are what it has to do with.
    pub(super) fn mark(mut self, text: &str, span: &Range<usize>, label: &str) -> Diagnostic {
        self.marks.push(Mark::new(text, span, label));
        self
    }

    /// The same, naming a place in a JSON document.
    pub(super) fn pointer(mut self, pointer: impl Into<String>) -> Diagnostic {
        self.pointer = Some(pointer.into());
        self
    }

    /// What is wrong, in a line.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// How to mend it.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Line and column, counted from 1, columns in characters; `None` for what has no place
    /// in the text.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.marks.first().map(|mark| (mark.line, mark.column))
    }
}

impl Mark {
    /// The most characters of a line that are shown, and how many of them before the mark.
    const WINDOW: usize = 110;
    const BEFORE: usize = 40;

    fn new(text: &str, span: &Range<usize>, label: &str) -> Mark {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let line = text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
        let content = text[line_start..line_end].trim_end_matches('\r');
        let column = text[line_start..start].chars().count();
        let width = text[start..end.min(line_end)].chars().count().max(1);
        let length = content.chars().count();
        let from = if length <= Self::WINDOW { 0 } else { column.saturating_sub(Self::BEFORE) };
        let mut shown = String::new();
        if from > 0 {
            shown.push('…');
        }
        shown.extend(content.chars().skip(from).take(Self::WINDOW).map(printable));
        if length > from + Self::WINDOW {
            shown.push('…');
        }
        let indent = column - from + usize::from(from > 0);
        let width = width.min((Self::WINDOW + from).saturating_sub(column)).max(1);
        Mark { line, column: column + 1, shown, indent, width, label: label.to_owned() }
    }
}

/// One column for each character: what would move the cursor or is not seen is replaced.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// `name` between backquotes, made short and harmless.
pub(super) fn quote(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut out = String::from("`");
    out.extend(name.chars().take(LONGEST).map(printable));
    if name.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out.push('`');
    out
}

/// `1 task`, `2 tasks`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        let last = self.marks.iter().map(|mark| mark.line).max().unwrap_or(0);
        let gutter = " ".repeat(last.max(1).to_string().len());
        match self.marks.first() {
            Some(mark) => {
                write!(f, "\n{gutter}--> {}:{}:{}\n{gutter} |", self.file, mark.line, mark.column)?;
            }
            None => write!(f, "\n{gutter}--> {}", self.file)?,
        }
        let mut marks: Vec<(usize, &Mark)> = self.marks.iter().enumerate().collect();
        marks.sort_by_key(|(_, mark)| (mark.line, mark.column));
        let mut before = None;
        for (i, mark) in marks {
            if before != Some(mark.line) {
                if before.is_some_and(|line| line + 1 < mark.line) {
                    f.write_str("\n...")?;
                }
                let width = gutter.len();
                write!(f, "\n{:width$} | {}", mark.line, mark.shown)?;
            }
            let sign = if i == 0 { "^" } else { "-" }.repeat(mark.width);
            let line = format!("{}{sign} {}", " ".repeat(mark.indent), mark.label);
            write!(f, "\n{gutter} | {}", line.trim_end())?;
            before = Some(mark.line);
        }
        if let Some(pointer) = &self.pointer {
            const LONGEST: usize = 120;
            let skip = pointer.chars().count().saturating_sub(LONGEST);
            let shown: String = pointer.chars().skip(skip).map(printable).collect();
            let before = if skip > 0 { "…" } else { "" };
            let shown = if pointer.is_empty() { "the whole document" } else { &shown };
            write!(f, "\n{gutter} = at: {before}{shown}")?;
        }
        if !self.help.is_empty() {
            write!(f, "\n{gutter} = help: {}", self.help)?;
        }
        Ok(())
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\n\nand {}", counted(self.more as u64, "more error"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Where a reader puts what it finds wrong.
pub(super) struct Report<'a> {
    pub(super) source: Source<'a>,
    errors: Errors,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: Source<'a>) -> Report<'a> {
        Report { source, errors: Errors::default() }
    }

    /// Something is wrong at `span`.
    pub(super) fn error(
        &mut self,
        span: &Range<usize>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.marked(&[(span.clone(), "")], what, help);
    }

    /// Something is wrong at the first of `marks` and has to do with the others.
    pub(super) fn marked(
        &mut self,
        marks: &[(Range<usize>, &str)],
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let Source { name, text } = self.source;
        self.errors.push(|| {
            let diagnostic = Diagnostic::new(name, what, help);
            marks.iter().fold(diagnostic, |d, (span, label)| d.mark(text, span, label))
        });
    }

    /// Whether what is found wrong from here on is only counted.
    pub(super) fn is_full(&self) -> bool {
        self.errors.is_full()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.errors.count() == 0
    }

    /// `value`, if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Errors> {
        if self.is_clean() { Ok(value) } else { Err(self.errors()) }
    }

    /// What was wrong, where something was.
    pub(super) fn errors(self) -> Errors {
        let mut errors = self.errors;
        errors.diagnostics.sort_by_key(Diagnostic::position);
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        Diagnostic::new("f", "bad", "mend").mark(text, &span, "").to_string()
    }

    #[test]
    fn columns_count_characters_and_marks_stay_in_their_line() {
        let text = "é\tx = 1\r\ny";
        let expected = "error: bad\n --> f:1:3\n  |\n1 | é x = 1\n  |   ^^^^^\n  = help: mend";
        assert_eq!(shown(text, 3..text.len()), expected.replace("^^^^^", "^^^^^^"));
        assert!(shown(text, 3..8).contains("  |   ^^^^^\n"));
    }

    #[test]
    fn any_span_can_be_marked() {
        let text = "é\n\u{1b}ü";
        for start in 0..8 {
            for end in 0..8 {
                let shown = shown(text, start..end);
                assert!(shown.contains('^') && !shown.contains('\u{1b}'), "{start}..{end}");
            }
        }
        assert!(shown("", 0..0).contains("f:1:1"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}HERE{}", "a".repeat(1000), "b".repeat(1000));
        let shown = shown(&text, 1000..1004);
        assert!(shown.lines().all(|line| line.chars().count() < 130), "{shown}");
        let [.., line, carets, _] = *shown.lines().collect::<Vec<_>>() else { panic!() };
        let at = carets.chars().position(|c| c == '^').unwrap();
        assert_eq!(line.chars().skip(at).take(4).collect::<String>(), "HERE");
    }

    #[test]
    fn errors_beyond_the_shown_are_counted() {
        let mut report = Report::new(Source { name: "f", text: "x" });
        (0..25).for_each(|_| report.error(&(0..1), "bad", ""));
        let errors = report.finish(()).unwrap_err();
        assert_eq!((errors.diagnostics().len(), errors.count()), (20, 25));
        assert!(errors.to_string().ends_with("and 5 more errors"));
    }
}
