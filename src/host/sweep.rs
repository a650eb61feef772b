//! Finds and ends processes: children that have ended, orphans that were handed down to a
//! process that takes them in, whatever is left of the session of a dead one.
//!
//! The guard calls these after a `fork` without `exec`: nothing here takes a lock or formats an
//! error of the system.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::Process;
use crate::model::Span;

/// How long an end by SIGKILL may take before it is somebody else's matter: a process in an
/// uninterruptible wait goes when the wait is over.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(1);

/// What there is among the children of this process.
pub(crate) enum Child {
    /// This one has ended and waits to be reaped.
    Ended(Pid),
    /// There are some, and all run.
    Running,
    /// There is none.
    None,
}

/// What a process left when it was reaped.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) status: i32,
    /// In bytes.
    pub(crate) max_rss: u64,
    pub(crate) cpu: Span,
}

/// Looks for a child that has ended, and leaves it as it is.
pub(crate) fn next_ended() -> Child {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a zeroed `siginfo_t` is valid, and `waitid` writes only to it.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) } < 0 {
        return Child::None;
    }
    // SAFETY: `waitid` filled in the fields of a child, or left the zeroes.
    match Pid::from_raw(unsafe { info.si_pid() }) {
        Some(pid) => Child::Ended(pid),
        None => Child::Running,
    }
}

/// Reaps a child that has ended.
pub(crate) fn reap(pid: Pid) -> Used {
    let mut status = 0;
    // SAFETY: a zeroed `rusage` is valid, and `wait4` writes only to it and to `status`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, &raw mut usage) };
    let time = |t: libc::timeval| {
        Span::from_secs(t.tv_sec.unsigned_abs()) + Span::from_micros(t.tv_usec.unsigned_abs())
    };
    Used {
        status,
        // The kernel counts in KiB.
        max_rss: usage.ru_maxrss.unsigned_abs() * 1024,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
    }
}

/// Reaps the children of this process as they end, and kills those that are left after `patience`:
/// also what their deaths hand down, if this process takes orphans in.
pub fn end_all_children(patience: Duration) {
    let start = Instant::now();
    loop {
        match next_ended() {
            Child::Ended(pid) => drop(reap(pid)),
            Child::None => return,
            Child::Running if start.elapsed() >= patience => return kill_all_children(),
            Child::Running => std::thread::sleep(LOOK),
        }
    }
}

/// Kills and reaps all children of this process, and those that their deaths hand down to it.
pub(crate) fn kill_all_children() {
    let start = Instant::now();
    let mut killed = 0;
    loop {
        match next_ended() {
            Child::Ended(pid) => drop(reap(pid)),
            Child::None => return,
            Child::Running if start.elapsed() > PATIENCE => return,
            Child::Running => {
                // A first look at once, then only when those found had time to die.
                if killed == 0 {
                    killed = kill_children();
                } else {
                    std::thread::sleep(LOOK);
                    killed = 0;
                }
            }
        }
    }
}

/// Kills the children of this process, and all processes of the session that it leads, and
/// gives their number.
pub(crate) fn kill_children() -> usize {
    let me = getpid().as_raw_nonzero().get();
    kill_where(|process| process.session == me || process.parent == me)
}

/// Kills all processes of the session that `leader` led, until there are none. The leader is
/// dead but not reaped, so that the session is still its own.
pub(crate) fn kill_session(leader: Pid) {
    let session = leader.as_raw_nonzero().get();
    let start = Instant::now();
    while kill_where(|process| process.session == session) > 0 {
        if start.elapsed() > PATIENCE {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

fn kill_where(is_meant: impl Fn(&Process) -> bool) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let me = getpid();
    let pids = entries.filter_map(|entry| {
        Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok().filter(|pid| *pid > 0)?)
    });
    let process = |pid: &Pid| Process::of(pid.as_raw_nonzero().get().unsigned_abs());
    pids.filter(|pid| *pid != me && process(pid).is_some_and(|process| is_meant(&process)))
        .filter(|pid| kill_process(*pid, Signal::KILL).is_ok())
        .count()
}
