//! The simulation itself: it takes what happens next, steps whom it concerns, and does what
//! comes out.

use std::collections::{BTreeMap, BTreeSet};

use super::SimConfig;
use super::agenda::{Agenda, Occurrence};
use super::clock::Clock;
use super::host::{Condition, Host};
use super::journal::Journal;
use super::log::{Line, Log};
use super::network::Network;
use super::outcome::{SimOutcome, Stats, Violation};
use super::referee::{Foul, Referee};
use super::rng::Rng;
use super::seats::seats;
use crate::model::{Epoch, Incarnation, PeerId, PlatformNode, Record, Span, TaskId, Time, Verdict};
use crate::sched::{Batch, Entry, Event, Frame, Machine, Message};

/// How many steps at one moment are taken for standing still.
const STILL: u64 = 200_000;

/// A simulated run.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: SimConfig,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    pub(super) hosts: Vec<Host>,
    pub(super) nodes: Vec<PlatformNode>,
    pub(super) network: Network,
    pub(super) journal: Journal,
    pub(super) referee: Referee,
    pub(super) log: Log,
    pub(super) stats: Stats,
    /// How often something was launched.
    pub(super) lots: u64,
    pub(super) epoch: u32,
    /// The process of the master, or of the last one.
    pub(super) master: PeerId,
    /// The run was interrupted: when it is resumed, counted from its end.
    pub(super) resume_after: Option<Span>,
    /// When the user cancelled tasks, in this epoch.
    pub(super) cancelled: BTreeMap<TaskId, Time>,
    /// Processes that have not come yet.
    pub(super) late: BTreeSet<PeerId>,
    /// Who is known to the master to have ended, for certain.
    pub(super) buried: BTreeSet<PeerId>,
    /// Nothing is there: the run has died, and is resumed later.
    pub(super) collapsed: bool,
    /// There is no room for the journal until then.
    pub(super) full_until: Time,
    /// When the last fault is over.
    last_fault: Time,
    /// Frames that a process sends are late by so much until then.
    pub(super) slow: Vec<(Time, Span)>,
    pub(super) records: Vec<Record>,
    pub(super) verdict: Option<Verdict>,
    still: (Time, u64),
}

impl World {
    pub(super) fn new(config: SimConfig) -> World {
        let nodes: Vec<PlatformNode> =
            config.platform.nodes().map(|(_, node)| node.clone()).collect();
        let slowest = nodes.iter().map(|n| 1.0 / n.speed).fold(1.0, f64::max);
        let seats = seats(&config);
        let mut network = Network::default();
        for seat in &seats {
            let above = seat.ancestors.iter().chain([&seat.master]);
            for parent in above.copied().filter(|p| *p != seat.peer) {
                let parent_at = seats[parent.index()].subcluster.index();
                let link = config.platform.link_between(seat.subcluster.index(), parent_at);
                network.connect(seat.peer, parent, link);
            }
        }
        let mut world = World {
            rng: Rng::new(config.seed),
            now: Time::ZERO,
            agenda: Agenda::default(),
            hosts: Vec::new(),
            slow: vec![Default::default(); nodes.len()],
            nodes,
            network,
            journal: Journal::default(),
            referee: Referee::new(slowest * (1.0 + config.deviation)),
            log: Log::default(),
            stats: Stats::default(),
            lots: 0,
            epoch: 1,
            master: PeerId(0),
            resume_after: None,
            cancelled: BTreeMap::new(),
            late: config.faults.latecomers().collect(),
            buried: BTreeSet::new(),
            collapsed: false,
            full_until: Time::ZERO,
            last_fault: config.faults.end(),
            records: Vec::new(),
            verdict: None,
            still: (Time::ZERO, 0),
            config,
        };
        world.referee.timed = world.config.time_left.is_some();
        for seat in seats {
            let clock = world.some_clock();
            world.hosts.push(Host::new(seat, clock));
        }
        for (i, (at, _)) in world.config.faults.0.iter().enumerate() {
            world.agenda.plan(*at, Occurrence::Strikes(i));
        }
        world.begin();
        world
    }

