//! What the roles say to each other, and the frame in which it travels.
//!
//! The same words serve at each level: a node is to its sub-master what a sub-master is to the
//! master. Up go greetings, renewals and reports; down go welcomes, grants and recalls.

use std::sync::Arc;

use super::ready::Urgency;
use crate::model::wire::{Garbled, Reader, Wire};
use crate::model::wire::{wire_enum, wire_newtype, wire_struct};
use crate::model::{
    AttemptKey, CoreId, Ending, Epoch, Incarnation, PeerId, Request, Resources, Span, SubclusterId,
    Time, Work,
};

/// What a process is to others. One process may hold all three roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Holds the job.
    Master,
    /// Deals work to the nodes of a subcluster, and to the sub-masters of others.
    SubMaster,
    /// Runs tasks.
    Node,
}

/// A role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The process.
    pub peer: PeerId,
    /// The role in it.
    pub role: Role,
}

/// Which run a frame belongs to, so that two runs on one machine cannot mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A node, as those above it know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process.
    pub node: PeerId,
    /// Which of its hellos this comes from.
    pub hello: HelloNumber,
    /// Which subcluster it works in: that of the sub-master whose child it is.
    pub subcluster: SubclusterId,
    /// The name of its host.
    pub host: String,
    /// What it has in all.
    pub capacity: Resources,
    /// Whether it may outlive the process of the master.
    pub apart: bool,
    /// It stands by, and is given nothing, as long as the run may end by then, by the master's clock.
    pub standby: Option<Time>,
}

/// Hellos of a node in their order, so that an old one that comes late is known as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelloNumber {
    /// How often the process of the node has started afresh.
    pub incarnation: Incarnation,
    /// Which hello of that incarnation it is.
    pub number: u32,
    /// How often those above it have changed over and taken it along: a byte for each level, the
    /// nearest in the highest.
    pub carried: u64,
}

/// An attempt on its way to a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// Which attempt.
    pub key: AttemptKey,
    /// Its place in every queue.
    pub urgency: Urgency,
    /// What is to be done.
    pub work: Arc<Work>,
}

/// An attempt that ended on a node by itself, well or badly.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Which attempt.
    pub key: AttemptKey,
    /// The node that ran it.
    pub node: PeerId,
    /// The cores it ran on.
    pub cores: Arc<[CoreId]>,
    /// When it started, by the master's clock as far as the node knows it.
    pub start: Time,
    /// When it ended, likewise.
    pub end: Time,
    /// How far the node's idea of the master's clock may be off.
    pub clock: Span,
    /// How it ended.
    pub ending: Ending,
    /// It ended since its node was to leave, or the time of the run was up.
    pub recalled: bool,
}

/// An attempt that died with the node that held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which attempt.
    pub key: AttemptKey,
    /// The node that held it.
    pub node: PeerId,
    /// Nobody has seen its end: it was not heard of any more.
    pub silent: bool,
}

/// An attempt that a node has in hand while it changes its parent.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Which attempt.
    pub key: AttemptKey,
    /// What it needs.
    pub request: Arc<Request>,
    /// The process below which it is, if it is not with who says so itself. If that one has gone over
    /// to another meanwhile, so has this.
    pub by: Option<PeerId>,
}

/// The master's clock as the parent sees it, and how long the child may go on without more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The child's clock when it asked.
    pub asked: Time,
    /// The master's clock when the parent answered, as far as it knows.
    pub now: Time,
    /// How far that may be off.
    pub error: Span,
    /// The child may act for this long after it asked.
    pub lease: Span,
}

