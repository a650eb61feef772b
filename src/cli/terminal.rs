//! What is printed, and how wide.

use std::io::{self, IsTerminal, Write};

/// A line for people, on standard error.
pub(super) fn say(line: &str) {
    // Nobody is left to tell if even this fails.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The result of a command, on standard output. A reader that has gone away is no error.
pub(super) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
}

/// Whether people watch standard error.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether standard output takes colour: a terminal, unless `NO_COLOR` is set.
pub(super) fn colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !unwanted
}

/// Columns for a table: those of the terminal, or what `COLUMNS` says, or 100.
pub(super) fn width() -> usize {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let size = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    size.or_else(said).unwrap_or(100).max(40)
}
