//! What `/proc` says of a process, and what ties one to the process that starts it.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A process that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// The id of its parent; 0 if that is outside of this namespace.
    pub parent: i32,
    /// The id of the leader of its session; 0 if that is outside of this namespace.
    pub session: i32,
    /// Clock ticks from boot to its start: tells it from a later process of the same id.
    pub started: u64,
}

impl Process {
    /// The process `pid`. `None` if there is none, nothing but its zombie, or no `/proc`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Process> {
        // Bytes: the name of a process need not be text, least of all where it was cut off.
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // It is in parentheses and may hold any byte, parentheses and blanks too.
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(15)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Process { parent, session, started })
    }
}

/// Has the kernel end what `command` starts, by SIGTERM, when the thread that starts it is gone,
/// also if that was killed.
pub fn ends_with_its_starter(command: &mut Command) {
    let starter = rustix::process::getpid().as_raw_nonzero().get();
    let tie = move || {
        // SAFETY: system calls on integers.
        let orphaned = unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) < 0 {
                return Err(io::Error::last_os_error());
            }
            // The starter may have gone before the kernel was told.
            libc::getppid() != starter
        };
        if orphaned { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(()) }
    };
    // SAFETY: between `fork` and `exec` it makes two system calls, and takes no lock and no
    // memory.
    unsafe { command.pre_exec(tie) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_process_knows_its_parent_and_session() {
        let me = Process::of(std::process::id()).unwrap();
        // Asked without a library: in a container both may be outside, and rustix takes the 0
        // that then stands for the session to be a mistake of the kernel's.
        // SAFETY: neither call touches memory.
        let (parent, session) = unsafe { (libc::getppid(), libc::getsid(0)) };
        assert_eq!((me.parent, me.session), (parent, session));
        assert!(me.started > 0);
    }

    #[test]
    fn any_name_will_do() {
        thread::spawn(|| {
            // What is left of a longer name that was cut in the middle of a character.
            rustix::thread::set_name(c") Z 1 1 (\xc3").unwrap();
            let me = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
            let this = Process::of(me).expect("this thread lives");
            assert_eq!(this.parent, Process::of(std::process::id()).unwrap().parent);
        })
        .join()
        .expect("the checks hold");
    }
}
