//! A session with one other process: frames are numbered, acknowledged, and sent again when the
//! transport comes back up.
//!
//! A session is between one incarnation of each side. Within it every envelope arrives once and
//! in order, whatever the transport loses or repeats across its ups and downs; when either side
//! starts afresh a new session begins, and the role above is told that the old one is gone.
//!
//! To acknowledge a frame says that what came of it is safe: it may be put off until the parent
//! of this process has acknowledged what it was told in turn, or, with the master, until it is on
//! disk. So what a child has said and not had acknowledged is what may be lost with its parent.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::{Envelope, Frame, RunId};
use crate::model::{Epoch, Incarnation};

/// What this process writes at the head of each frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The run.
    pub(super) run: RunId,
    /// The master's epoch.
    pub(super) epoch: Epoch,
    /// This process's incarnation.
    pub(super) me: Incarnation,
}

/// One side of a session.
#[derive(Debug, Default)]
pub(super) struct Uplink {
    /// The other side's incarnation; 0 until it has said something.
    other: Incarnation,
    /// Incarnations up to this one are dead to us.
    fenced: Incarnation,
    up: bool,
    sent: u64,
    received: u64,
    /// All up to this one may be acknowledged.
    safe: u64,
    /// Frames that were received and are not safe yet, and what each waits for.
    unsafe_yet: VecDeque<(u64, Need)>,
    unacknowledged: VecDeque<(u64, Arc<Vec<Envelope>>)>,
    outbox: Vec<Envelope>,
}

/// What has to be safe before a frame may be acknowledged: so many frames to the parent, or so
/// many entries of the journal.
pub(super) type Need = u64;

/// What came of a frame.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Receipt {
    /// The other side has started afresh since we last heard of it.
    pub(super) restarted: bool,
    /// The other side does not accept this incarnation of ours.
    pub(super) refused: bool,
    /// What arrived, in order.
    pub(super) envelopes: Vec<Envelope>,
    /// An answer that tells the other side that it, or its idea of us, is out of date.
    pub(super) answer: Option<Frame>,
}

impl Uplink {
    /// Queues a message; it leaves with the next [`flush`](Self::flush).
    pub(super) fn post(&mut self, envelope: Envelope) {
        self.outbox.push(envelope);
    }

    /// Packs what was posted into one frame, if there is anything and the transport is up.
    pub(super) fn flush(&mut self, header: Header) -> Option<Frame> {
        if self.outbox.is_empty() {
            return None;
        }
        self.sent += 1;
        let envelopes = Arc::new(std::mem::take(&mut self.outbox));
        self.unacknowledged.push_back((self.sent, Arc::clone(&envelopes)));
        self.up.then(|| self.frame(header, self.sent, envelopes))
    }

    /// The transport is up: everything that was not acknowledged goes out again.
    pub(super) fn up(&mut self, header: Header) -> Vec<Frame> {
        self.up = true;
        let again = self.unacknowledged.iter();
        again.map(|(seq, envelopes)| self.frame(header, *seq, Arc::clone(envelopes))).collect()
    }

    /// The number of the last frame to the other side, what waits to be sent among it.
    pub(super) fn last(&self) -> u64 {
        self.sent + u64::from(!self.outbox.is_empty())
    }

    /// All up to this one were acknowledged by the other side.
    pub(super) fn acknowledged(&self) -> u64 {
        self.unacknowledged.front().map_or(self.sent, |(first, _)| first - 1)
    }

    /// What was received last may be acknowledged once `need` is safe.
    pub(super) fn owe(&mut self, need: Need) {
        let last = self.unsafe_yet.back().map_or(self.safe, |(seq, _)| *seq);
        if self.received > last {
            self.unsafe_yet.push_back((self.received, need));
        }
    }

    /// So much is safe.
    pub(super) fn settle(&mut self, safe: Need) {
        while let Some((seq, _)) = self.unsafe_yet.pop_front_if(|(_, need)| *need <= safe) {
            self.safe = seq;
        }
    }

    /// What was received and is not safe yet waits for `need` instead.
    pub(super) fn owe_anew(&mut self, need: Need) {
        self.unsafe_yet.iter_mut().for_each(|(_, old)| *old = need);
    }