    fn some_clock(&mut self) -> Clock {
        if !self.config.disorder {
            return Clock::default();
        }
        // Any two are at most 50 parts in a million apart.
        let gain = self.rng.below(50_000) as i32 - 25_000;
        Clock { offset: self.rng.span(Span::ZERO, Span::from_secs(1000)), gain }
    }

    /// All processes begin, in a new epoch of the run.
    pub(super) fn begin(&mut self) {
        self.stats.epochs += 1;
        self.collapsed = false;
        let spread = if self.config.disorder { Span::from_millis(300) } else { Span::ZERO };
        for i in 0..self.hosts.len() {
            let after = self.rng.span(Span::ZERO, spread);
            let clock = self.some_clock();
            let host = &mut self.hosts[i];
            host.seat.incarnation = Incarnation(1);
            host.seat.epoch = Epoch(self.epoch);
            (host.clock, host.drained) = (clock, false);
            host.troubled_until = host.troubled_until.max(self.now + Span(host.seat.lease.0 * 2));
            let boot = Occurrence::Boot { peer: host.seat.peer, life: host.life };
            if !self.late.contains(&host.seat.peer) {
                self.agenda.plan(self.now + after, boot);
            }
        }
    }

    pub(super) fn host(&mut self, peer: PeerId) -> &mut Host {
        &mut self.hosts[peer.index()]
    }

    /// The process, if it is still in this life.
    fn living(&self, peer: PeerId, life: u32) -> bool {
        let host = &self.hosts[peer.index()];
        host.life == life && host.is_there()
    }

    // ---- time ----------------------------------------------------------------------------

    pub(super) fn run(&mut self) -> Result<(), Foul> {
        while self.verdict.is_none() {
            let Some((at, what)) = self.agenda.next() else {
                return Err("nothing happens any more, and the run is not over".to_owned());
            };
            self.now = at;
            self.judge_progress()?;
            self.happen(what)?;
        }
        Ok(())
    }

    /// After the last fault the run ends within a time that its work bounds.
    fn judge_progress(&mut self) -> Result<(), Foul> {
        let (at, steps) = self.still;
        self.still = if at == self.now { (at, steps + 1) } else { (self.now, 0) };
        if self.still.1 > STILL {
            return Err("time stands still".to_owned());
        }
        let patience = Span(self.config.lease.0 * 40) + self.config.wait_for_nodes;
        let work = self.referee.work.scale(2.0) + self.config.commit + Span::from_secs(20);
        if self.now.since(self.last_fault) > patience + work {
            return Err("the run does not come to an end".to_owned());
        }
        Ok(())
    }

    fn happen(&mut self, what: Occurrence) -> Result<(), Foul> {
        match what {
            Occurrence::Boot { peer, life } => {
                let host = self.host(peer);
                if host.life == life && !host.is_there() { self.boot(peer) } else { Ok(()) }
            }
            Occurrence::Arrives { from, to, life, generation, frame } => {
                if self.living(to, life) && self.network.delivers(from, to, generation) {
                    self.note_who_is_brought_in(to, &frame);
                    return self.tell(to, Event::Frame { from, frame });
                }
                self.stats.missed += 1;
                self.log.add(self.now, to, Line::Misses(from, frame.seq));
                Ok(())
            }
            Occurrence::Told { peer, life, event } if self.living(peer, life) => {
                if let Event::Dead(dead) = event
                    && peer == self.master
                {
                    self.buried.insert(dead);
                }
                self.tell(peer, event)
            }
            Occurrence::Due { peer, life } if self.living(peer, life) => self.due(peer),
            Occurrence::Idle { peer, life } if self.living(peer, life) => {
                self.host(peer).idle_planned = false;
                self.tell(peer, Event::Flush)
            }
            Occurrence::Ends { peer, life, key, call } if self.living(peer, life) => {
                self.attempt_ends(peer, key, call)
            }
            Occurrence::Wakes { peer, life } if self.living(peer, life) => self.wake(peer),
            Occurrence::Notices { peer, life } if self.living(peer, life) => {
                self.notice(peer);
                Ok(())
            }
            Occurrence::Committed { epoch } if epoch == self.epoch => self.committed(),
            Occurrence::Resumed { epoch } if epoch == self.epoch => self.resume(),
            Occurrence::Succeeds { epoch } if epoch == self.epoch => self.succeed(),
            Occurrence::Strikes(fault) => self.strike(fault),
            Occurrence::Settles(a, b) => {
                self.settle(a, b);
                Ok(())
            }
            // Of a former life.
            _ => Ok(()),
        }
    }

