//! What node and guard say to each other: frames of a length and a body, over a stream socket
//! between two processes of one binary. So there is no version and no magic, but nothing is
//! taken for granted either: a frame that does not parse is the end of the conversation.

#![forbid(unsafe_code)]

use std::ffi::CString;

use crate::model::wire::{Garbled, Wire, wire_enum, wire_struct};
use crate::model::{AttemptKey, Span, Time, Warning};

/// What the node asks of the guard.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// Start a program.
    Start(Box<Program>),
    /// End it: SIGTERM now, SIGKILL after the grace.
    Stop(AttemptKey, Span),
}

/// A program to start, all placeholders filled in.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::exec) struct Program {
    /// Whose program this is.
    pub(in crate::exec) key: AttemptKey,
    /// The program and its arguments; never empty.
    pub(in crate::exec) argv: Vec<CString>,
    /// `NAME=value`, over the environment that the guard was born with.
    pub(in crate::exec) env: Vec<CString>,
    /// The folder to run in, if not the guard's.
    pub(in crate::exec) cwd: Option<CString>,
    /// Files for standard input, output and error.
    pub(in crate::exec) stdio: [Option<CString>; 3],
    /// The processing units that it may use; empty for all.
    pub(in crate::exec) units: Vec<u32>,
    /// How long it may take.
    pub(in crate::exec) limit: Option<Span>,
    /// A signal before its time is up.
    pub(in crate::exec) warning: Option<Warning>,
    /// Between SIGTERM and SIGKILL when its time is up.
    pub(in crate::exec) grace: Span,
}

/// What the guard tells the node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// The program runs.
    Started(AttemptKey, Time),
    /// The program could not be started: what was tried, and the number of the error.
    Refused(AttemptKey, Time, Step, i32),
    /// The program has ended and its group is gone.
    Ended(Box<End>),
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::exec) struct End {
    pub(in crate::exec) key: AttemptKey,
    pub(in crate::exec) start: Time,
    pub(in crate::exec) end: Time,
    /// As `wait` gives it.
    pub(in crate::exec) status: i32,
    /// Why the guard ended it, if it did.
    pub(in crate::exec) cause: Option<Cause>,
    /// Whether the guard had to send SIGKILL.
    pub(in crate::exec) killed: bool,
    /// In bytes.
    pub(in crate::exec) max_rss: u64,
    pub(in crate::exec) cpu: Span,
    pub(in crate::exec) tail: Vec<u8>,
}

/// Why the guard ends a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) enum Cause {
    TimeLimit,
    Stop,
}

/// The steps of starting a program, any of which may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) enum Step {
    Prepare,
    Scratch,
    Affinity,
    Cwd,
    Stdin,
    Stdout,
    Stderr,
    Exec,
}

wire_struct! {
    Program { key, argv, env, cwd, stdio, units, limit, warning, grace }
    End { key, start, end, status, cause, killed, max_rss, cpu, tail }
}

wire_enum! {
    Order { 0 => Start(program), 1 => Stop(key, grace) }
    Notice { 0 => Started(key, at), 1 => Refused(key, at, step, errno), 2 => Ended(end) }
    Cause { 0 => TimeLimit, 1 => Stop }
    Step {
        0 => Prepare, 1 => Scratch, 2 => Affinity, 3 => Cwd, 4 => Stdin, 5 => Stdout, 6 => Stderr,
        7 => Exec
    }
}

/// The length of a frame, before its body.
const PREFIX: usize = size_of::<u32>();

/// Appends `message` as one frame.
pub(super) fn put_frame(message: &impl Wire, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend([0; PREFIX]);
    message.put(out);
    let length = (out.len() - at - PREFIX) as u32;
    out[at..at + PREFIX].copy_from_slice(&length.to_le_bytes());
}

/// Bytes as they came, cut into frames.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The messages of all whole frames; what is left of one waits for the rest of it.
    ///
    /// # Errors
    /// If the other side sent what is no frame.
    pub(super) fn messages<T: Wire>(&mut self) -> Result<Vec<T>, Garbled> {
        let mut messages = Vec::new();
        let mut rest = &self.bytes[..];
        while let Some((length, after)) = rest.split_first_chunk::<PREFIX>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((body, after)) = after.split_at_checked(length) else { break };
            messages.push(T::from_bytes(body)?);
            rest = after;
        }
        let used = self.bytes.len() - rest.len();
        self.bytes.drain(..used);
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, JobId, TaskId, WarningSignal};

    /// All steps.
    const STEPS: [Step; 8] = [
        Step::Prepare,
        Step::Scratch,
        Step::Affinity,
        Step::Cwd,
        Step::Stdin,
        Step::Stdout,
        Step::Stderr,
        Step::Exec,
    ];

    const KEY: AttemptKey = AttemptKey {
        job: JobId(1),
        task: TaskId(u32::MAX),
        attempt: Attempt(u16::MAX),
        epoch: crate::model::Epoch(1),
    };

    fn orders() -> Vec<Order> {
        let text = |text: &str| CString::new(text).unwrap();
        let program = Program {
            key: KEY,
            argv: vec![text("a"), text("")],
            env: vec![text("é=1")],
            cwd: None,
            stdio: [None, Some(text("out")), Some(text(""))],
            units: vec![0, 63, 64],
            limit: Some(Span(0)),
            warning: Some(Warning { signal: WarningSignal::Usr1, before: Span(3) }),
            grace: Span(u64::MAX),
        };
        let bare = Program { env: vec![], units: vec![], limit: None, ..program.clone() };
        let start = |program| Order::Start(Box::new(program));
        vec![start(program), Order::Stop(KEY, Span(7)), start(bare)]
    }

    fn notices() -> Vec<Notice> {
        let end = End {
            key: KEY,
            start: Time(1),
            end: Time(2),
            status: -1,
            cause: Some(Cause::Stop),
            killed: true,
            max_rss: 4096,
            cpu: Span(5),
            tail: b"tail".to_vec(),
        };
        let refused = STEPS.map(|step| Notice::Refused(KEY, Time(3), step, 2));
        let mut all = vec![Notice::Started(KEY, Time(9)), Notice::Ended(Box::new(end))];
        all.extend(refused);
        all
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let mut bytes = Vec::new();
        orders().iter().for_each(|order| put_frame(order, &mut bytes));
        for cut in 0..=bytes.len() {
            let mut inbox = Inbox::default();
            inbox.push(&bytes[..cut]);
            let mut got = inbox.messages::<Order>().unwrap();
            inbox.push(&bytes[cut..]);
            got.extend(inbox.messages::<Order>().unwrap());
            assert_eq!(got, orders(), "cut at {cut}");
        }
    }

    #[test]
    fn notices_come_back_as_they_went() {
        let mut inbox = Inbox::default();
        for notice in notices() {
            let mut bytes = Vec::new();
            put_frame(&notice, &mut bytes);
            inbox.push(&bytes);
        }
        assert_eq!(inbox.messages::<Notice>().unwrap(), notices());
    }

    #[test]
    fn what_is_no_frame_is_said_to_be_none() {
        for body in [&[9u8][..], &[], &[0, 1, 2]] {
            let mut inbox = Inbox::default();
            inbox.push(&(body.len() as u32).to_le_bytes());
            inbox.push(body);
            assert!(inbox.messages::<Notice>().is_err());
            assert!(inbox.messages::<Order>().is_err());
        }
    }
}
