//! One simulated process, and what really runs on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::clock::Clock;
use crate::model::{AttemptKey, CoreId, Ending, Finish, Incarnation, Launch, Time};
use crate::sched::{Event, Process, Seat};

/// A process.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) seat: Seat,
    pub(super) machine: Process,
    pub(super) clock: Clock,
    pub(super) state: Condition,
    /// Changes whenever it begins or dies; what was planned for an earlier life does not happen.
    pub(super) life: u32,
    pub(super) running: BTreeMap<AttemptKey, Running>,
    /// By the cores that they are on.
    pub(super) lots: BTreeMap<Arc<[CoreId]>, Lot>,
    /// What is at hand for it while it hangs.
    pub(super) inbox: VecDeque<Event>,
    /// When it is stepped next for a deadline.
    pub(super) due: Option<Time>,
    /// It is told that nothing more is at hand.
    pub(super) idle_planned: bool,
    pub(super) leaving: bool,
    pub(super) drained: bool,
    /// Whatever is started there fails.
    pub(super) broken: bool,
    /// It stands by as long as the run may end by then, and whether it was brought in since it began.
    pub(super) standby: Option<Time>,
    pub(super) brought_in: bool,
    /// It was the master, and another process has taken the run up: it does not know yet.
    pub(super) superseded: bool,
    /// A hung one wakes then.
    pub(super) hung_until: Time,
    /// Something is wrong with it, or was, until then.
    pub(super) troubled_until: Time,
}

/// Whether a process does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Not there: not yet begun, dead, or gone.
    Gone,
    /// Well.
    Well,
    /// It does nothing for now.
    Hung,
}

/// An attempt that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) cores: Arc<[CoreId]>,
    /// With which others it was launched.
    pub(super) lot: u64,
    pub(super) started: Time,
    pub(super) ends: Time,
    pub(super) ending: Ending,
    /// Changes when it is called off, so that the earlier end does not count.
    pub(super) call: u32,
    /// It was told to end.
    pub(super) stopping: bool,
}

/// What comes before and after an attempt that runs, on the same cores.
#[derive(Debug, Default)]
pub(super) struct Lot {
    pub(super) waiting: VecDeque<Waiting>,
    /// What has ended and was not told yet.
    pub(super) ended: Vec<Finish>,
}

/// An attempt that waits for those before it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) launch: Launch,
    /// With which others it was launched.
    pub(super) lot: u64,
    pub(super) since: Time,
    /// It was told to end.
    pub(super) stopping: bool,
}

impl Host {
    pub(super) fn new(seat: Seat, clock: Clock) -> Host {
        Host {
            machine: Process::new(&seat),
            clock,
            state: Condition::Gone,
            life: 0,
            running: BTreeMap::new(),
            lots: BTreeMap::new(),
            inbox: VecDeque::new(),
            due: None,
            idle_planned: false,
            leaving: false,
            drained: false,
            broken: false,
            standby: None,
            brought_in: false,
            superseded: false,
            hung_until: Time::ZERO,
            troubled_until: Time::ZERO,
            seat,
        }
    }

    /// It begins, as the incarnation after the highest that it had.
    pub(super) fn boot(&mut self) {
        self.life += 1;
        self.brought_in = false;
        self.machine = Process::new(&self.seat);
        self.state = Condition::Well;
    }

    /// It dies, and what it runs with it. Should it come back, then as another incarnation.
    pub(super) fn die(&mut self) {
        self.seat.incarnation = Incarnation(self.machine.incarnation().0 + 1);
        self.life += 1;
        self.state = Condition::Gone;
        self.running.clear();
        self.lots.clear();
        self.inbox.clear();
        self.due = None;
        self.idle_planned = false;
        self.leaving = false;
        self.superseded = false;
        self.hung_until = Time::ZERO;
    }

    pub(super) fn is_there(&self) -> bool {
        self.state != Condition::Gone
    }

    /// The attempt that has one of `cores`, if any is taken, and all the cores that it has.
    pub(super) fn user_of(&self, cores: &[CoreId]) -> Option<(AttemptKey, &[CoreId])> {
        let shares = |r: &Running| r.cores.iter().any(|core| cores.contains(core));
        let found = self.running.iter().find(|(_, running)| shares(running));
        found.map(|(key, running)| (*key, &*running.cores))
    }

    /// What runs here and what waits on the same cores, and whether it was told to end.
    pub(super) fn in_hand(&self) -> impl Iterator<Item = (AttemptKey, bool)> {
        let waiting = self.lots.values().flat_map(|lot| &lot.waiting);
        let waiting = waiting.map(|waiting| (waiting.launch.key, waiting.stopping));
        self.running.iter().map(|(key, running)| (*key, running.stopping)).chain(waiting)
    }
}