    /// Whoever stands by and is told that it does so no longer may be given work.
    fn note_who_is_brought_in(&mut self, to: PeerId, frame: &Frame) {
        let names = |m: &Message| matches!(m, Message::BringIn(nodes) if nodes.contains(&to));
        let told = frame.envelopes.iter().any(|envelope| names(&envelope.message));
        let host = self.host(to);
        if told && !host.brought_in {
            host.brought_in = true;
            self.stats.brought_in += 1;
        }
    }

    // ---- processes -----------------------------------------------------------------------

    pub(super) fn boot(&mut self, peer: PeerId) -> Result<(), Foul> {
        let master = self.host(self.master).clock;
        let host = self.host(peer);
        host.seat.standby = host.standby.map(|until| master.read(until));
        host.boot();
        let incarnation = host.seat.incarnation.0;
        self.log.add(self.now, peer, Line::Boots(incarnation));
        self.stats.restarts += u64::from(incarnation > 1);
        if peer == self.master {
            for entry in self.journal.entries().to_vec() {
                self.step(peer, Event::Replay(Box::new(entry)))?;
            }
        }
        self.step(peer, Event::Start)?;
        if peer == self.master {
            let has = |f: fn(&Entry) -> bool| self.journal.entries().iter().any(f);
            let submitted = has(|e| matches!(e, Entry::Submitted(_)));
            let sealed = has(|e| matches!(e, Entry::Sealed));
            if !submitted {
                let batch = Batch {
                    name: self.config.job.name.clone(),
                    tasks: self.config.job.tasks.clone(),
                    ranks: self.config.ranks.clone(),
                    templates: self.config.job.templates.iter().map(|t| (**t).clone()).collect(),
                    resources: self.config.job.resources.clone(),
                };
                self.step(peer, Event::Submit(Box::new(batch)))?;
            }
            if !sealed {
                self.step(peer, Event::Seal)?;
            }
        }
        self.settle_all(peer);
        Ok(())
    }

    /// Something happens to a process. If it hangs, it will find that at hand when it wakes.
    pub(super) fn tell(&mut self, peer: PeerId, event: Event) -> Result<(), Foul> {
        match self.host(peer).state {
            Condition::Gone => Ok(()),
            Condition::Well => self.step(peer, event),
            Condition::Hung => {
                self.host(peer).inbox.push_back(event);
                Ok(())
            }
        }
    }

    fn wake(&mut self, peer: PeerId) -> Result<(), Foul> {
        if self.hosts[peer.index()].hung_until > self.now {
            return Ok(()); // A longer hang came on top.
        }
        self.log.add(self.now, peer, Line::Wakes);
        self.host(peer).state = Condition::Well;
        let life = self.host(peer).life;
        while let Some(event) = self.host(peer).inbox.pop_front() {
            self.step(peer, event)?;
            if self.host(peer).life != life {
                return Ok(());
            }
        }
        self.step(peer, Event::Tick)
    }

