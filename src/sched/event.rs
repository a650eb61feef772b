//! What goes into a process and what comes out of it.

use std::fmt;
use std::sync::Arc;

use super::message::{Frame, RunId};
use crate::model::wire::{wire_enum, wire_struct};
use crate::model::{
    Addition, AttemptKey, Epoch, Finish, Incarnation, Launch, PeerId, Record, ResourceNames,
    Resources, Shared, Span, SubclusterId, Task, TaskId, Template, Time, Topology, Verdict,
};

/// Where a process sits in a run, and what it has. Two machines with the same seat that are
/// stepped with the same events do the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    /// The run.
    pub run: RunId,
    /// The process.
    pub peer: PeerId,
    /// How often it has started afresh, from 1.
    pub incarnation: Incarnation,
    /// The master's epoch, from 1; others learn it.
    pub epoch: Epoch,
    /// The subcluster that it is of.
    pub subcluster: SubclusterId,
    /// The processes with the sub-masters that it is below, from the one of its subcluster upwards;
    /// first it itself, if it is the one. The master's process is named beside them.
    pub ancestors: Vec<PeerId>,
    /// The process with the master; it itself, if it is the one.
    pub master: PeerId,
    /// The name of its host.
    pub host: String,
    /// Its cores.
    pub topology: Topology,
    /// What it has for tasks.
    pub capacity: Resources,
    /// How long a peer may be silent before it is taken for dead.
    pub lease: Span,
    /// How long the master waits for a node when there is none to run what is left.
    pub wait_for_nodes: Span,
    /// How long this process goes on with what it has in hand when the master's process is known to
    /// have ended; until then it waits for another master. Nothing if it cannot reach another.
    pub reattach: Span,
    /// How much time the run has from when the process begins; without end if not said.
    pub time_left: Option<Span>,
    /// Whether the processes that were started with it are processes for the operating system too, so
    /// that one may outlive another; nodes may be threads.
    pub apart: bool,
    /// It stands by until it is brought in: when the run, as far as can be told, will not end by then
    /// any more, by the master's clock, or when no other node can run what waits.
    pub standby: Option<Time>,
    /// What the master knows of those of the epoch before.
    pub former: Former,
}

/// What is known of the processes that an earlier epoch of a run had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// That all have ended, or that there were none.
    Ended,
    /// That the one with the master has ended; others may go on.
    Orphaned,
    /// Nothing was heard of them: any may go on.
    Silent,
}

impl Seat {
    /// Whether the process has a sub-master.
    #[must_use]
    pub fn has_sub_master(&self) -> bool {
        self.ancestors.first() == Some(&self.peer)
    }

    /// The processes above this one in the order in which it turns to them.
    pub(super) fn parents(&self) -> Vec<PeerId> {
        let above = self.ancestors.iter().filter(|peer| ![self.peer, self.master].contains(peer));
        above.copied().chain([self.master]).collect()
    }
}

/// Tasks as they are submitted. Their priorities and costs were computed before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The name of the job.
    pub name: String,
    /// The tasks; ids in `after` count from the first task of the job.
    pub tasks: Vec<Task>,
    /// The rank of each task by the list heuristic; higher starts first.
    pub ranks: Vec<u64>,
    /// Further templates; the tasks refer to them counting from the first of the job.
    pub templates: Vec<Template>,
    /// The names of the resources that their requests use.
    pub resources: ResourceNames,
}

impl Shared for Batch {
    fn shared() -> Arc<Batch> {
        Arc::default()
    }
}

/// What is to leave a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A node.
    Node(PeerId),
    /// All nodes of a subcluster.
    Subcluster(SubclusterId),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Node(node) => write!(f, "node {}", node.0),
            Part::Subcluster(subcluster) => write!(f, "subcluster {}", subcluster.0),
        }
    }
}

/// What happens to a process.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It begins. After any [`Event::Replay`].
    Start,
    /// The transport reaches a peer.
    Up(PeerId),
    /// The transport reaches a peer no more; what was on its way may be lost.
    Down(PeerId),
    /// It is certain that the process of a peer has ended, and not only that it is silent.
    Dead(PeerId),
    /// The run has another master, in this process and epoch.
    Master(PeerId, Epoch),
    /// A frame arrived.
    Frame {
        /// From this peer.
        from: PeerId,
        /// This.
        frame: Frame,
    },
    /// Attempts that were launched here have ended; their times are by the clock that steps this
    /// process.
    Ended(Vec<Finish>),
    /// Attempts that were launched here come back without having begun, as [`Action::Withdraw`]
    /// wanted, or since what ran before them left work behind on their cores.
    Withdrawn(Vec<Launch>),
    /// The first so many entries that were appended are on disk.
    Durable(u64),
    /// An entry of the journal of a run that is resumed, in order.
    Replay(Box<Entry>),
    /// Tasks for the master.
    Submit(Box<Batch>),
    /// No more tasks come, but those that tasks add.
    Seal,
    /// These tasks are not wanted any more.
    Cancel(Vec<TaskId>),
    /// End the run in an orderly way: start nothing, finish what runs, so that it can be resumed.
    Interrupt,
    /// This process gives back what it has not started, finishes the rest and leaves; one with a
    /// sub-master does so with all of its nodes. That with the master stays, without its node.
    Drain,
    /// The same for other processes, said to the master.
    DrainPart(Part),
    /// Nothing more is at hand: send what waits to be sent.
    Flush,
    /// A deadline has passed.
    Tick,
}

