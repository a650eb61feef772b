//! What node and guard say to each other: frames of a length and a body, over a stream socket
//! between two processes of one binary. So there is no version and no magic, but nothing is
//! taken for granted either: a frame that does not parse is the end of the conversation.

#![forbid(unsafe_code)]

use std::ffi::CString;

use crate::model::{Attempt, AttemptKey, JobId, Span, TaskId, Time};

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

impl Step {
    const ALL: [Step; 8] = [
        Step::Prepare,
        Step::Scratch,
        Step::Affinity,
        Step::Cwd,
        Step::Stdin,
        Step::Stdout,
        Step::Stderr,
        Step::Exec,
    ];
}

impl Order {
    /// Appends this order as one frame.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        frame(out, |out| match self {
            Order::Start(program) => {
                out.push(0);
                program.encode(out);
            }
            Order::Stop(key, grace) => {
                out.push(1);
                put_key(out, *key);
                put_u64(out, grace.0);
            }
        });
    }

    fn decode(body: &[u8]) -> Option<Order> {
        let mut reader = Reader(body);
        match reader.u8()? {
            0 => Program::decode(&mut reader).map(|program| Order::Start(Box::new(program))),
            1 => Some(Order::Stop(reader.key()?, Span(reader.u64()?))),
            _ => None,
        }
    }
}

impl Program {
    fn encode(&self, out: &mut Vec<u8>) {
        put_key(out, self.key);
        for list in [&self.argv, &self.env] {
            put_u32(out, list.len() as u32);
            for text in list {
                put_bytes(out, text.as_bytes());
            }
        }
        for text in std::iter::once(&self.cwd).chain(&self.stdio) {
            out.push(u8::from(text.is_some()));
            put_bytes(out, text.as_ref().map_or(b"", |text| text.as_bytes()));
        }
        put_u32(out, self.units.len() as u32);
        for unit in &self.units {
            put_u32(out, *unit);
        }
        out.push(u8::from(self.limit.is_some()));
        put_u64(out, self.limit.unwrap_or_default().0);
        put_u64(out, self.grace.0);
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Program> {
        let key = reader.key()?;
        let mut list = || {
            let n = reader.u32()?;
            (0..n).map(|_| CString::new(reader.bytes()?).ok()).collect::<Option<Vec<CString>>>()
        };
        let (argv, env) = (list()?, list()?);
        let mut path = || {
            let is_some = reader.u8()? != 0;
            let text = CString::new(reader.bytes()?).ok()?;
            Some(is_some.then_some(text))
        };
        let (cwd, stdio) = (path()?, [path()?, path()?, path()?]);
        let n = reader.u32()?;
        let units = (0..n).map(|_| reader.u32()).collect::<Option<Vec<u32>>>()?;
        let has_limit = reader.u8()? != 0;
        let limit = Span(reader.u64()?);
        let grace = Span(reader.u64()?);
        let limit = has_limit.then_some(limit);
        Some(Program { key, argv, env, cwd, stdio, units, limit, grace })
    }
}

impl Notice {
    /// Appends this notice as one frame.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        frame(out, |out| match self {
            Notice::Started(key, at) => {
                out.push(0);
                put_key(out, *key);
                put_u64(out, at.0);
            }
            Notice::Refused(key, at, step, errno) => {
                out.push(1);
                put_key(out, *key);
                put_u64(out, at.0);
                out.push(*step as u8);
                put_u32(out, *errno as u32);
            }
            Notice::Ended(end) => {
                out.push(2);
                put_key(out, end.key);
                put_u64(out, end.start.0);
                put_u64(out, end.end.0);
                put_u32(out, end.status as u32);
                out.push(match end.cause {
                    None => 0,
                    Some(Cause::TimeLimit) => 1,
                    Some(Cause::Stop) => 2,
                });
                out.push(u8::from(end.killed));
                put_u64(out, end.max_rss);
                put_u64(out, end.cpu.0);
                put_bytes(out, &end.tail);
            }
        });
    }

    fn decode(body: &[u8]) -> Option<Notice> {
        let mut reader = Reader(body);
        match reader.u8()? {
            0 => Some(Notice::Started(reader.key()?, Time(reader.u64()?))),
            1 => {
                let (key, at) = (reader.key()?, Time(reader.u64()?));
                let step = *Step::ALL.get(usize::from(reader.u8()?))?;
                Some(Notice::Refused(key, at, step, reader.u32()? as i32))
            }
            2 => Some(Notice::Ended(Box::new(End {
                key: reader.key()?,
                start: Time(reader.u64()?),
                end: Time(reader.u64()?),
                status: reader.u32()? as i32,
                cause: match reader.u8()? {
                    0 => None,
                    1 => Some(Cause::TimeLimit),
                    2 => Some(Cause::Stop),
                    _ => return None,
                },
                killed: reader.u8()? != 0,
                max_rss: reader.u64()?,
                cpu: Span(reader.u64()?),
                tail: reader.bytes()?.to_vec(),
            }))),
            _ => None,
        }
    }
}