    fn due(&mut self, peer: PeerId) -> Result<(), Foul> {
        let now = self.now;
        let host = self.host(peer);
        if host.due != Some(now) {
            return Ok(());
        }
        host.due = None;
        if host.state == Condition::Hung {
            return Ok(());
        }
        let reading = host.clock.read(now);
        if host.machine.deadline().is_some_and(|deadline| deadline <= reading) {
            return self.step(peer, Event::Tick);
        }
        self.plan_due(peer);
        Ok(())
    }

    /// Plans the next step for a deadline, unless one is planned that comes first.
    fn plan_due(&mut self, peer: PeerId) {
        let now = self.now;
        let late = if self.config.disorder { self.rng.below(100_000) } else { 0 };
        let host = self.host(peer);
        let Some(deadline) = host.machine.deadline() else { return };
        let at = host.clock.when(deadline).max(now) + Span(late);
        if host.due.is_none_or(|due| at < due) {
            host.due = Some(at);
            let life = host.life;
            self.agenda.plan(at, Occurrence::Due { peer, life });
        }
    }

    pub(super) fn step(&mut self, peer: PeerId, event: Event) -> Result<(), Foul> {
        self.stats.steps += 1;
        let flush = event == Event::Flush;
        self.stats.moves += u64::from(brings_attempts(&event));
        self.log.add(self.now, peer, Line::Step(event.clone()));
        let now = self.now;
        let host = self.host(peer);
        let (life, incarnation) = (host.life, host.machine.incarnation());
        let mut actions = Vec::new();
        host.machine.step(host.clock.read(now), event, &mut actions);
        let restarted = host.machine.incarnation() > incarnation;
        self.stats.restarts += u64::from(restarted);
        for action in actions {
            self.act(peer, action)?;
        }
        if self.host(peer).life != life {
            return Ok(()); // The run has ended, and is resumed later.
        }
        if flush && self.host(peer).leaving {
            self.leave(peer);
            return Ok(());
        }
        self.plan_idle(peer);
        self.plan_due(peer);
        Ok(())
    }

    fn plan_idle(&mut self, peer: PeerId) {
        let busy = self.config.disorder && self.rng.chance(20);
        let after = if busy { Span(self.rng.below(200_000)) } else { Span::ZERO };
        let now = self.now;
        let host = self.host(peer);
        if !host.idle_planned && (host.leaving || host.machine.has_mail()) {
            host.idle_planned = true;
            let life = host.life;
            self.agenda.plan(now + after, Occurrence::Idle { peer, life });
        }
    }

    /// It has said all it had to say, and goes. The master's process stays to the end.
    fn leave(&mut self, peer: PeerId) {
        self.host(peer).leaving = false;
        if peer != self.master {
            self.log.add(self.now, peer, Line::Leaves);
            self.host(peer).die();
            for other in self.network.neighbours(peer) {
                // What it said last still arrives.
                let at = self.network.quiet(peer, other).max(self.now) + Span(1);
                self.agenda.plan(at, Occurrence::Settles(peer, other));
            }
        }
    }

    // ---- the end -------------------------------------------------------------------------

    /// What came of it, once it has run.
    pub(super) fn outcome(&mut self) -> SimOutcome {
        self.stats.lost = self.referee.lost();
        SimOutcome {
            records: std::mem::take(&mut self.records),
            // Only asked for when the run has ended well.
            verdict: self.verdict.take().expect("a run that has ended has a verdict"),
            makespan: self.now.since(Time::ZERO),
            digest: self.log.digest(),
            stats: self.stats,
        }
    }

    pub(super) fn violation(&self, rule: Foul) -> Violation {
        let (seed, faults) = (self.config.seed, self.config.faults.clone());
        Violation { seed, faults, rule, tail: self.log.tail() }
    }
}

/// Whether a process says hello with something in hand.
fn brings_attempts(event: &Event) -> bool {
    let Event::Frame { frame, .. } = event else { return false };
    let mut messages = frame.envelopes.iter().map(|envelope| &envelope.message);
    messages.any(|m| matches!(m, Message::Hello { holding, .. } if !holding.is_empty()))
}
