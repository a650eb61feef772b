//! Brings a guard into being: `fork` without `exec`, since a library has no program of its own
//! that it could execute.

use std::ffi::CString;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;

use crate::host::Clock;

use super::process::Guard;
use super::scratch::Scratch;
use super::spawn::Spawner;

/// What each guard of a node is born with.
pub(in crate::exec) struct Setup {
    /// The environment of all tasks, `NAME=value`.
    pub(in crate::exec) base: Vec<CString>,
    pub(in crate::exec) clock: Clock,
    /// Where private folders for temporary files are made, if they are.
    pub(in crate::exec) scratch: Option<PathBuf>,
}

/// A guard from the outside.
pub(super) struct Handle {
    pub(super) pid: Pid,
    /// Closing it ends the guard and all that it started.
    pub(super) socket: Arc<OwnedFd>,
}

/// The guard's end of the socket, and the first descriptor that it does not keep.
const SOCKET: RawFd = 3;
const FIRST_TO_CLOSE: u32 = 4;

/// Starts a guard.
pub(super) fn start(setup: &Setup) -> io::Result<Handle> {
    let (ours, its) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are written before they are read. No handler of this process may run in
    // the child, so all signals are blocked over the fork and put back in the parent alone.
    let pid = unsafe {
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, before.as_mut_ptr());
        // The child has this thread alone, and a copy of the memory in which locks that other
        // threads held stay held. It goes straight to `live`, which holds to that.
        match libc::fork() {
            0 => live(its.into_raw_fd(), setup),
            pid => pid,
        }
    };
    let error = io::Error::last_os_error();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut()) };
    match born(pid) {
        Some(pid) => Ok(Handle { pid, socket: Arc::new(ours) }),
        None => Err(error),
    }
}

/// The child by what `fork` gave; none if that is -1, which `Pid::from_raw` does not take.
fn born(pid: libc::pid_t) -> Option<Pid> {
    Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw)
}

/// The life of the guard. It does not come back into the node's code, of which it has a copy.
fn live(socket: RawFd, setup: &Setup) -> ! {
    // A panic must not unwind into the copy of the node's frames.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if let Some((socket, signals)) = settle(socket) {
            let spawner = Spawner::new(setup.base.clone());
            let scratch = setup.scratch.clone().map(Scratch::new);
            Guard::new(socket, signals, setup.clock, spawner, scratch).run();
        }
    }));
    // SAFETY: ends this process without the exit handlers of the node.
    unsafe { libc::_exit(0) }
}

/// Cuts what ties the new process to the node: its session and so its terminal, its signal
/// handlers, its descriptors. Gives the socket and the descriptor that tells of ended children.
fn settle(socket: RawFd) -> Option<(OwnedFd, OwnedFd)> {
    let _ = rustix::thread::set_name(c"evenkeel-guard");
    // A session of its own: Ctrl-C at the terminal reaches the node alone, and the session's
    // number marks all that the guard starts.
    rustix::process::setsid().ok()?;
    // Orphans of tasks come to the guard and not to `init`.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).ok()?;
    // SAFETY: system calls on integers and on structures that live here; a descriptor is
    // wrapped as owned only where nothing else in this process, which has one thread, owns it.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            // Fails for SIGKILL, SIGSTOP and those of the C library, which have no handlers.
            libc::signal(signal, libc::SIG_DFL);
        }
        // Out of the way of the numbers that are given out below.
        let socket = libc::fcntl(socket, libc::F_DUPFD, FIRST_TO_CLOSE);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if socket < 0 || null < 0 {
            return None;
        }
        for fd in 0..SOCKET {
            libc::dup2(null, fd);
        }
        if libc::dup3(socket, SOCKET, libc::O_CLOEXEC) < 0 {
            return None;
        }
        close_the_rest();
        let mut ended: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut ended);
        libc::sigaddset(&raw mut ended, libc::SIGCHLD);
        let signals = libc::signalfd(-1, &raw const ended, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if signals < 0 {
            return None;
        }
        Some((OwnedFd::from_raw_fd(SOCKET), OwnedFd::from_raw_fd(signals)))
    }
}

/// Closes what was inherited, so that no pipe or socket of the node stays open in the guard.
fn close_the_rest() {
    // SAFETY: nothing in this process uses these descriptors from here on. By number and not
    // through the C library, which has the function only since 2.34.
    unsafe {
        if libc::syscall(libc::SYS_close_range, FIRST_TO_CLOSE, u32::MAX, 0) == 0 {
            return;
        }
        // Before Linux 5.9: as many as there may be.
        let limit = libc::sysconf(libc::_SC_OPEN_MAX).clamp(1024, 1 << 20) as RawFd;
        for fd in FIRST_TO_CLOSE as RawFd..limit {
            libc::close(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_that_failed_is_an_error_and_no_panic() {
        assert_eq!(born(-1), None);
        assert_eq!(born(1), Pid::from_raw(1));
    }

    #[test]
    fn a_guard_lives_as_long_as_its_socket() {
        let setup = Setup { base: Vec::new(), clock: Clock::start(), scratch: None };
        let guard = start(&setup).unwrap();
        let pid = guard.pid.as_raw_nonzero().get();
        drop(guard);
        let mut status = -1;
        // SAFETY: waits for a child of this test and writes to a local.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0);
    }
}
