//! How a run speaks through its launcher: each of its lines bears a mark that the noise of the
//! launcher, of MPI and of other ranks does not have.

use std::str;

use crate::model::{ExitCode, Span};

/// Before each line that a run prints: the separator of records.
const LINE: u8 = 0x1e;
/// Before the exit code of a run: the end of transmission.
const END: u8 = 0x04;
/// Before how it looks for a run: the separator of units.
const FORECAST: u8 = 0x1f;

/// What a run says in a line of its launcher's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// To be shown as it is.
    Line(&'a [u8]),
    /// The exit code with which it is about to end.
    End(ExitCode),
    /// How much longer it takes, if that can be told, and how many stand by.
    Forecast(Option<Span>, u64),
}

/// `text` as a run says it: whole lines, each with its mark and its line break.
pub(super) fn lines(text: &str) -> String {
    let mark = char::from(LINE);
    text.split('\n').map(|line| format!("{mark}{line}\n")).collect()
}

/// An exit code as a run says it.
pub(super) fn end(code: ExitCode) -> String {
    format!("{}{}\n", char::from(END), code as u8)
}

/// How it looks for a run, as it says it: nanoseconds, or `-`, and a number.
pub(super) fn forecast(left: Option<Span>, standing_by: u64) -> String {
    let left = left.map_or_else(|| "-".to_owned(), |left| left.0.to_string());
    format!("{}{left} {standing_by}\n", char::from(FORECAST))
}

/// Takes a line of the launcher's output apart, given without its line break: the noise in it,
/// if there is any, and the word of the run. Noise that broke off in the middle of its line
/// comes before the mark.
pub(super) fn parse(line: &[u8]) -> (Option<&[u8]>, Option<Word<'_>>) {
    let Some(at) = line.iter().position(|byte| [LINE, END, FORECAST].contains(byte)) else {
        return (Some(line), None);
    };
    let (noise, rest) = (&line[..at], &line[at + 1..]);
    let word = match line[at] {
        LINE => Some(Word::Line(rest)),
        END => code(rest).map(Word::End),
        _ => foretold(rest).map(|(left, standing_by)| Word::Forecast(left, standing_by)),
    };
    match word {
        Some(word) => (Some(noise).filter(|noise| !noise.is_empty()), Some(word)),
        None => (Some(line), None),
    }
}

fn code(text: &[u8]) -> Option<ExitCode> {
    ExitCode::from_number(str::from_utf8(text).ok()?.parse().ok()?)
}

fn foretold(text: &[u8]) -> Option<(Option<Span>, u64)> {
    let (left, standing_by) = str::from_utf8(text).ok()?.split_once(' ')?;
    let left = if left == "-" { None } else { Some(Span(left.parse().ok()?)) };
    Some((left, standing_by.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown, what is noise, and the exit code.
    fn read(output: &str) -> (String, String, Option<ExitCode>) {
        let (mut shown, mut log, mut code) = (String::new(), String::new(), None);
        for line in output.lines() {
            let (noise, word) = parse(line.as_bytes());
            let text = |bytes| format!("{}\n", str::from_utf8(bytes).unwrap());
            log += &noise.map(text).unwrap_or_default();
            match word {
                Some(Word::Line(line)) => shown += &text(line),
                Some(Word::End(told)) => code = Some(told),
                Some(Word::Forecast(..)) | None => {}
            }
        }
        (shown, log, code)
    }

    #[test]
    fn what_a_run_says_comes_back_as_it_was() {
        let text = "{\n  \"a\": 1,\n\n  \"b\": \"\u{1e} \u{4} µ\"\n}";
        let (shown, log, code) = read(&(lines(text) + &end(ExitCode::Interrupted)));
        assert_eq!(
            (shown, log, code),
            (format!("{text}\n"), String::new(), Some(ExitCode::Interrupted))
        );
    }

    #[test]
    fn a_forecast_comes_back_as_it_was() {
        for (left, standing_by) in [(Some(Span(u64::MAX)), 3), (None, 0)] {
            let line = forecast(left, standing_by);
            let word = Some(Word::Forecast(left, standing_by));
            assert_eq!(parse(line.trim_end().as_bytes()), (None, word));
        }
        for broken in ["\u{1f}", "\u{1f}1", "\u{1f}x 1", "\u{1f}1 -2"] {
            assert_eq!(parse(broken.as_bytes()), (Some(broken.as_bytes()), None));
        }
    }

    #[test]
    fn noise_is_what_bears_no_mark() {
        let output = format!(
            "a warning\n\n{}half a word, then {}\u{4}no code\n",
            lines("x"),
            end(ExitCode::BadInput)
        );
        let (shown, log, code) = read(&output);
        assert_eq!(shown, "x\n");
        assert_eq!(log, "a warning\n\nhalf a word, then \n\u{4}no code\n");
        assert_eq!(code, Some(ExitCode::BadInput));
    }
}
