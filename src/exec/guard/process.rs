//! The guard from the inside: one thread that waits for its node, its tasks and its timers.
//!
//! This runs in a child of a process that had other threads, between `fork` and `_exit`. A lock
//! that one of those threads held at the fork is held for ever. So nothing here touches the
//! standard library's environment or standard streams, formats an error of the system, or
//! panics on purpose; memory is allocated, which the C library's `fork` keeps usable.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::host::Clock;
use crate::host::sweep::{self, Child};
use crate::model::{AttemptKey, Time, WarningSignal};

use super::outbox::Outbox;
use super::scratch::Scratch;
use super::spawn::Spawner;
use super::tail::Tail;
use super::wire::{Cause, End, Inbox, Notice, Order, Program, Step};

/// How much is read at once, from the node or from a task, in bytes.
const READ_BYTES: usize = 64 << 10;
/// How many reads an ended task's pipe is worth: what a pipe can hold, and no more, since a
/// process that escaped from the group may go on writing.
const LAST_READS: usize = 16;

/// A task that runs.
struct Task {
    key: AttemptKey,
    pid: Pid,
    start: Time,
    /// When it is to be warned of that, if it is.
    warn_at: Option<Time>,
    /// When the next signal is due that is to end it.
    timer: Option<Time>,
    program: Box<Program>,
    /// Which private folder it has.
    slot: Option<usize>,
    cause: Option<Cause>,
    killed: bool,
    /// Where its output comes from, unless all of it goes to files.
    pipe: Option<File>,
    tail: Tail,
}

/// The guard's state.
pub(super) struct Guard {
    socket: OwnedFd,
    /// Readable when a child has ended.
    signals: OwnedFd,
    clock: Clock,
    spawner: Spawner,
    scratch: Option<Scratch>,
    tasks: Vec<Task>,
    inbox: Inbox,
    outbox: Outbox,
    buffer: Vec<u8>,
}

/// The node is gone, or speaks no sense.
struct Gone;