/// Bytes as they came, cut into frames.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
}

/// The other side sent what is no frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbled;

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn orders(&mut self) -> Result<Vec<Order>, Garbled> {
        self.frames(Order::decode)
    }

    pub(super) fn notices(&mut self) -> Result<Vec<Notice>, Garbled> {
        self.frames(Notice::decode)
    }

    /// All whole frames; what is left of one waits for the rest of it.
    fn frames<T>(&mut self, decode: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, Garbled> {
        let mut frames = Vec::new();
        let mut rest = Reader(&self.bytes);
        while let Some(body) = rest.bytes() {
            frames.push(decode(body).ok_or(Garbled)?);
        }
        let used = self.bytes.len() - rest.0.len();
        self.bytes.drain(..used);
        Ok(frames)
    }
}

fn frame(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    put_u32(out, 0);
    body(out);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

fn put_u32(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

fn put_key(out: &mut Vec<u8>, key: AttemptKey) {
    put_u32(out, key.job.0);
    put_u32(out, key.task.0);
    put_u32(out, u32::from(key.attempt.0));
}

/// What is left to read. A read that fails takes nothing.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*head) as usize)?;
        self.0 = rest;
        Some(bytes)
    }

    fn key(&mut self) -> Option<AttemptKey> {
        let (job, task) = (JobId(self.u32()?), TaskId(self.u32()?));
        let attempt = Attempt(u16::try_from(self.u32()?).ok()?);
        Some(AttemptKey { job, task, attempt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: AttemptKey =
        AttemptKey { job: JobId(1), task: TaskId(u32::MAX), attempt: Attempt(u16::MAX) };

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
        let refused = Step::ALL.map(|step| Notice::Refused(KEY, Time(3), step, 2));
        let mut all = vec![Notice::Started(KEY, Time(9)), Notice::Ended(Box::new(end))];
        all.extend(refused);
        all
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let mut bytes = Vec::new();
        orders().iter().for_each(|order| order.encode(&mut bytes));
        for cut in 0..=bytes.len() {
            let mut inbox = Inbox::default();
            inbox.push(&bytes[..cut]);
            let mut got = inbox.orders().unwrap();
            inbox.push(&bytes[cut..]);
            got.extend(inbox.orders().unwrap());
            assert_eq!(got, orders(), "cut at {cut}");
        }
    }

    #[test]
    fn notices_come_back_as_they_went() {
        let mut inbox = Inbox::default();
        for notice in notices() {
            let mut bytes = Vec::new();
            notice.encode(&mut bytes);
            inbox.push(&bytes);
        }
        assert_eq!(inbox.notices().unwrap(), notices());
    }

    #[test]
    fn what_is_no_frame_is_said_to_be_none() {
        for body in [&[9u8][..], &[], &[0, 1, 2]] {
            let mut inbox = Inbox::default();
            inbox.push(&(body.len() as u32).to_le_bytes());
            inbox.push(body);
            assert_eq!(inbox.notices(), Err(Garbled));
            assert_eq!(inbox.orders(), Err(Garbled));
        }
    }
}
