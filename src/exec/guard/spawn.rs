//! Starts a program as `posix_spawn` does, plus what that cannot do: the affinity of the child
//! alone, a signal at its parent's death, and which step failed.
//!
//! The child shares the guard's memory until it executes (`CLONE_VM | CLONE_VFORK`, so the
//! cost does not grow with the guard's memory), and the guard stands still meanwhile. All that
//! the child needs is therefore laid out beforehand; it only makes system calls.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null;

use super::wire::{Program, Step};

/// Starts programs for one guard.
pub(super) struct Spawner {
    /// The environment that all programs get, `NAME=value`.
    base: Vec<CString>,
    /// The stack of the child until it executes; one is enough, the guard stands still.
    stack: Vec<u128>,
}

const STACK_BYTES: usize = 64 << 10;
/// Where `execvp` looks if there is no `PATH`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// All that the child reads, and where it says how it failed.
struct Plan<'a> {
    candidates: &'a [CString],
    argv: *const *const c_char,
    envp: *const *const c_char,
    mask: &'a [u64],
    cwd: *const c_char,
    stdio: [*const c_char; 3],
    /// For what has no file: the write end of the pipe.
    pipe: c_int,
    /// Whether standard error goes where standard output goes.
    same_file: bool,
    failed: Option<(Step, c_int)>,
}

impl Spawner {
    pub(super) fn new(base: Vec<CString>) -> Spawner {
        Spawner { base, stack: vec![0; STACK_BYTES / size_of::<u128>()] }
    }

    /// Starts `program` in a process group of its own, with default signal dispositions and an
    /// empty mask; output that has no file goes to `pipe`. Gives its process id.
    pub(super) fn spawn(
        &mut self,
        program: &Program,
        pipe: Option<BorrowedFd<'_>>,
    ) -> Result<i32, (Step, c_int)> {
        let Some(name) = program.argv.first() else { return Err((Step::Exec, libc::ENOENT)) };
        let env: Vec<&CStr> = self.environment(program).collect();
        let candidates = candidates(name, variable(&env, b"PATH").unwrap_or(DEFAULT_PATH));
        let argv = pointers(program.argv.iter().map(CString::as_c_str));
        let envp = pointers(env.iter().copied());
        let mask = mask(&program.units);
        let path = |path: &Option<CString>| path.as_ref().map_or(null(), |path| path.as_ptr());
        let [_, stdout, stderr] = &program.stdio;
        let mut plan = Plan {
            candidates: &candidates,
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            mask: &mask,
            cwd: path(&program.cwd),
            stdio: program.stdio.each_ref().map(path),
            pipe: pipe.map_or(-1, |fd| fd.as_raw_fd()),
            same_file: stdout.is_some() && stdout == stderr,
            failed: None,
        };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        // SAFETY: `top` is the aligned end of a stack that nobody else uses: the guard has one
        // thread, which CLONE_VFORK holds here until the child has executed or exited. So
        // `plan` and all that it points to outlive the child's use of them. The guard blocks
        // all signals, so that no handler runs on the borrowed memory.
        let pid = unsafe { libc::clone(child, top, flags, (&raw mut plan).cast()) };
        // SAFETY: `plan` lives; the child wrote to it behind the compiler's back, through the
        // pointer that was given away above.
        let failed = unsafe { (&raw const plan.failed).read_volatile() };
        match (pid, failed) {
            (-1, _) => Err((Step::Prepare, errno())),
            (pid, None) => Ok(pid),
            (pid, Some(failure)) => {
                // SAFETY: reaps the child that has just exited; no status is asked for.
                unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
                Err(failure)
            }
        }
    }

    /// The variables of the base that the program does not set, then its own, the last of each
    /// name.
    fn environment<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = &'a CStr> {
        let sets = |later: &[CString], entry: &CStr| {
            let wanted = name(entry);
            later.iter().any(|other| name(other) == wanted)
        };
        let base = self.base.iter().filter(move |entry| !sets(&program.env, entry));
        let own = program.env.iter().enumerate();
        let own = own.filter(move |(i, entry)| !sets(&program.env[i + 1..], entry));
        base.chain(own.map(|(_, entry)| entry)).map(CString::as_c_str)
    }
}

/// The name and the equals sign of `NAME=value`.
fn name(entry: &CStr) -> &[u8] {
    let bytes = entry.to_bytes();
    let end = bytes.iter().position(|b| *b == b'=').map_or(bytes.len(), |at| at + 1);
    &bytes[..end]
}

fn variable<'a>(env: &[&'a CStr], wanted: &[u8]) -> Option<&'a [u8]> {
    env.iter().find_map(|entry| entry.to_bytes().strip_prefix(wanted)?.strip_prefix(b"="))
}

/// Where the program may lie, in the order in which `execvp` tries.
fn candidates(program: &CStr, path: &[u8]) -> Vec<CString> {
    let bytes = program.to_bytes();
    if bytes.contains(&b'/') || bytes.is_empty() {
        return vec![program.to_owned()];
    }
    let join = |folder: &[u8]| {
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        CString::new([folder, slash, bytes].concat()).ok()
    };
    path.split(|b| *b == b':').filter_map(join).collect()
}

