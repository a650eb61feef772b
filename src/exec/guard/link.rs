//! The node's end of the conversation: which programs were asked for, a thread that hears what
//! became of them, and a new guard where one has died.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use rustix::process::{Signal, kill_process};

use crate::host::sweep;
use crate::model::{AttemptKey, Span, Time};

use super::fork::{self, Handle, Setup};
use super::outbox::Outbox;
use super::wire::{End, Inbox, Notice, Order, Program, Step};

/// What became of a program.
pub(in crate::exec) enum Event {
    /// It runs since then.
    Started(AttemptKey, Time),
    /// It is over.
    Ended(Box<Program>, Outcome),
}

/// How a program was over.
pub(in crate::exec) enum Outcome {
    /// It ran and ended.
    Exited(Box<End>),
    /// It could not be started at that time: what failed, and the number of the error.
    Refused(Time, Step, i32),
    /// Its guard died, and it was killed; it ran since then, if it had started.
    Orphaned(Option<Time>),
    /// There is no guard that could start it.
    Unguarded(io::Error),
}

/// How long a guard may take to end.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
const READ_BYTES: usize = 64 << 10;

/// The conversation with the guard of the day.
pub(in crate::exec) struct Link {
    shared: Arc<Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
    listener_id: ThreadId,
}

struct Shared {
    setup: Setup,
    state: Mutex<State>,
    /// Wakes the listener: there is more to send than the socket took, or no guard to send it
    /// to, or the end has come.
    wake: OwnedFd,
}

#[derive(Default)]
struct State {
    guard: Option<Handle>,
    outbox: Outbox,
    running: BTreeMap<AttemptKey, Running>,
    closed: bool,
}

struct Running {
    program: Box<Program>,
    since: Option<Time>,
}

