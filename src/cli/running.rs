//! A launcher that runs: what comes out of it, the signals for it, its end.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal as Number, getpid, kill_process, set_child_subreaper};

use crate::host::{self, Signals};

/// Between two looks at how far the run is, and at whether the launcher lives.
const TICK: Duration = Duration::from_millis(100);
/// Between two looks at a launcher that has closed its streams and so is about to end.
const LOOK: Duration = Duration::from_millis(1);
/// How what was launched is brought to its end: one rung further down with each signal, and when the time
/// that a rung gives is up.
const LADDER: [Rung; 4] = [
    // All launchers pass this one on to their ranks and live on; after the others Open MPI gives
    // its ranks a second.
    Rung(Number::USR1, None, "the run is asked to end; once more not to wait for what runs"),
    // Tasks have five seconds where they do not say otherwise.
    Rung(Number::USR1, Some(10), "the run is asked to end now; once more to end the launcher"),
    Rung(Number::TERM, Some(5), "the launcher is asked to end; once more to kill it"),
    Rung(Number::KILL, None, "the launcher is killed"),
];
/// The first rung of the ladder that is for the launcher alone.
const LAUNCHER: usize = 2;
/// How long a launcher may take to end when its run is over. Open MPI's waits without end for what
/// it has on a host that hangs, is cut off or has lost its power.
const PARTING: Duration = Duration::from_secs(10);
/// How long what a launcher leaves behind may take to end by itself: a guard clears up after a
/// node that died.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How many lines may wait to be shown. A launcher that prints more has to wait.
const LINES: usize = 1024;

/// The signal that the launcher gets, the seconds until the next rung, and words for people.
struct Rung(Number, Option<u64>, &'static str);

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// What is told of a launcher while it runs.
pub(super) enum Told<'a> {
    /// A line, without its line break.
    Line(Stream, &'a [u8]),
    /// The launcher was sent a signal, which means this.
    Asked(&'static str),
    /// Some time has passed.
    Tick,
}

enum Event {
    Line(Stream, Vec<u8>),
    /// One of the two streams has ended.
    Closed,
    /// Somebody wants this process to end.
    Signal,
}

/// Starts the launcher, and gives its status when it has ended and nothing is left of what it
/// started on this host. `tell` says at which line the run was over.
pub(super) fn run(
    mut command: Command,
    mut tell: impl FnMut(Told<'_>) -> bool,
) -> io::Result<ExitStatus> {
    // Out of the way of the terminal's Ctrl-C: how the run is to end is said once, by us.
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    host::ends_with_its_starter(&mut command);
    // What a launcher that was killed leaves behind is handed down to this process.
    set_child_subreaper(Some(getpid()))?;
    let (sender, events) = sync_channel(LINES);
    let signalled = sender.clone();
    let _signals = Signals::install(move |_| drop(signalled.send(Event::Signal)))?;
    let mut running = Running::start(command, &sender)?;
    let (status, ended) = running.watch(&events, &mut tell)?;
    host::end_all_children(AFTERMATH.saturating_sub(ended.elapsed()));
    for event in events.try_iter() {
        if let Event::Line(stream, line) = event {
            tell(Told::Line(stream, &line));
        }
    }
    // Here, and not after the signals: one that waits for room among the events goes on.
    drop(events);
    Ok(status)
}

struct Running {
    launcher: Child,
    /// How many of its streams are open.
    open: u32,
    /// How many rungs of the ladder lie behind it.
    rungs: usize,
    /// When it takes the next by itself.
    next_rung: Option<Instant>,
    /// The status of the launcher, and since when it has ended.
    ended: Option<(ExitStatus, Instant)>,
}

impl Running {
    fn start(mut command: Command, events: &SyncSender<Event>) -> io::Result<Running> {
        let mut launcher = command.spawn()?;
        read(launcher.stdout.take(), Stream::Out, events)?;
        read(launcher.stderr.take(), Stream::Err, events)?;
        Ok(Running { launcher, open: 2, rungs: 0, next_rung: None, ended: None })
    }

    /// Tells what happens until the launcher has ended and all that it started, or should have.
    /// Gives its status, and since when it has ended.
    fn watch(
        &mut self,
        events: &Receiver<Event>,
        tell: &mut impl FnMut(Told<'_>) -> bool,
    ) -> io::Result<(ExitStatus, Instant)> {
        let mut ticked = Instant::now();
        loop {
            match events.recv_timeout(if self.open == 0 { LOOK } else { TICK }) {
                Ok(Event::Line(stream, line)) => {
                    if tell(Told::Line(stream, &line)) {
                        self.part();
                    }
                }
                Ok(Event::Closed) => self.open -= 1,
                Ok(Event::Signal) => {
                    tell(Told::Asked(self.ask()));
                }
                Err(_) => {}
            }
            let now = Instant::now();
            if self.next_rung.is_some_and(|at| now >= at) {
                tell(Told::Asked(self.ask()));
            }
            if now >= ticked + TICK {
                ticked = now;
                tell(Told::Tick);
            }
            match self.ended {
                None => self.ended = self.launcher.try_wait()?.map(|status| (status, now)),
                Some(ended) if self.open == 0 || now > ended.1 + AFTERMATH => return Ok(ended),
                Some(_) => {}
            }
        }
    }

    /// The run is over: from now on only the launcher has to be brought to its end.
    fn part(&mut self) {
        if self.rungs < LAUNCHER {
            self.rungs = LAUNCHER;
            self.next_rung = Some(Instant::now() + PARTING);
        }
    }

    /// Goes a rung down the ladder, and says what that means.
    fn ask(&mut self) -> &'static str {
        let Rung(signal, seconds, words) = LADDER[self.rungs.min(LADDER.len() - 1)];
        self.rungs += 1;
        self.next_rung = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        // Until it is reaped its number is its own.
        if self.ended.is_none() {
            let _ = kill_process(Pid::from_child(&self.launcher), signal);
        }
        words
    }
}

/// Reads lines on a thread of its own.
fn read(
    stream: Option<impl Read + Send + 'static>,
    which: Stream,
    events: &SyncSender<Event>,
) -> io::Result<()> {
    let (mut reader, events) = (BufReader::new(stream.expect("it is piped")), events.clone());
    let body = move || {
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            line.pop_if(|last| *last == b'\n');
            if events.send(Event::Line(which, std::mem::take(&mut line))).is_err() {
                return;
            }
        }
        let _ = events.send(Event::Closed);
    };
    thread::Builder::new().name("launcher".to_owned()).spawn(body)?;
    Ok(())
}