/// The bit mask of processing units.
fn mask(units: &[u32]) -> Vec<u64> {
    let words = units.iter().max().map_or(0, |max| *max as usize / 64 + 1);
    let mut mask = vec![0; words];
    for unit in units {
        mask[*unit as usize / 64] |= 1 << (unit % 64);
    }
    mask
}

fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    texts.map(CStr::as_ptr).chain([null()]).collect()
}

fn errno() -> c_int {
    // SAFETY: the location is always valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

/// The child, from its birth to `execve`. It shares memory with the guard: it allocates
/// nothing, cannot panic, and leaves by `_exit`.
extern "C" fn child(plan: *mut c_void) -> c_int {
    let plan: *mut Plan<'_> = plan.cast();
    // SAFETY: `spawn` passed a live `Plan`, and does not look at it before this returns.
    let plan = unsafe { &mut *plan };
    plan.failed = Some(run(plan));
    // SAFETY: ends this process alone, without the exit handlers that it shares.
    unsafe { libc::_exit(127) }
}

/// Comes back only on failure: the step and the error. The failure is told by `spawn` from
/// `plan.failed`, which stays empty where `execve` does not return.
fn run(plan: &Plan<'_>) -> (Step, c_int) {
    // SAFETY: plain system calls on pointers that `spawn` laid out: strings and vectors that
    // end in a null, in memory that stays as it is until this process executes or exits.
    unsafe {
        if libc::setpgid(0, 0) < 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return (Step::Prepare, errno());
        }
        let bytes = size_of_val(plan.mask);
        if bytes > 0 && libc::sched_setaffinity(0, bytes, plan.mask.as_ptr().cast()) < 0 {
            return (Step::Affinity, errno());
        }
        if !plan.cwd.is_null() && libc::chdir(plan.cwd) < 0 {
            return (Step::Cwd, errno());
        }
        if let Err(failure) = redirect(plan) {
            return failure;
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    execute(plan)
}

/// Puts files or the pipe in the place of the standard streams; without a file, standard input
/// is `/dev/null`, inherited from the guard.
///
/// # Safety
/// As for [`run`].
unsafe fn redirect(plan: &Plan<'_>) -> Result<(), (Step, c_int)> {
    let write = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    let streams = [(Step::Stdin, libc::O_RDONLY), (Step::Stdout, write), (Step::Stderr, write)];
    for (fd, (step, flags)) in (0..).zip(streams) {
        // Never out of bounds: both lists have three entries.
        let path = plan.stdio[fd as usize];
        // SAFETY: by the contract of this function; the descriptors opened here are above 2,
        // for the guard keeps 0 to 2 open, so that `dup2` clears the flag that closes them.
        let done = unsafe {
            if step == Step::Stderr && plan.same_file {
                libc::dup2(1, 2)
            } else if !path.is_null() {
                open(path, flags, fd)
            } else if step != Step::Stdin {
                libc::dup2(plan.pipe, fd)
            } else {
                0
            }
        };
        if done < 0 {
            return Err((step, errno()));
        }
    }
    Ok(())
}

/// Opens `path` as `fd`. Without waiting, since the guard waits too: a named pipe that nobody
/// reads is an error.
///
/// # Safety
/// As for [`run`].
unsafe fn open(path: *const c_char, flags: c_int, fd: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        let file = libc::open(path, flags | libc::O_CLOEXEC | libc::O_NONBLOCK, 0o666);
        if file < 0 || libc::fcntl(file, libc::F_SETFL, flags & libc::O_APPEND) < 0 {
            return -1;
        }
        libc::dup2(file, fd)
    }
}

/// Tries each candidate as `execvp` does: one that may not be executed is remembered, one that
/// is not there is passed over, anything else is final.
fn execute(plan: &Plan<'_>) -> (Step, c_int) {
    let mut failure = libc::ENOENT;
    for candidate in plan.candidates {
        // SAFETY: as in `run`.
        unsafe { libc::execve(candidate.as_ptr(), plan.argv, plan.envp) };
        match errno() {
            libc::EACCES => failure = libc::EACCES,
            libc::ENOENT | libc::ENOTDIR => {}
            other => return (Step::Exec, other),
        }
    }
    (Step::Exec, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    #[test]
    fn a_program_is_looked_for_as_execvp_does() {
        let all = |program: &str, path: &[u8]| candidates(&text(program), path);
        assert_eq!(all("x", b"/a:b::/c"), ["/a/x", "b/x", "x", "/c/x"].map(text));
        assert_eq!(all("./x", b"/a"), [text("./x")]);
        assert_eq!(all("", b"/a"), [text("")]);
    }

    #[test]
    fn masks_have_a_bit_for_each_unit() {
        assert_eq!(mask(&[0, 3, 64]), [0b1001, 1]);
        assert!(mask(&[]).is_empty());
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let entries = [text("PATHS=1"), text("PATH=2=3"), text("odd")];
        let env: Vec<&CStr> = entries.iter().map(CString::as_c_str).collect();
        assert_eq!(variable(&env, b"PATH"), Some(&b"2=3"[..]));
        assert_eq!(variable(&env, b"odd"), None);
        assert_eq!(name(env[1]), b"PATH=");
    }
}
