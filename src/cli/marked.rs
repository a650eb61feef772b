//! How a run speaks through its launcher: each of its lines bears a mark that the noise of the
//! launcher, of MPI and of other ranks does not have.

use std::str;

use crate::model::ExitCode;

/// Before each line that a run prints: the separator of records.
const LINE: u8 = 0x1e;
/// Before the exit code of a run: the end of transmission.
const END: u8 = 0x04;

/// What a run says in a line of its launcher's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// To be shown as it is.
    Line(&'a [u8]),
    /// The exit code with which it is about to end.
    End(ExitCode),
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

/// Takes a line of the launcher's output apart, given without its line break: the noise in it,
/// if there is any, and the word of the run. Noise that broke off in the middle of its line
/// comes before the mark.
pub(super) fn parse(line: &[u8]) -> (Option<&[u8]>, Option<Word<'_>>) {
    let Some(at) = line.iter().position(|byte| [LINE, END].contains(byte)) else {
        return (Some(line), None);
    };
    let (noise, rest) = (&line[..at], &line[at + 1..]);
    let word = if line[at] == LINE { Some(Word::Line(rest)) } else { code(rest).map(Word::End) };
    match word {
        Some(word) => (Some(noise).filter(|noise| !noise.is_empty()), Some(word)),
        None => (Some(line), None),
    }
}

fn code(text: &[u8]) -> Option<ExitCode> {
    ExitCode::from_number(str::from_utf8(text).ok()?.parse().ok()?)
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
                None => {}
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
