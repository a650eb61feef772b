//! A command: from what the node grants to what the guard starts, and from what the guard saw
//! to how the attempt ended, in words.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::io;

use crate::model::{Ending, Exit, Launch, Span, Time, Topology, Usage};

use super::environment;
use super::guard::{Cause, End, Outcome, Program, Step};
use super::holes::Holes;

/// Fills the placeholders of a command and puts together all that its start needs.
///
/// # Errors
/// What cannot be handed to a program, in words.
pub(super) fn program(
    launch: &Launch,
    argv: &[String],
    topology: &Topology,
    pinned: bool,
) -> Result<Program, String> {
    let holes = Holes::new(launch);
    let settings = &launch.work.settings;
    if argv.is_empty() {
        return Err("the command is empty: it needs at least the name of a program".to_owned());
    }
    let text = |what: &str, text: &str| {
        let filled = holes.text(text).into_owned();
        CString::new(filled).map_err(|e| {
            let at = e.nul_position();
            format!("{what} holds a null byte at place {at}, which no program can be given")
        })
    };
    let path =
        |what: &str, path: &Option<String>| path.as_ref().map(|path| text(what, path)).transpose();
    let env = environment::own(launch, topology, &holes).into_iter().map(|(name, value)| {
        let what = || format!("the variable `{name}`");
        if name.is_empty() || name.contains('=') {
            return Err(format!("{} cannot be set: a name is not empty and has no `=`", what()));
        }
        // Filled in already, and what was filled in is not looked at again.
        CString::new(format!("{name}={value}")).map_err(|_| format!("{} holds a null byte", what()))
    });
    Ok(Program {
        key: launch.key,
        argv: argv.iter().map(|arg| text("an argument", arg)).collect::<Result<_, _>>()?,
        env: env.collect::<Result<_, _>>()?,
        cwd: path("`cwd`", &settings.cwd)?,
        stdio: [
            path("`stdin`", &settings.stdin)?,
            path("`stdout`", &settings.stdout)?,
            path("`stderr`", &settings.stderr)?,
        ],
        units: if pinned { environment::units(launch, topology) } else { Vec::new() },
        limit: launch.time_left,
        warning: settings.warning,
        grace: settings.grace,
    })
}

/// When an attempt started and ended, and how; `now` stands for what the guard cannot tell.
pub(super) fn ending(program: &Program, outcome: Outcome, now: Time) -> (Time, Time, Ending) {
    let refused = |reason| Ending::new(Exit::CouldNotStart, Some(reason));
    match outcome {
        Outcome::Exited(end) => (end.start, end.end, exited(program, *end)),
        Outcome::Refused(at, step, errno) => {
            let error = io::Error::from_raw_os_error(errno);
            (at, at, refused(refusal(program, step, &error)))
        }
        Outcome::Orphaned(since) => {
            let reason = "the guard died, and its tasks with it";
            (
                since.unwrap_or(now),
                now,
                Ending::new(Exit::Signal(libc::SIGKILL), Some(reason.into())),
            )
        }
        Outcome::Unguarded(error) => {
            (now, now, refused(format!("no guard can be started on this node: {error}")))
        }
    }
}

fn exited(program: &Program, end: End) -> Ending {
    let by_signal = libc::WIFSIGNALED(end.status).then(|| libc::WTERMSIG(end.status));
    let natural = match by_signal {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(libc::WEXITSTATUS(end.status)),
    };
    let (exit, reason) = match end.cause {
        None if natural.is_success() => (natural, None),
        None => (natural, Some(words(natural))),
        Some(Cause::Stop) => (natural, Some(format!("stopped from outside: {}", words(natural)))),
        Some(Cause::TimeLimit) => (Exit::TimeLimit, Some(over_time(program, end.killed, natural))),
    };
    let usage = Usage { max_rss: end.max_rss, cpu: end.cpu };
    Ending { usage, tail: lossy(&end.tail), ..Ending::new(exit, reason) }
}

fn over_time(program: &Program, killed: bool, natural: Exit) -> String {
    let limit = program.limit.unwrap_or(Span::ZERO);
    if killed && program.grace > Span::ZERO {
        let grace = program.grace;
        format!(
            "over its time limit of {limit}; it did not end within {grace} of SIGTERM and was killed"
        )
    } else {
        format!("over its time limit of {limit}: {}", words(natural))
    }
}

fn words(exit: Exit) -> String {
    match exit {
        Exit::Signal(signal) => match signal_name(signal) {
            Some(name) => format!("{exit} ({name})"),
            None => exit.to_string(),
        },
        _ => exit.to_string(),
    }
}

/// Why a program could not be started, with what the user can do about it.
fn refusal(program: &Program, step: Step, error: &io::Error) -> String {
    let [stdin, stdout, stderr] = &program.stdio;
    let output = |path: &Option<CString>, stream: &str| {
        let hint = match error.raw_os_error() {
            Some(libc::ENOENT) => "; the folder that it is to lie in must exist",
            _ => "",
        };
        format!("cannot write standard {stream} to `{}`: {error}{hint}", shown(path.as_ref()))
    };
    match step {
        Step::Prepare => format!("the guard cannot start a process: {error}"),
        Step::Scratch => format!("cannot make a folder for its temporary files: {error}"),
        Step::Affinity => {
            format!("cannot be bound to the processing units {:?}: {error}", program.units)
        }
        Step::Cwd => format!("cannot enter the folder `{}`: {error}", shown(program.cwd.as_ref())),
        Step::Stdin => {
            format!("cannot read standard input from `{}`: {error}", shown(stdin.as_ref()))
        }
        Step::Stdout => output(stdout, "output"),
        Step::Stderr => output(stderr, "error"),
        Step::Exec => not_executed(&shown(program.argv.first()), error),
    }
}

fn not_executed(name: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) if name.contains('/') => {
            format!("no such file: `{name}`, or the interpreter that its first line names; {error}")
        }
        Some(libc::ENOENT) => {
            format!("no such file: `{name}`; it is in no folder of the task's PATH")
        }
        Some(libc::EACCES) => {
            format!("not executable: `{name}`; {error}; `chmod +x` makes a file executable")
        }
        Some(libc::ENOEXEC) => format!(
            "not executable: `{name}`; it is neither a program for this machine nor a script that starts with `#!`"
        ),
        Some(libc::E2BIG) => {
            format!("cannot start `{name}`: its arguments and variables are too long; {error}")
        }
        _ => format!("cannot start `{name}`: {error}"),
    }
}

fn shown(text: Option<&CString>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |text| CStr::to_string_lossy(text))
}

/// The name of a signal that ends programs.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return None,
    })
}

/// As text. The cut at the front may have gone through a character, whose rest is dropped.
fn lossy(tail: &[u8]) -> String {
    let is_rest = |byte: &&u8| (0x80..0xc0).contains(*byte);
    let rest = tail.iter().take(3).take_while(is_rest).count();
    String::from_utf8_lossy(&tail[rest..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_was_cut_is_not_shown() {
        assert_eq!(lossy(&"é€".as_bytes()[1..]), "€");
        assert_eq!(lossy(&"€x".as_bytes()[1..]), "x");
        assert_eq!(lossy(b"plain"), "plain");
        assert_eq!(lossy(b""), "");
        assert_eq!(lossy(b"a\xffb"), "a\u{fffd}b");
    }
}
