//! What is printed, and how wide.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

use crate::report::scene::Colours;

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

/// What this program is called: a user's own has its own name.
pub(super) fn program() -> String {
    let path = std::env::args_os().next().map(std::path::PathBuf::from);
    let name = path.as_deref().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    name.unwrap_or("evenkeel").to_owned()
}

/// How this program was called: what a shell finds it by.
pub(super) fn call() -> String {
    let call = std::env::args_os().next().map(std::path::PathBuf::from);
    call.map_or_else(program, |call| path(&call))
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

/// Which colours standard output takes.
pub(super) fn colours() -> Colours {
    let any = |said: &str| ["truecolor", "24bit"].contains(&said);
    match std::env::var("COLORTERM") {
        _ if !colour() => Colours::None,
        Ok(said) if any(&said) => Colours::Any,
        _ => Colours::Indexed,
    }
}

/// Columns for a table: those of the terminal, or what `COLUMNS` says. What goes to a file or
/// to another program is not cut off.
pub(super) fn width() -> usize {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    columns(io::stdout()).or_else(said).unwrap_or(usize::MAX).max(40)
}

/// How wide the terminal behind `stream` is, if there is one and it says.
pub(super) fn columns(stream: impl AsFd) -> Option<usize> {
    size_of(stream).map(|(columns, _)| columns)
}

/// How many columns and lines the terminal behind standard output has, if there is one that can
/// be drawn on.
pub(super) fn size() -> Option<(usize, usize)> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    size_of(io::stdout()).filter(|_| !is_dumb)
}

fn size_of(stream: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    let (columns, lines) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0).then_some((columns, lines))
}

/// `path` as people would write it: from the working directory if it lies below it.
pub(super) fn path(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok()).filter(|p| *p != Path::new(""));
    below.unwrap_or(path).display().to_string()
}