impl Guard {
    pub(super) fn new(
        socket: OwnedFd,
        signals: OwnedFd,
        clock: Clock,
        spawner: Spawner,
        scratch: Option<Scratch>,
    ) -> Guard {
        Guard {
            socket,
            signals,
            clock,
            spawner,
            scratch,
            tasks: Vec::new(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Serves the node until it is gone, then leaves nothing behind.
    pub(super) fn run(mut self) {
        while self.turn().is_ok() {}
        for task in &self.tasks {
            let _ = kill_process_group(task.pid, Signal::KILL);
        }
        sweep::kill_all_children();
        if let Some(scratch) = &self.scratch {
            scratch.remove();
        }
    }

    /// Tells what there is to tell, waits for something to happen, and acts on it.
    fn turn(&mut self) -> Result<(), Gone> {
        self.outbox.flush(&self.socket).map_err(|_| Gone)?;
        let ready = self.wait()?;
        // Output first, so that the tail of a task that has ended is whole.
        for i in ready.pipes {
            if let Some(task) = self.tasks.get_mut(i) {
                task.read_once(&mut self.buffer);
            }
        }
        if ready.signals {
            self.reap();
        }
        self.fire_timers();
        if ready.socket { self.receive() } else { Ok(()) }
    }

    fn wait(&self) -> Result<Ready, Gone> {
        let mut node = PollFlags::IN | PollFlags::RDHUP;
        node.set(PollFlags::OUT, !self.outbox.is_empty());
        let mut fds = Vec::with_capacity(self.tasks.len() + 2);
        fds.push(PollFd::new(&self.socket, node));
        fds.push(PollFd::new(&self.signals, PollFlags::IN));
        let mut owners = Vec::with_capacity(self.tasks.len());
        for (i, task) in self.tasks.iter().enumerate() {
            if let Some(pipe) = &task.pipe {
                fds.push(PollFd::new(pipe, PollFlags::IN));
                owners.push(i);
            }
        }
        let timer = self.tasks.iter().filter_map(Task::next_signal).min();
        let timeout = timer.map(|at| timespec(at.since(self.clock.now()).as_duration()));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Err(Gone),
        }
        // Orders that a node has left behind are not begun any more.
        if fds[0].revents().intersects(PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR) {
            return Err(Gone);
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let mut ready = fds.iter().map(is_ready);
        Ok(Ready {
            socket: ready.next().unwrap_or(false),
            signals: ready.next().unwrap_or(false),
            pipes: owners.into_iter().zip(ready).filter(|(_, r)| *r).map(|(i, _)| i).collect(),
        })
    }

    /// Reads orders and follows them.
    fn receive(&mut self) -> Result<(), Gone> {
        match recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(Gone),
            Ok((n, _)) => self.inbox.push(&self.buffer[..n]),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => return Err(Gone),
        }
        for order in self.inbox.messages().map_err(|_| Gone)? {
            match order {
                Order::Start(program) => self.start(program),
                Order::Stop(key, grace) => {
                    let now = self.clock.now();
                    if let Some(task) = self.tasks.iter_mut().find(|task| task.key == key) {
                        task.stop(Cause::Stop, now, now + grace);
                    }
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, program: Box<Program>) {
        let (key, start) = (program.key, self.clock.now());
        match self.try_start(program, start) {
            Ok(task) => {
                self.tasks.push(task);
                self.outbox.push(&Notice::Started(key, start));
            }
            Err((step, errno)) => {
                self.outbox.push(&Notice::Refused(key, start, step, errno));
            }
        }
    }

    fn try_start(&mut self, mut program: Box<Program>, start: Time) -> Result<Task, (Step, i32)> {
        let prepare = |error: Errno| (Step::Prepare, error.raw_os_error());
        let slot = self.scratch.as_mut().map(|scratch| {
            let taken = |slot| self.tasks.iter().any(|task| task.slot == Some(slot));
            let slot = (0..).find(|slot| !taken(*slot)).unwrap_or(usize::MAX);
            let failed = |error: std::io::Error| (Step::Scratch, error.raw_os_error().unwrap_or(0));
            // Before those of the user, who may want another.
            program.env.insert(0, scratch.enter(slot).map_err(failed)?);
            Ok(slot)
        });
        let slot = slot.transpose()?;
        let [_, stdout, stderr] = &program.stdio;
        let (mut reader, mut writer) = (None, None);
        if stdout.is_none() || stderr.is_none() {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(prepare)?;
            rustix::io::ioctl_fionbio(&read, true).map_err(prepare)?;
            (reader, writer) = (Some(File::from(read)), Some(write));
        }
        let pid = self.spawner.spawn(&program, writer.as_ref().map(AsFd::as_fd))?;
        let pid = Pid::from_raw(pid).ok_or((Step::Prepare, 0))?;
        let warning = program.warning.zip(program.limit);
        Ok(Task {
            key: program.key,
            pid,
            start,
            warn_at: warning.map(|(warning, limit)| start + (limit - warning.before)),
            timer: program.limit.map(|limit| start + limit),
            slot,
            program,
            cause: None,
            killed: false,
            pipe: reader,
            tail: Tail::default(),
        })
    }

    /// Sends the signals that are due.
    fn fire_timers(&mut self) {
        if self.tasks.iter().all(|task| task.next_signal().is_none()) {
            return;
        }
        let now = self.clock.now();
        let warned = self.tasks.iter_mut().filter(|task| task.warn_at.is_some_and(|at| at <= now));
        warned.for_each(Task::warn);
        for task in self.tasks.iter_mut().filter(|task| task.timer.is_some_and(|at| at <= now)) {
            if task.cause.is_some() {
                task.kill();
            } else {
                task.stop(Cause::TimeLimit, now, now + task.program.grace);
            }
        }
    }

    /// Lets go of all children that have ended. The first process of a task is looked at before
    /// it is reaped: until then its process id, and so its group's, is nobody else's.
    fn reap(&mut self) {
        let mut info = [0; 128];
        let _ = rustix::io::read(&self.signals, &mut info);
        loop {
            match sweep::next_ended() {
                Child::Ended(pid) => self.release(pid),
                Child::Running if self.tasks.is_empty() => {
                    // Left by tasks that are over, and out of their groups.
                    sweep::kill_children();
                    return;
                }
                Child::Running | Child::None => return,
            }
        }
    }

    fn release(&mut self, pid: Pid) {
        let Some(at) = self.tasks.iter().position(|task| task.pid == pid) else {
            sweep::reap(pid);
            return;
        };
        let mut task = self.tasks.swap_remove(at);
        let end = self.clock.now();
        let _ = kill_process_group(pid, Signal::KILL);
        let used = sweep::reap(pid);
        for _ in 0..LAST_READS {
            if !task.read_once(&mut self.buffer) {
                break;
            }
        }
        if let (Some(scratch), Some(slot)) = (&mut self.scratch, task.slot) {
            scratch.leave(slot);
        }
        let end = End {
            key: task.key,
            start: task.start,
            end,
            status: used.status,
            cause: task.cause,
            killed: task.killed,
            max_rss: used.max_rss,
            cpu: used.cpu,
            tail: task.tail.take(),
        };
        self.outbox.push(&Notice::Ended(Box::new(end)));
    }
}

/// What [`Guard::wait`] found.
struct Ready {
    socket: bool,
    signals: bool,
    /// Places in the list of tasks.
    pipes: Vec<usize>,
}

impl Task {
    fn next_signal(&self) -> Option<Time> {
        self.warn_at.into_iter().chain(self.timer).min()
    }

    /// Tells all its processes that its time is almost up; one that is being ended knows.
    fn warn(&mut self) {
        self.warn_at = None;
        if let (Some(warning), None) = (self.program.warning, self.cause) {
            let signal = match warning.signal {
                WarningSignal::Hup => Signal::HUP,
                WarningSignal::Int => Signal::INT,
                WarningSignal::Term => Signal::TERM,
                WarningSignal::Usr1 => Signal::USR1,
                WarningSignal::Usr2 => Signal::USR2,
            };
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Asks it to end, and sets the time at which it is made to. A task that is being ended
    /// already only gets the nearer of both times.
    fn stop(&mut self, cause: Cause, now: Time, kill_at: Time) {
        if self.cause.is_some() {
            self.timer = self.timer.map(|at| at.min(kill_at));
            return;
        }
        self.cause = Some(cause);
        if kill_at <= now {
            self.kill();
        } else {
            let _ = kill_process_group(self.pid, Signal::TERM);
            // A stopped process takes its SIGTERM only when it goes on.
            let _ = kill_process_group(self.pid, Signal::CONT);
            self.timer = Some(kill_at);
        }
    }

    fn kill(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.killed = true;
        self.timer = None;
    }

    /// Reads what is there; whether more may be.
    fn read_once(&mut self, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        match pipe.read(buffer) {
            Ok(n) if n > 0 => {
                self.tail.push(&buffer[..n]);
                n == buffer.len()
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            // Closed by all who could write, long before the task ends perhaps.
            Ok(_) | Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}

/// In the system's form; what is longer than that can say is as long as it can.
fn timespec(span: Duration) -> Timespec {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::from(span.subsec_nanos()) }
}