    /// What was said and not acknowledged: it may be lost.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = &Envelope> {
        self.unacknowledged.iter().flat_map(|(_, sent)| sent.iter()).chain(&self.outbox)
    }

    /// Whether the transport is up.
    #[must_use]
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// The transport is down: nothing leaves until it is up.
    pub(super) fn down(&mut self) {
        self.up = false;
    }

    /// Ends the session; its incarnation of the other side is dead to us.
    pub(super) fn fence(&mut self) {
        self.fenced = self.fenced.max(self.other);
        self.reset();
    }

    /// Ends the session from this side: whoever speaks next begins a new one.
    pub(super) fn reset(&mut self) {
        self.sent = 0;
        self.received = 0;
        self.safe = 0;
        self.unsafe_yet.clear();
        self.unacknowledged.clear();
        self.outbox.clear();
    }

    /// Takes a frame in.
    pub(super) fn receive(&mut self, frame: Frame, header: Header) -> Receipt {
        let mut receipt = Receipt::default();
        if frame.from < self.other || frame.from <= self.fenced {
            if !frame.refused {
                let refusal = Frame { to: frame.from, refused: true, ..self.bare(header) };
                receipt.answer = Some(refusal);
            }
            return receipt;
        }
        if frame.from > self.other {
            receipt.restarted = self.other != Incarnation(0);
            self.other = frame.from;
            if receipt.restarted {
                self.reset();
            }
        }
        if frame.to != Incarnation(0) && frame.to != header.me {
            // It speaks to who we were; our incarnation in the answer tells it so.
            receipt.answer = (!frame.refused).then(|| self.bare(header));
            return receipt;
        }
        receipt.refused = frame.refused;
        while self.unacknowledged.front().is_some_and(|(seq, _)| *seq <= frame.ack) {
            self.unacknowledged.pop_front();
        }
        // A repeated frame is known already; one beyond a gap will come again after it.
        if frame.seq == self.received + 1 {
            self.received = frame.seq;
            receipt.envelopes = Arc::try_unwrap(frame.envelopes).unwrap_or_else(|e| (*e).clone());
        }
        receipt
    }

    fn frame(&self, header: Header, seq: u64, envelopes: Arc<Vec<Envelope>>) -> Frame {
        Frame { seq, envelopes, ..self.bare(header) }
    }

    fn bare(&self, header: Header) -> Frame {
        Frame {
            run: header.run,
            epoch: header.epoch,
            from: header.me,
            to: self.other,
            refused: false,
            seq: 0,
            ack: self.safe,
            envelopes: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::sched::message::{Message, Role};
    use proptest::prelude::*;

    fn header(me: u32) -> Header {
        Header { run: RunId(1), epoch: Epoch(1), me: Incarnation(me) }
    }

    fn note(n: u64) -> Envelope {
        let message = Message::Renew { asked: Time(n) };
        Envelope { from: Role::Node, to: Role::SubMaster, message }
    }

    proptest! {
        /// Two sides, a transport that breaks at any moment: losing what is on its way, and
        /// repeating old frames once it is back.
        #[test]
        fn everything_arrives_once_and_in_order(
            steps in prop::collection::vec((0u8..6, 0usize..8), 1..200)
        ) {
            let (mut a, mut b) = (Uplink::default(), Uplink::default());
            let (mut wire, mut old): (VecDeque<Frame>, Vec<Frame>) = Default::default();
            a.up(header(1));
            b.up(header(1));
            let (mut posted, mut arrived) = (0u64, Vec::new());
            let mut deliver = |b: &mut Uplink, frame: Frame| {
                arrived.extend(b.receive(frame, header(1)).envelopes);
            };
            for (what, which) in steps {
                match what {
                    0 | 1 => {
                        posted += 1;
                        a.post(note(posted));
                        wire.extend(a.flush(header(1)));
                    }
                    2 => if let Some(frame) = wire.pop_front() {
                        old.push(frame.clone());
                        deliver(&mut b, frame);
                    },
                    3 => {
                        b.post(note(0));
                        if let Some(frame) = b.flush(header(1)) {
                            a.receive(frame, header(1));
                        }
                    }
                    4 => {
                        a.down();
                        wire.truncate(which);
                        old.extend(wire.drain(..));
                        wire.extend(a.up(header(1)));
                    }
                    _ => if !old.is_empty() {
                        let frame = old[which % old.len()].clone();
                        deliver(&mut b, frame);
                    },
                }
            }
            a.down();
            for frame in a.up(header(1)) {
                deliver(&mut b, frame);
            }
            let all: Vec<Envelope> = (1..=posted).map(note).collect();
            prop_assert_eq!(arrived, all);
        }
    }

    #[test]
    fn a_fenced_incarnation_is_refused_and_the_next_one_is_not() {
        let (mut child, mut parent) = (Uplink::default(), Uplink::default());
        child.up(header(1));
        parent.up(header(1));
        child.post(note(1));
        let hello = child.flush(header(1)).unwrap();
        assert_eq!(parent.receive(hello, header(1)).envelopes.len(), 1);
        parent.fence();
        child.post(note(2));
        let late = child.flush(header(1)).unwrap();
        let receipt = parent.receive(late, header(1));
        assert!(receipt.envelopes.is_empty());
        assert!(child.receive(receipt.answer.unwrap(), header(1)).refused);
        child.reset();
        child.post(note(3));
        let anew = child.flush(header(2)).unwrap();
        let receipt = parent.receive(anew, header(1));
        assert_eq!((receipt.restarted, receipt.envelopes), (true, vec![note(3)]));
    }

    #[test]
    fn who_speaks_to_a_former_self_learns_of_the_new_one() {
        let (mut child, mut parent) = (Uplink::default(), Uplink::default());
        child.up(header(1));
        parent.up(header(1));
        child.post(note(1));
        parent.receive(child.flush(header(1)).unwrap(), header(1));
        parent.post(note(2));
        let grant = parent.flush(header(1)).unwrap();
        let answer = child.receive(grant, header(2)).answer.unwrap();
        assert!(parent.receive(answer, header(1)).restarted);
    }
}