/// What a process wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send a frame.
    Send {
        /// To this peer.
        to: PeerId,
        /// This.
        frame: Frame,
    },
    /// Append to the journal, and say when it is durable.
    Append(Entry),
    /// Run attempts, one after the other, on cores that are the same for all; after those that were
    /// launched on them before and have not ended.
    Launch(Vec<Launch>),
    /// Give back those of these attempts that have not begun, and say what has ended of the others.
    Withdraw(Vec<AttemptKey>),
    /// End an attempt: SIGTERM, and SIGKILL after the grace.
    Stop {
        /// Which.
        key: AttemptKey,
        /// How long it may still go on.
        grace: Span,
    },
    /// End everything that runs here, at once.
    StopAll,
    /// Records are final and durable.
    Publish(Vec<Record>),
    /// Something that the user should read.
    Note(String),
    /// How it looks for the run.
    Foretell(Forecast),
    /// The run is over.
    Finish(Verdict),
    /// Look for a way to this peer, of which something is wanted and which cannot be reached. Where
    /// there is none to look for, that is all.
    Reach(PeerId),
    /// This process is not needed any more. To be obeyed after the next [`Event::Flush`]: its
    /// last words wait to be sent.
    Leave,
}

/// How it looks for a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How much longer it will take, if that can be told.
    pub left: Option<Span>,
    /// The nodes that stand by.
    pub standing_by: Vec<PeerId>,
    /// Those that did and were brought in by this master.
    pub brought_in: Vec<PeerId>,
}

/// What the journal holds. From its entries alone a master goes on where the last one ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A master began, in this epoch.
    Opened {
        /// The run.
        run: RunId,
        /// The epoch.
        epoch: Epoch,
        /// How long others may go on without this master.
        outlived: Span,
    },
    /// Tasks were submitted.
    Submitted(Arc<Batch>),
    /// No more come.
    Sealed,
    /// Attempts were given out. Not waited for: it only tells a resumed master what may have run.
    Granted {
        /// Which.
        keys: Vec<AttemptKey>,
        /// Whether they may go on without this master.
        outlive: bool,
    },
    /// Attempts came back without having started, as if they had not been given out.
    Returned(Vec<AttemptKey>),
    /// The user does not want these tasks any more, which are out. Not waited for.
    Unwanted(Vec<TaskId>),
    /// Attempts, or tasks that were never tried, ended, in this order.
    Ended(Arc<Vec<Conclusion>>),
    /// The run ended.
    Closed(Verdict),
}

/// That an attempt, or a task that was never tried, ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// Its record, without what the job knows of the task: name, kind, meta.
    pub record: Record,
    /// The tasks that it added.
    pub added: Vec<Addition>,
}

wire_struct! {
    Conclusion { record, added }
    Seat {
        run, peer, incarnation, epoch, subcluster, ancestors, master, host, topology, capacity,
        lease, wait_for_nodes, reattach, time_left, apart, standby, former
    }
    Batch { name, tasks, ranks, templates, resources }
    Forecast { left, standing_by, brought_in }
}

wire_enum! {
    Former { 0 => Ended, 1 => Orphaned, 2 => Silent }
    Part { 0 => Node(node), 1 => Subcluster(subcluster) }
    Event {
        0 => Start,
        1 => Up(peer),
        2 => Down(peer),
        3 => Frame { from, frame },
        4 => Ended(finishes),
        5 => Durable(upto),
        6 => Replay(entry),
        7 => Submit(batch),
        8 => Seal,
        9 => Cancel(tasks),
        10 => Interrupt,
        11 => Drain,
        12 => Flush,
        13 => Tick,
        14 => Dead(peer),
        15 => Master(peer, epoch),
        16 => DrainPart(part),
        17 => Withdrawn(launches),
    }
    Action {
        0 => Send { to, frame },
        1 => Append(entry),
        2 => Launch(launches),
        3 => Stop { key, grace },
        4 => StopAll,
        5 => Publish(records),
        6 => Note(text),
        7 => Finish(verdict),
        8 => Leave,
        9 => Reach(peer),
        10 => Withdraw(keys),
        11 => Foretell(forecast),
    }
    Entry {
        0 => Opened { run, epoch, outlived },
        1 => Submitted(batch),
        2 => Sealed,
        3 => Granted { keys, outlive },
        4 => Ended(endings),
        5 => Closed(verdict),
        6 => Returned(keys),
        7 => Unwanted(tasks),
    }
}

/// Entries in few words, for tests of what reads them.
#[cfg(test)]
pub(super) mod told {
    use std::sync::Arc;

    use super::{Conclusion, Entry};
    use crate::model::{Attempt, AttemptKey, Epoch, JobId, Record, State, TaskId};

    pub(in crate::sched) fn key(task: u32, attempt: u16) -> AttemptKey {
        AttemptKey { job: JobId(0), task: TaskId(task), attempt: Attempt(attempt), epoch: Epoch(1) }
    }

    pub(in crate::sched) fn granted(keys: Vec<AttemptKey>) -> Entry {
        Entry::Granted { keys, outlive: false }
    }

    pub(in crate::sched) fn ended(task: u32, attempt: u16, state: State) -> Entry {
        let record = Record::new(key(task, attempt), state);
        Entry::Ended(Arc::new(vec![Conclusion { record, added: vec![] }]))
    }
}
