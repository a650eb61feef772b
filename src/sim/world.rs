//! The simulation itself: it takes what happens next, steps whom it concerns, and does what
//! comes out.

use super::SimConfig;
use super::agenda::{Agenda, Occurrence};
use super::clock::Clock;
use super::host::{Condition, Host, Running};
use super::journal::Journal;
use super::log::{self, Line, Log};
use super::network::Network;
use super::outcome::{SimOutcome, Stats, Violation};
use super::referee::{Foul, Place, Referee};
use super::rng::Rng;
use super::seats::seats;
use crate::model::{
    AttemptKey, Ending, Epoch, Exit, Incarnation, Launch, PeerId, PlatformNode, Record, Resources,
    Span, Time, Verdict,
};
use crate::sched::wire::Wire;
use crate::sched::{Action, Batch, Entry, Event, Frame, Machine};

/// How many steps at one moment are taken for standing still.
const STILL: u64 = 200_000;
/// A process that is told to end all it runs has done so after this time.
const KILL: Span = Span::from_millis(40);

/// A simulated run.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: SimConfig,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    pub(super) hosts: Vec<Host>,
    nodes: Vec<PlatformNode>,
    pub(super) network: Network,
    pub(super) journal: Journal,
    pub(super) referee: Referee,
    pub(super) log: Log,
    pub(super) stats: Stats,
    pub(super) epoch: u32,
    /// The run was interrupted: when it is resumed, counted from its end.
    pub(super) resume_after: Option<Span>,
    /// Frames that a process sends are late by so much until then.
    pub(super) slow: Vec<(Time, Span)>,
    records: Vec<Record>,
    verdict: Option<Verdict>,
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
            for parent in [seat.sub_master, seat.master].into_iter().filter(|p| *p != seat.peer) {
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
            epoch: 1,
            resume_after: None,
            records: Vec::new(),
            verdict: None,
            still: (Time::ZERO, 0),
            config,
        };
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
        let spread = if self.config.disorder { Span::from_millis(300) } else { Span::ZERO };
        for i in 0..self.hosts.len() {
            let after = self.rng.span(Span::ZERO, spread);
            let clock = self.some_clock();
            let host = &mut self.hosts[i];
            host.seat.incarnation = Incarnation(1);
            host.seat.epoch = Epoch(self.epoch);
            (host.clock, host.drained, host.died) = (clock, false, None);
            host.troubled_until = host.troubled_until.max(self.now + Span(host.seat.lease.0 * 2));
            let boot = Occurrence::Boot { peer: host.seat.peer, life: host.life };
            self.agenda.plan(self.now + after, boot);
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
        if self.now.since(self.config.faults.end()) > patience + work {
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
                    return self.tell(to, Event::Frame { from, frame });
                }
                self.stats.missed += 1;
                self.log.add(self.now, to, Line::Misses(from, frame.seq));
                Ok(())
            }
            Occurrence::Told { peer, life, event } if self.living(peer, life) => {
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
            Occurrence::Committed { epoch } if epoch == self.epoch => self.committed(),
            Occurrence::Resumed { epoch } if epoch == self.epoch => self.resume(),
            Occurrence::Strikes(fault) => self.strike(fault),
            Occurrence::Settles(a, b) => {
                self.settle(a, b);
                Ok(())
            }
            // Of a former life.
            _ => Ok(()),
        }
    }

    // ---- processes -----------------------------------------------------------------------

    fn boot(&mut self, peer: PeerId) -> Result<(), Foul> {
        let host = self.host(peer);
        host.boot();
        let incarnation = host.seat.incarnation.0;
        self.log.add(self.now, peer, Line::Boots(incarnation));
        self.stats.restarts += u64::from(incarnation > 1);
        if peer == PeerId(0) {
            for entry in self.journal.entries().to_vec() {
                self.step(peer, Event::Replay(Box::new(entry)))?;
            }
        }
        self.step(peer, Event::Start)?;
        if peer == PeerId(0) {
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
        self.log.add(self.now, peer, Line::Step(event.clone()));
        let now = self.now;
        let host = self.host(peer);
        let incarnation = host.machine.incarnation();
        let mut actions = Vec::new();
        host.machine.step(host.clock.read(now), event, &mut actions);
        let restarted = host.machine.incarnation() > incarnation;
        self.stats.restarts += u64::from(restarted);
        for action in actions {
            self.act(peer, action)?;
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
        if peer != PeerId(0) {
            self.log.add(self.now, peer, Line::Leaves);
            let now = self.now;
            self.host(peer).die(now);
            for other in self.network.neighbours(peer) {
                // What it said last still arrives.
                let at = self.network.quiet(peer, other).max(now) + Span(1);
                self.agenda.plan(at, Occurrence::Settles(peer, other));
            }
        }
    }

    // ---- links ---------------------------------------------------------------------------

    pub(super) fn settle_all(&mut self, peer: PeerId) {
        for other in self.network.neighbours(peer) {
            self.settle(peer, other);
        }
    }

    /// Brings a link up or down, and tells both ends, not quite at the same time.
    pub(super) fn settle(&mut self, a: PeerId, b: PeerId) {
        let alive = self.host(a).is_there() && self.host(b).is_there();
        let Some(up) = self.network.settle(a, b, alive, self.now) else { return };
        let mut latest = self.now;
        for (peer, other) in [(a, b), (b, a)] {
            let delay = if self.config.disorder { self.rng.below(5_000_000) } else { 0 };
            let at = self.now + Span(delay);
            latest = latest.max(at);
            let event = if up { Event::Up(other) } else { Event::Down(other) };
            let life = self.host(peer).life;
            self.agenda.plan(at, Occurrence::Told { peer, life, event });
        }
        self.network.hold(a, b, latest);
        if up {
            self.repeat_old(a, b, latest);
            self.repeat_old(b, a, latest);
        }
    }

    /// Some of what was sent before the link went down comes again, in any order.
    fn repeat_old(&mut self, from: PeerId, to: PeerId, since: Time) {
        let (frames, generation) = self.network.remembered(from, to);
        let life = self.host(to).life;
        for frame in frames {
            if self.rng.chance(30) {
                let at = since + self.rng.span(Span::ZERO, self.config.lease);
                self.stats.repeated += 1;
                self.agenda.plan(at, Occurrence::Arrives { from, to, life, generation, frame });
            }
        }
    }

    fn transmit(&mut self, from: PeerId, to: PeerId, frame: Frame) -> Result<(), Foul> {
        self.stats.frames += 1;
        let mut bytes = 0;
        let sampled = self.stats.frames.is_multiple_of(16);
        if sampled || self.network.is_metered(from, to) {
            let wire = frame.to_bytes();
            bytes = wire.len() as u64;
            if sampled && Frame::from_bytes(&wire).as_ref() != Ok(&frame) {
                return Err(format!("a frame does not survive the wire: {frame:?}"));
            }
        }
        let (until, late) = self.slow[from.index()];
        let extra = if self.now < until { Span(self.rng.below(late.0)) } else { Span::ZERO };
        match self.network.send(self.now, (from, to), &frame, (bytes, extra)) {
            Some((at, generation)) => {
                let life = self.host(to).life;
                self.agenda.plan(at, Occurrence::Arrives { from, to, life, generation, frame });
            }
            None => self.stats.missed += 1,
        }
        Ok(())
    }

    // ---- what comes out of a step --------------------------------------------------------

    fn act(&mut self, peer: PeerId, action: Action) -> Result<(), Foul> {
        match action {
            Action::Send { to, frame } => self.transmit(peer, to, frame),
            Action::Append(entry) => self.append(entry),
            Action::Launch(launch) => self.launch(peer, &launch),
            Action::Stop { key, grace } => {
                self.call_off(peer, key, grace);
                Ok(())
            }
            Action::StopAll => {
                self.log.add(self.now, peer, Line::StopsAll);
                let keys: Vec<_> = self.host(peer).running.keys().copied().collect();
                keys.into_iter().for_each(|key| self.call_off(peer, key, KILL));
                Ok(())
            }
            Action::Publish(record) => {
                let key =
                    AttemptKey { job: record.job, task: record.task, attempt: record.attempt };
                self.log.add(self.now, peer, Line::Publishes(key, record.state));
                let new = self.referee.is_new(&record);
                self.referee.published(&record, self.journal.durable())?;
                self.records.extend(new.then_some(*record));
                Ok(())
            }
            Action::Note(text) => {
                self.log.add(self.now, peer, Line::Says(text));
                Ok(())
            }
            Action::Finish(verdict) => self.finish(peer, verdict),
            Action::Leave => {
                self.host(peer).leaving = true;
                Ok(())
            }
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), Foul> {
        let (what, keys) = log::entry(&entry);
        self.log.add(self.now, PeerId(0), Line::Writes(what, keys));
        self.referee.wrote(&entry)?;
        if self.rng.chance(10) && Entry::from_bytes(&entry.to_bytes()).as_ref() != Ok(&entry) {
            return Err(format!("an entry does not survive the journal: {entry:?}"));
        }
        self.journal.append(entry);
        self.plan_commit();
        Ok(())
    }

    fn plan_commit(&mut self) {
        if !self.journal.committing && self.journal.is_dirty() {
            self.journal.committing = true;
            let at = self.now + Span(self.rng.below(self.config.commit.0));
            self.agenda.plan(at, Occurrence::Committed { epoch: self.epoch });
        }
    }

    fn committed(&mut self) -> Result<(), Foul> {
        let behind = if self.config.disorder { self.rng.index(3) } else { 0 };
        let upto = self.journal.commit(behind);
        self.tell(PeerId(0), Event::Durable(upto))?;
        self.plan_commit();
        Ok(())
    }

    fn launch(&mut self, peer: PeerId, launch: &Launch) -> Result<(), Foul> {
        let key = launch.key;
        self.log.add(self.now, peer, Line::Launches(key, launch.cores.len()));
        let orphaned = self.is_orphaned(peer);
        let host = &self.hosts[peer.index()];
        if let Some(other) = host.user_of(&launch.cores) {
            return Err(format!("{key} is granted a core of {peer} that {other} has"));
        }
        let known = |core| host.seat.topology.domain_of(core).is_some();
        if launch.cores.is_empty() || !launch.cores.iter().all(|core| known(*core)) {
            return Err(format!("{key} is granted {:?}, which {peer} has not", launch.cores));
        }
        let running = host.running.keys().copied().collect();
        let place = Place { capacity: &host.seat.capacity, running, orphaned };
        self.referee.launches(launch, &place)?;
        self.judge_twins(peer, key)?;
        let Some(task) = self.referee.task(key.task) else {
            return Err(format!("{key} is of no task"));
        };
        let (span, ending) = (self.config.behaviour)(launch, task, &self.nodes[peer.index()]);
        let off = self.config.deviation * (2.0 * self.rng.unit() - 1.0);
        let ends = self.now + span.scale(1.0 + off);
        let cores = launch.cores.clone();
        let running = Running { cores, started: self.now, ends, ending, call: 0, stopping: false };
        let host = self.host(peer);
        host.running.insert(key, running);
        let life = host.life;
        self.agenda.plan(ends, Occurrence::Ends { peer, life, key, call: 0 });
        Ok(())
    }

    /// The sub-master of a node died less than a lease ago: the master may know already and the
    /// node not yet.
    fn is_orphaned(&self, peer: PeerId) -> bool {
        let parent = self.hosts[peer.index()].seat.sub_master;
        let died = self.hosts[parent.index()].died;
        died.is_some_and(|at| self.now.since(at) <= self.config.lease)
    }

    /// A task does not run twice at once but where the earlier holder hangs or is orphaned.
    fn judge_twins(&self, peer: PeerId, key: AttemptKey) -> Result<(), Foul> {
        for host in self.hosts.iter().filter(|host| host.state == Condition::Well) {
            let twin = |(k, r): &(&AttemptKey, &Running)| k.task == key.task && !r.stopping;
            let excused = self.is_orphaned(host.seat.peer) || self.is_orphaned(peer);
            if let Some((other, _)) = host.running.iter().find(twin).filter(|_| !excused) {
                let there = host.seat.peer;
                return Err(format!("{key} starts on {peer} while {other} runs on {there}"));
            }
        }
        Ok(())
    }

    /// An attempt is told to end, and does so within `grace` if it does not end before.
    fn call_off(&mut self, peer: PeerId, key: AttemptKey, grace: Span) {
        let at = self.now + Span(self.rng.below(grace.0));
        let host = self.host(peer);
        let life = host.life;
        let Some(running) = host.running.get_mut(&key) else { return };
        running.stopping = true;
        if at < running.ends {
            running.ends = at;
            running.ending = Ending::new(Exit::Signal(15), None);
            running.call += 1;
            let call = running.call;
            self.agenda.plan(at, Occurrence::Ends { peer, life, key, call });
        }
    }

    fn attempt_ends(&mut self, peer: PeerId, key: AttemptKey, call: u32) -> Result<(), Foul> {
        let now = self.now;
        let host = &mut self.hosts[peer.index()];
        if host.running.get(&key).is_none_or(|running| running.call != call) {
            return Ok(());
        }
        let Some(Running { cores, started, ending, .. }) = host.running.remove(&key) else {
            return Ok(());
        };
        let (start, end) = (host.clock.read(started), host.clock.read(now));
        let master = self.hosts[0].clock;
        self.log.add(now, peer, Line::Ends(key));
        let by_master = (master.read(started), master.read(now));
        self.referee.ended(key, peer, cores, by_master, ending.clone());
        self.tell(peer, Event::Ended { key, start, end, ending })
    }

    // ---- the end -------------------------------------------------------------------------

    fn finish(&mut self, peer: PeerId, verdict: Verdict) -> Result<(), Foul> {
        self.log.add(self.now, peer, Line::Finishes(verdict.clone()));
        let since = Time(self.now.0.saturating_sub(self.config.wait_for_nodes.0));
        let healthy: Vec<Resources> = self
            .hosts
            .iter()
            .filter(|h| h.state == Condition::Well && !h.drained && h.troubled_until <= since)
            .map(|h| h.seat.capacity.clone())
            .collect();
        self.referee.finished(&verdict, &healthy)?;
        match self.resume_after.take() {
            Some(back) if verdict.code == crate::model::ExitCode::Interrupted => {
                self.collapse(back);
            }
            _ => self.verdict = Some(verdict),
        }
        Ok(())
    }

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