/// What one role tells another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Up: I am here, with these nodes and what they hold. Nothing, but if the last parent died
    /// or is silent.
    Hello {
        /// The child's clock, as in a renewal.
        asked: Time,
        /// All nodes below it; a node names itself.
        members: Vec<Member>,
        /// What they have in hand.
        holding: Vec<Held>,
    },
    /// Up: I am still here.
    Renew {
        /// The child's clock.
        asked: Time,
    },
    /// Up: nodes came or went, here or further down.
    Members {
        /// Those that came.
        joined: Vec<Member>,
        /// Those that went.
        left: Vec<PeerId>,
        /// What those that came have in hand. The answer is [`Accepted`](Self::Accepted), if there
        /// is anything.
        holding: Vec<Held>,
    },
    /// Up: these attempts ended.
    Done(Vec<Completion>),
    /// Up: these attempts died.
    Lost(Vec<Lost>),
    /// Up: these were with a sub-master that is gone. Its nodes may go on with them for so long, and
    /// come back with them.
    Adrift {
        /// Which attempts.
        keys: Vec<AttemptKey>,
        /// How long from when this is said.
        until: Span,
        /// Those of its nodes whose end nobody has seen.
        nodes: Vec<PeerId>,
    },
    /// Up: these had not started; here they are back. Answers a recall, also when empty.
    Returned(Vec<Dispatch>),
    /// Up: drained; nothing is left here, and nothing more may come.
    Goodbye,
    /// Down: you are one of mine.
    Welcome(Renewal),
    /// Down: you still are.
    Renewed(Renewal),
    /// Down: these nodes are welcome with what they hold.
    Accepted {
        /// The nodes.
        nodes: Vec<PeerId>,
        /// What was given up meanwhile, and is to be ended.
        refused: Vec<AttemptKey>,
    },
    /// Down: this node has come to another sub-master. What it did not bring it never got.
    Moved {
        /// The node.
        node: PeerId,
        /// By this hello.
        hello: HelloNumber,
        /// What it brought.
        holding: Vec<AttemptKey>,
    },
    /// Down: run these.
    Grant(Vec<Dispatch>),
    /// Down: give back up to `count` that have not started and that one of `shapes` can run.
    Recall {
        /// How many at most.
        count: u32,
        /// What is free elsewhere.
        shapes: Vec<Resources>,
    },
    /// Down: these are not wanted any more; end them with this grace if they run.
    Cancel {
        /// Which attempts.
        keys: Vec<AttemptKey>,
        /// Between SIGTERM and SIGKILL; the task's own setting if not said.
        grace: Option<Span>,
    },
    /// Down: start nothing more, give back what has not started, finish what runs, say goodbye.
    /// Up, from a node: tell me to drain, for nothing more is to start here.
    Drain,
    /// Down: this node of yours is to leave.
    DrainNode(PeerId),
    /// Down: these nodes stand by no longer.
    BringIn(Vec<PeerId>),
    /// Down, to a sub-master: this one leaves. Go on to the next one above, with all that is below you.
    Dismiss,
    /// Down: the run is over; leave.
    Farewell,
}

/// A message with its sender and receiver within their processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Who says it.
    pub from: Role,
    /// To whom.
    pub to: Role,
    /// What.
    pub message: Message,
}

/// What travels from one process to another at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The run.
    pub run: RunId,
    /// The master's epoch, as far as the sender knows.
    pub epoch: Epoch,
    /// The sender's incarnation.
    pub from: Incarnation,
    /// The receiver's, as far as the sender knows; 0 if it does not.
    pub to: Incarnation,
    /// The sender does not accept anything from the receiver's incarnation `to`.
    pub refused: bool,
    /// Counts the frames of a session from 1; 0 for one that carries nothing and is not
    /// acknowledged.
    pub seq: u64,
    /// All up to this one have arrived.
    pub ack: u64,
    /// What it carries; shared with what is kept until it is acknowledged.
    pub envelopes: Arc<Vec<Envelope>>,
}

wire_newtype! { RunId }

wire_struct! {
    HelloNumber { incarnation, number, carried }
    Member { node, hello, subcluster, host, capacity, apart, standby }
    Dispatch { key, urgency, work }
    Completion { key, node, cores, start, end, clock, ending, recalled }
    Lost { key, node, silent }
    Held { key, request, by }
    Renewal { asked, now, error, lease }
    Envelope { from, to, message }
}

wire_enum! {
    Role { 0 => Master, 1 => SubMaster, 2 => Node }
    Message {
        0 => Hello { asked, members, holding },
        1 => Renew { asked },
        2 => Members { joined, left, holding },
        3 => Done(completions),
        4 => Lost(lost),
        5 => Returned(dispatches),
        6 => Goodbye,
        7 => Welcome(renewal),
        8 => Renewed(renewal),
        9 => Grant(dispatches),
        10 => Recall { count, shapes },
        11 => Cancel { keys, grace },
        12 => Drain,
        13 => Farewell,
        14 => Accepted { nodes, refused },
        15 => Moved { node, hello, holding },
        16 => DrainNode(node),
        17 => Adrift { keys, until, nodes },
        18 => Dismiss,
        19 => BringIn(nodes),
    }
}

impl Frame {
    const MAGIC: [u8; 2] = *b"EK";
    /// The version of everything that follows it on the wire.
    pub const VERSION: u8 = 1;
}

impl Wire for Frame {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(Self::MAGIC);
        out.push(Self::VERSION);
        self.run.put(out);
        self.epoch.put(out);
        self.from.put(out);
        self.to.put(out);
        self.refused.put(out);
        self.seq.put(out);
        self.ack.put(out);
        self.envelopes.as_ref().put(out);
    }

    fn get(bytes: &mut Reader<'_>) -> Result<Frame, Garbled> {
        if [bytes.byte()?, bytes.byte()?] != Self::MAGIC {
            return Err(Garbled("not a frame of evenkeel"));
        }
        if bytes.byte()? != Self::VERSION {
            return Err(Garbled("a frame of another version of evenkeel"));
        }
        Ok(Frame {
            run: Wire::get(bytes)?,
            epoch: Wire::get(bytes)?,
            from: Wire::get(bytes)?,
            to: Wire::get(bytes)?,
            refused: Wire::get(bytes)?,
            seq: Wire::get(bytes)?,
            ack: Wire::get(bytes)?,
            envelopes: Arc::new(Wire::get(bytes)?),
        })
    }
}
