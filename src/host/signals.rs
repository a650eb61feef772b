//! Signals to this process, handed to a callback on a thread of its own.

#[cfg(target_os = "linux")]
use libc::__errno_location as errno;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use libc::__error as errno;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

/// A signal that means something to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: the batch system, or Open MPI about to kill.
    Terminate,
    /// SIGUSR1: a warning ahead of time, or a wish to drain.
    User1,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::User1];

    /// The operating system's number.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Signal::Interrupt => libc::SIGINT,
            Signal::Terminate => libc::SIGTERM,
            Signal::User1 => libc::SIGUSR1,
        }
    }
}

/// As long as it lives, SIGINT, SIGTERM and SIGUSR1 call a callback instead of ending the
/// process. Dropping it puts back what was there before.
#[derive(Debug)]
pub struct Signals {
    before: Vec<(Signal, libc::sigaction)>,
    thread: Option<JoinHandle<()>>,
}

/// Where the handler writes, a byte for the thread to wake by: made once and kept for good, since
/// a handler that is still running on another thread may use it after the handlers are put back.
static PIPE: OnceLock<(Mutex<PipeReader>, PipeWriter)> = OnceLock::new();
/// The writing end of [`PIPE`] for the handler, which may not take a lock; -1 before there is one.
static WRITER: AtomicI32 = AtomicI32::new(-1);
/// How often each signal came and was not handed on yet, in the order of [`Signal::ALL`]. The
/// bytes in the pipe do not say: a forked child that has not yet called `exec` writes to the same
/// pipe, but counts what was sent to it in memory of its own.
static PENDING: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
/// Goes up at each install and each drop: a thread ends when it is no longer its turn.
static TURN: AtomicU32 = AtomicU32::new(0);
/// That there is a [`Signals`].
static INSTALLED: AtomicBool = AtomicBool::new(false);

impl Signals {
    /// Takes over the three signals; each one that comes calls `on_signal` on a small thread,
    /// outside the handler, so that it may do what it likes.
    ///
    /// # Errors
    /// `AlreadyExists` if the process has such a value already; what the system says where it
    /// has no pipe, thread or handler to give.
    pub fn install(on_signal: impl Fn(Signal) + Send + 'static) -> io::Result<Signals> {
        // Relaxed: one atomic decides who goes on, and all the rest is set by that one alone.
        if INSTALLED.swap(true, Ordering::Relaxed) {
            let message = "the signals of this process are taken already";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        // From here on dropping `signals` undoes what has been done so far.
        let mut signals = Signals { before: Vec::new(), thread: None };
        let (reader, writer) = pipe()?;
        let turn = TURN.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        PENDING.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        // Relaxed: no handler of ours runs before `take_over` has told the kernel of it.
        WRITER.store(writer.as_raw_fd(), Ordering::Relaxed);
        let read = move || deliver(reader, turn, &on_signal);
        signals.thread = Some(thread::Builder::new().name("signals".to_owned()).spawn(read)?);
        for signal in Signal::ALL {
            signals.before.push((signal, take_over(signal)?));
        }
        Ok(signals)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: `before` is what the kernel gave us for this very signal, unchanged.
            unsafe { libc::sigaction(signal.number(), before, ptr::null_mut()) };
        }
        // Release: partner of the Acquire in `deliver`.
        TURN.fetch_add(1, Ordering::Release);
        wake();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It ends by a panic of the callback, which has been told of where it happened.
            let _ = thread.join();
        }
        INSTALLED.store(false, Ordering::Relaxed);
    }
}

/// The pipe of this process, made at the first call.
fn pipe() -> io::Result<(&'static Mutex<PipeReader>, &'static PipeWriter)> {
    if PIPE.get().is_none() {
        let (reader, writer) = io::pipe()?;
        // A full pipe must not hold up a handler; it wakes the thread as well as one byte more.
        rustix::io::ioctl_fionbio(&writer, true)?;
        // Nobody else is here: `INSTALLED` is ours.
        let _ = PIPE.set((Mutex::new(reader), writer));
    }
    let (reader, writer) = PIPE.get().expect("it was set above");
    Ok((reader, writer))
}

/// Hands on what is pending whenever a byte comes, as long as it is its `turn`.
fn deliver(reader: &Mutex<PipeReader>, turn: u32, on_signal: &impl Fn(Signal)) {
    let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
    // Acquire: partner of the Release in `drop`.
    while TURN.load(Ordering::Acquire) == turn {
        // The bytes say nothing, not even how many signals there were. An error can only be an
        // interruption: the pipe is never closed.
        let _ = reader.read(&mut [0; 64]);
        for (signal, count) in Signal::ALL.into_iter().zip(&PENDING) {
            // Relaxed: the count is all there is to see; its byte came after it on the pipe.
            for _ in 0..count.swap(0, Ordering::Relaxed) {
                on_signal(signal);
            }
        }
    }
}

/// Installs the handler for `signal` and gives back what was there.
fn take_over(signal: Signal) -> io::Result<libc::sigaction> {
    // SAFETY: all zero is a valid `sigaction`: the default action, no flag, an empty mask.
    let mut ours: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    ours.sa_sigaction = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // Calls that were waiting go on waiting.
    ours.sa_flags = libc::SA_RESTART;
    let mut before = MaybeUninit::uninit();
    // SAFETY: both pointers are to a `sigaction` that lives through the call, and the handler
    // does only what a handler may (see there).
    let result = unsafe { libc::sigaction(signal.number(), &raw const ours, before.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written there.
    Ok(unsafe { before.assume_init() })
}

/// The handler: counts the signal and wakes the thread. Only atomics and `write`, both of
/// which a handler may use.
extern "C" fn handle(number: libc::c_int) {
    for (signal, count) in Signal::ALL.into_iter().zip(&PENDING) {
        if signal.number() == number {
            // Relaxed: seen by the thread after the byte, which the pipe orders after this.
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    wake();
}

/// Wakes the thread. Leaves `errno` as it was, since a handler may interrupt code that is about
/// to read it.
fn wake() {
    // SAFETY: the pointer is to this thread's own `errno`, always valid; the buffer is one byte
    // long; the descriptor is that of `PIPE`, which is never closed, or -1, which is refused.
    unsafe {
        let errno = errno();
        let before = *errno;
        libc::write(WRITER.load(Ordering::Relaxed), [1_u8].as_ptr().cast(), 1);
        *errno = before;
    }
}
