//! What is printed, and how wide.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use super::marked;
use crate::model::{ExitCode, Span};
use crate::report::scene::Colours;

/// Where what a launched run prints is shown in the end: not where this process runs.
static SCREEN: OnceLock<Screen> = OnceLock::new();

/// What the output of a command is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns for a table.
    width: usize,
    /// Whether it takes colour.
    colour: bool,
}

/// How a screen is written down: one without an edge, and what comes after the width of one that
/// takes colour.
const ENDLESS: &str = "endless";
const COLOUR: &str = ",colour";

impl Screen {
    /// That of this process.
    pub(super) fn here() -> Screen {
        SCREEN.get().copied().unwrap_or_else(|| Screen { width: own_width(), colour: own_colour() })
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            usize::MAX => f.write_str(ENDLESS)?,
            width => write!(f, "{width}")?,
        }
        f.write_str(if self.colour { COLOUR } else { "" })
    }
}

impl FromStr for Screen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Screen, Self::Err> {
        let (width, colour) = text.strip_suffix(COLOUR).map_or((text, false), |rest| (rest, true));
        let width = match width {
            ENDLESS => usize::MAX,
            width => width.parse().map_err(|_| "it must read WIDTH or WIDTH,colour")?,
        };
        Ok(Screen { width, colour })
    }
}

/// From now on all that is printed goes through a launcher, marked, to be shown on `screen`.
pub(super) fn speak_through_launcher(screen: Screen) {
    // Only `main` calls this, once.
    let _ = SCREEN.set(screen);
}

/// Whether what is printed goes through a launcher.
pub(super) fn is_launched() -> bool {
    SCREEN.get().is_some()
}

/// A line for people, on standard error.
pub(super) fn say(line: &str) {
    // Nobody is left to tell if even this fails.
    let _ = io::stderr().write_all(whole_lines(line).as_bytes());
}

/// The result of a command, on standard output. A reader that has gone away is no error.
pub(super) fn print(text: &str) {
    write_out(&whole_lines(text.trim_end_matches('\n')));
}

/// Lets who launched this run know how it ends: of the exit codes of ranks launchers make what
/// they like.
pub(super) fn tell_exit_code(code: ExitCode) {
    if is_launched() {
        write_out(&marked::end(code));
    }
}

/// Lets who launched this run know how much longer it takes, if that can be told, and how many stand
/// by.
pub(super) fn tell_forecast(left: Option<Span>, standing_by: u64) {
    write_out(&marked::forecast(left, standing_by));
}

fn whole_lines(text: &str) -> String {
    if is_launched() { marked::lines(text) } else { format!("{text}\n") }
}

fn write_out(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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

/// Whether standard output takes colour.
pub(super) fn colour() -> bool {
    Screen::here().colour
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

/// Columns for a table.
pub(super) fn width() -> usize {
    Screen::here().width
}

/// A terminal takes colour, unless `NO_COLOR` is set. What Open MPI gives its ranks is a terminal
/// too, but one that nobody sees: it has no size.
fn own_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    columns(io::stdout()).is_some() && !unwanted
}

/// The columns of the terminal, or what `COLUMNS` says. What goes to a file or to another
/// program is not cut off.
fn own_width() -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_told_in_a_word() {
        for (width, colour, word) in
            [(80, true, "80,colour"), (usize::MAX, false, "endless"), (40, false, "40")]
        {
            let screen = Screen { width, colour };
            assert_eq!(screen.to_string(), word);
            assert_eq!(word.parse(), Ok(screen));
        }
        assert!("wide".parse::<Screen>().is_err());
    }
}
