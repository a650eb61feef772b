//! What goes wrong in a simulated run, and when.

use std::fmt;

use crate::model::{PeerId, Span, TaskId, Time};

/// Something that happens to a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies with all it runs. The process of the master is not harmed: see
    /// [`Fault::CrashRun`].
    Crash {
        /// Which.
        peer: PeerId,
        /// When it is started afresh, counted from its death; never if not said.
        back: Option<Span>,
    },
    /// A process is not scheduled for a while; what it runs goes on.
    Hang {
        /// Which.
        peer: PeerId,
        /// How long.
        length: Span,
    },
    /// Two processes cannot reach each other; what is on its way between them is lost, and some
    /// of what was sent before comes again, late.
    Cut {
        /// One of them.
        a: PeerId,
        /// The other.
        b: PeerId,
        /// How long.
        length: Span,
    },
    /// Some processes and all the others cannot reach each other, as with [`Fault::Cut`].
    Partition {
        /// Those on one side.
        peers: Vec<PeerId>,
        /// How long.
        length: Span,
    },
    /// Processes begin that were not there before. However often the run is resumed, they are not
    /// part of it until then.
    Join {
        /// Which.
        peers: Vec<PeerId>,
        /// If they stand by: how much longer the run may take for that.
        standby: Option<Span>,
    },
    /// There is no room for the journal: nothing that is appended becomes durable meanwhile.
    DiskFull {
        /// How long.
        length: Span,
    },
    /// Everything that a process sends takes longer.
    Slow {
        /// Which.
        peer: PeerId,
        /// How long it lasts.
        length: Span,
        /// What it adds to each frame.
        extra: Span,
    },
    /// The process of the master dies, and the run with it. Of the journal remains what was
    /// durable, and by chance some of the rest. The run is resumed.
    CrashRun {
        /// How much later.
        back: Span,
    },
    /// The process of the master dies, and no other. Of the journal remains what was durable, and
    /// by chance some of the rest. Another process takes the run up.
    Succession {
        /// How much later.
        back: Span,
    },
    /// The process of the master is taken for dead, since it stands still or since the network of
    /// its host is gone: another process takes the run up. The first one comes back, and finds that
    /// the run is not its own any more. Of the journal remains what it wrote until then.
    Superseded {
        /// Whether it stands still, and not only cannot reach anything.
        hung: bool,
        /// When another process takes the run up, counted from then; later than a lease, since
        /// nobody is taken for dead who was silent for less.
        back: Span,
        /// When the first one is back; no sooner than the other.
        length: Span,
    },
    /// The user ends the run in an orderly way, and resumes it.
    Interrupt {
        /// How long after its end.
        back: Span,
    },
    /// The user takes a node out.
    Drain {
        /// Which.
        peer: PeerId,
    },
    /// From then on whatever is started there fails soon, however often the run is resumed.
    Break {
        /// Where.
        peer: PeerId,
    },
    /// The user does not want these tasks any more.
    Cancel {
        /// Which.
        tasks: Vec<TaskId>,
    },
}

impl Fault {
    /// How long it lasts by itself; what follows from it may last longer.
    #[must_use]
    pub fn length(&self) -> Span {
        match self {
            Fault::Crash { back, .. } => back.unwrap_or_default(),
            Fault::Hang { length, .. }
            | Fault::Cut { length, .. }
            | Fault::Partition { length, .. }
            | Fault::DiskFull { length }
            | Fault::Superseded { length, .. } => *length,
            Fault::Slow { length, extra, .. } => *length + *extra,
            Fault::CrashRun { back } | Fault::Succession { back } | Fault::Interrupt { back } => {
                *back
            }
            Fault::Drain { .. }
            | Fault::Break { .. }
            | Fault::Cancel { .. }
            | Fault::Join { .. } => Span::ZERO,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Crash { peer, back: None } => write!(f, "{peer} dies"),
            Fault::Crash { peer, back: Some(back) } => write!(f, "{peer} dies, back in {back}"),
            Fault::Hang { peer, length } => write!(f, "{peer} hangs for {length}"),
            Fault::Cut { a, b, length } => write!(f, "{a} and {b} are cut off for {length}"),
            Fault::Slow { peer, length, extra } => {
                write!(f, "{peer} sends {extra} late for {length}")
            }
            Fault::CrashRun { back } => write!(f, "the run dies, resumed in {back}"),
            Fault::Succession { back } => write!(f, "the master dies, another comes in {back}"),
            Fault::Interrupt { back } => write!(f, "interrupted, resumed {back} after its end"),
            Fault::Drain { peer } => write!(f, "{peer} is drained"),
            Fault::Break { peer } => write!(f, "{peer} breaks: all fails there"),
            Fault::Cancel { tasks } => {
                f.write_str("cancelled:")?;
                tasks.iter().try_for_each(|task| write!(f, " {task}"))
            }
            Fault::Partition { peers, length } => {
                write!(f, "cut off from all others for {length}:")?;
                list(f, peers)
            }
            Fault::Join { peers, standby } => {
                f.write_str("begin late")?;
                if let Some(span) = standby {
                    write!(f, ", and stand by for a run of {span} more")?;
                }
                f.write_str(":")?;
                list(f, peers)
            }
            Fault::DiskFull { length } => write!(f, "the disk is full for {length}"),
            Fault::Superseded { hung, back, length } => {
                let how = if *hung { "hangs" } else { "is cut off" };
                write!(f, "the master {how} for {length}, another comes in {back}")
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, peers: &[PeerId]) -> fmt::Result {
    peers.iter().try_for_each(|peer| write!(f, " {peer}"))
}

/// What goes wrong, each at its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan(pub Vec<(Time, Fault)>);

impl FaultPlan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> FaultPlan {
        FaultPlan::default()
    }

    /// Those that join in the course of the run.
    pub(super) fn latecomers(&self) -> impl Iterator<Item = PeerId> {
        let joins = self.0.iter().filter_map(|(_, fault)| match fault {
            Fault::Join { peers, .. } => Some(peers),
            _ => None,
        });
        joins.flatten().copied()
    }

    /// When the last of it is over.
    #[must_use]
    pub fn end(&self) -> Time {
        self.0.iter().map(|(at, fault)| *at + fault.length()).max().unwrap_or_default()
    }
}

impl fmt::Display for FaultPlan {
    /// A line each, in the order of time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults: Vec<&(Time, Fault)> = self.0.iter().collect();
        faults.sort_by_key(|(at, _)| *at);
        faults.iter().try_for_each(|(at, fault)| writeln!(f, "  {:>12.6} s  {fault}", at.as_secs()))
    }
}