impl Link {
    /// Starts a guard and the thread that listens to it and calls `tell`.
    pub(in crate::exec) fn start(
        setup: Setup,
        tell: impl Fn(Event) + Send + 'static,
    ) -> io::Result<Link> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let guard = fork::start(&setup)?;
        let state = Mutex::new(State { guard: Some(guard), ..State::default() });
        let shared = Arc::new(Shared { setup, state, wake });
        let listener = thread::Builder::new().name("evenkeel-exec".to_owned()).spawn({
            let shared = shared.clone();
            move || while shared.listen(&tell) {}
        });
        match listener {
            Ok(listener) => {
                let listener_id = listener.thread().id();
                Ok(Link { shared, listener: Mutex::new(Some(listener)), listener_id })
            }
            Err(error) => {
                // Nobody else would wait for it, and its zombie would stay.
                shared.state.lock().guard.take().iter().for_each(bury);
                Err(error)
            }
        }
    }

    /// Has a program started. One whose key is that of a running program is not.
    pub(in crate::exec) fn run(&self, program: Box<Program>) {
        let mut state = self.shared.state.lock();
        if state.closed || state.running.contains_key(&program.key) {
            return;
        }
        let key = program.key;
        let order = Order::Start(program);
        state.outbox.push(&order);
        if let Order::Start(program) = order {
            state.running.insert(key, Running { program, since: None });
        }
        self.shared.flush(&mut state);
    }

    /// Has a program ended, if it runs.
    pub(in crate::exec) fn stop(&self, key: AttemptKey, grace: Span) {
        let mut state = self.shared.state.lock();
        if state.running.contains_key(&key) {
            state.outbox.push(&Order::Stop(key, grace));
            self.shared.flush(&mut state);
        }
    }

    /// Has all programs ended that run.
    pub(in crate::exec) fn stop_all(&self, grace: Span) {
        let running: Vec<AttemptKey> = self.shared.state.lock().running.keys().copied().collect();
        running.into_iter().for_each(|key| self.stop(key, grace));
    }

    /// Kills all programs; when it returns they are gone. Nothing is told any more.
    pub(in crate::exec) fn close(&self) {
        let guard = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            state.running.clear();
            state.guard.take()
        };
        self.shared.wake();
        if let Some(guard) = guard {
            let _ = shutdown(&guard.socket, Shutdown::Write);
            // Only to hear the other end being closed, which is always reported.
            let mut fds = [PollFd::new(&guard.socket, PollFlags::empty())];
            while poll(&mut fds, Some(&PATIENCE)) == Err(Errno::INTR) {}
            bury(&guard);
        }
        // The listener may be busy with the remains of a guard that died just now. It cannot
        // wait for itself, if it was told something and closes for that.
        if thread::current().id() != self.listener_id
            && let Some(listener) = self.listener.lock().take()
        {
            // It does not panic, and if what it tells does, that was reported there.
            let _ = listener.join();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// Makes sure that a guard and all that it started are gone.
fn bury(guard: &Handle) {
    let _ = kill_process(guard.pid, Signal::KILL);
    sweep::kill_session(guard.pid);
    sweep::reap(guard.pid);
}

impl Shared {
    /// Sends what can be sent at once; the listener sees to the rest.
    fn flush(&self, state: &mut State) {
        let State { guard, outbox, .. } = state;
        // An error means that the guard is gone, which the listener finds out by itself.
        let sent = guard.as_ref().is_some_and(|guard| outbox.flush(&guard.socket).is_ok());
        if !sent || !outbox.is_empty() {
            self.wake();
        }
    }

    fn wake(&self) {
        // It can only fail when it is as awake as can be.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// With one guard, from its start to its end; whether to go on with another.
    fn listen(&self, tell: &impl Fn(Event)) -> bool {
        let Some(socket) = self.guard(tell) else { return false };
        let mut inbox = Inbox::default();
        let mut buffer = vec![0; READ_BYTES];
        while !self.state.lock().closed {
            if !self.wait(Some(&socket)) {
                continue;
            }
            match recv(&socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((n, _)) if n > 0 => inbox.push(&buffer[..n]),
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Ok(_) | Err(_) => break,
            }
            let Ok(notices) = inbox.messages() else { break };
            for notice in notices {
                self.note(notice, tell);
            }
        }
        self.lose_guard(tell);
        true
    }

    /// The socket of the guard; a new one is started where a program waits for it. `None` when
    /// the end has come.
    fn guard(&self, tell: &impl Fn(Event)) -> Option<Arc<OwnedFd>> {
        loop {
            let mut state = self.state.lock();
            if state.closed {
                return None;
            }
            if let Some(guard) = &state.guard {
                return Some(guard.socket.clone());
            }
            if state.running.is_empty() {
                drop(state);
                self.wait(None);
                continue;
            }
            // Under the lock, so that `close` cannot miss the newcomer.
            match fork::start(&self.setup) {
                Ok(guard) => {
                    state.guard = Some(guard);
                    self.flush(&mut state);
                }
                Err(error) => {
                    let waiting = state.forget_all();
                    drop(state);
                    for Running { program, .. } in waiting {
                        let error = io::Error::from(error.kind());
                        tell(Event::Ended(program, Outcome::Unguarded(error)));
                    }
                }
            }
        }
    }

    /// Waits for the socket, or to be woken; whether the socket is to be read.
    fn wait(&self, socket: Option<&Arc<OwnedFd>>) -> bool {
        let mut interest = PollFlags::IN;
        {
            let mut state = self.state.lock();
            let State { guard: Some(guard), outbox, .. } = &mut *state else {
                drop(state);
                let mut fds = [PollFd::new(&self.wake, PollFlags::IN)];
                let _ = poll(&mut fds, None);
                self.awake();
                return false;
            };
            let _ = outbox.flush(&guard.socket);
            interest.set(PollFlags::OUT, !outbox.is_empty());
        }
        let Some(socket) = socket else { return false };
        let mut fds = [PollFd::new(socket, interest), PollFd::new(&self.wake, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            return false;
        }
        let [readable, woken] = fds.map(|fd| fd.revents());
        if !woken.is_empty() {
            self.awake();
        }
        readable.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
    }

    fn awake(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    fn note(&self, notice: Notice, tell: &impl Fn(Event)) {
        let mut state = self.state.lock();
        let event = match notice {
            Notice::Started(key, at) => state.running.get_mut(&key).map(|running| {
                running.since = Some(at);
                Event::Started(key, at)
            }),
            Notice::Refused(key, at, step, errno) => state
                .running
                .remove(&key)
                .map(|r| Event::Ended(r.program, Outcome::Refused(at, step, errno))),
            Notice::Ended(end) => state
                .running
                .remove(&end.key)
                .map(|r| Event::Ended(r.program, Outcome::Exited(end))),
        };
        drop(state);
        event.into_iter().for_each(tell);
    }

    /// The guard is dead, or makes no sense and soon will be: so are its programs.
    fn lose_guard(&self, tell: &impl Fn(Event)) {
        let (guard, lost) = {
            let mut state = self.state.lock();
            (state.guard.take(), state.forget_all())
        };
        // None if `close` took it.
        if let Some(guard) = guard {
            bury(&guard);
        }
        for Running { program, since } in lost {
            tell(Event::Ended(program, Outcome::Orphaned(since)));
        }
    }
}

impl State {
    /// Forgets all programs, and what was to be said of them.
    fn forget_all(&mut self) -> Vec<Running> {
        self.outbox = Outbox::default();
        std::mem::take(&mut self.running).into_values().collect()
    }
}
