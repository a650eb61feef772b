//! What processes run: attempts begin, end, are called off and given back.

use std::collections::VecDeque;

use super::agenda::Occurrence;
use super::host::{Condition, Lot, Running, Waiting};
use super::log::Line;
use super::referee::{Foul, Place};
use super::world::World;
use crate::model::{AttemptKey, CoreId, Ending, Exit, Finish, Launch, PeerId, Rerun, Span};
use crate::sched::Event;

/// No attempt waits for longer on cores that it was granted, if all is well.
const WAIT: Span = Span::from_millis(10);

/// On a node that is broken everything fails after this time.
const FAILS: Span = Span::from_millis(2);

impl World {
    pub(super) fn launch(&mut self, peer: PeerId, launch: Launch) -> Result<(), Foul> {
        let key = launch.key;
        self.log.add(self.now, peer, Line::Launches(key, launch.cores.len()));
        let host = &self.hosts[peer.index()];
        let known = |core| host.seat.topology.domain_of(core).is_some();
        if launch.cores.is_empty() || !launch.cores.iter().all(|core| known(*core)) {
            return Err(format!("{key} is granted {:?}, which {peer} has not", launch.cores));
        }
        if host.standby.is_some() && !host.brought_in {
            return Err(format!("{key} starts on {peer}, which stands by"));
        }
        let before = host.user_of(&launch.cores);
        if let Some((other, cores)) = before {
            self.judge_lot(peer, &launch, other, cores)?;
        }
        let waits = before.is_some();
        let leader = before.and_then(|(other, _)| host.running.get(&other));
        self.stats.lined_up += u64::from(leader.is_some_and(|leader| leader.lot != self.lots));
        // What a master does that does not know yet that it is none any more counts for nothing.
        let forgotten = host.superseded || self.referee.is_forgotten(key);
        if forgotten && !host.superseded && launch.work.settings.rerun == Rerun::Never {
            return Err(format!(
                "{key} may not be begun twice, and the journal knows nothing of it"
            ));
        }
        if !forgotten {
            // What has the same cores has ended by then.
            let others = host.running.iter().filter(|(_, run)| run.cores != launch.cores);
            let others = others.map(|(key, _)| *key).filter(|key| !self.referee.is_forgotten(*key));
            let place = Place { capacity: &host.seat.capacity, running: others.collect() };
            self.referee.launches(&launch, &place)?;
            self.judge_twins(peer, key)?;
        }
        let waiting = Waiting { launch, lot: self.lots, since: self.now, stopping: false };
        if waits {
            let lots = &mut self.host(peer).lots;
            let lot = lots.entry(waiting.launch.cores.clone()).or_default();
            lot.waiting.push_back(waiting);
            return Ok(());
        }
        self.attempt_begins(peer, waiting)
    }

    /// Cores are granted to several attempts only if these have all of them in common, and ask for
    /// the same.
    fn judge_lot(
        &self,
        peer: PeerId,
        launch: &Launch,
        other: AttemptKey,
        cores: &[CoreId],
    ) -> Result<(), Foul> {
        let key = launch.key;
        // What a master has added that is none any more nobody else knows under that number.
        let is_known = |key| !self.referee.is_forgotten(key);
        let known = !self.hosts[peer.index()].superseded && is_known(key) && is_known(other);
        let request = |key: AttemptKey| self.referee.task(key.task).map(|task| &task.request);
        if *cores != *launch.cores || (known && request(key) != request(other)) {
            return Err(format!("{key} is granted a core of {peer} that {other} has"));
        }
        Ok(())
    }

    fn attempt_begins(&mut self, peer: PeerId, waiting: Waiting) -> Result<(), Foul> {
        let Waiting { launch, lot, since, stopping } = waiting;
        let key = launch.key;
        let waited = self.now.since(since);
        if waited > WAIT && self.hosts[peer.index()].troubled_until <= since {
            return Err(format!("{key} has waited for {waited} for the cores that it has"));
        }
        let forgotten = self.hosts[peer.index()].superseded || self.referee.is_forgotten(key);
        let (span, ending) = match self.referee.task(key.task) {
            _ if stopping => (Span::ZERO, Ending::new(Exit::CouldNotStart, None)),
            Some(task) => (self.config.behaviour)(&launch, task, &self.nodes[peer.index()]),
            None if forgotten => (Span::ZERO, Ending::new(Exit::Code(0), None)),
            None => return Err(format!("{key} is of no task")),
        };
        let (span, ending) = match self.hosts[peer.index()].broken && !stopping {
            true => (span.min(FAILS), Ending::new(Exit::Code(127), None)),
            false => (span, ending),
        };
        let off = self.config.deviation * (2.0 * self.rng.unit() - 1.0);
        let ends = self.now + span.scale(1.0 + off);
        let cores = launch.cores;
        let started = self.now;
        let running = Running { cores, lot, started, ends, ending, call: 0, stopping };
        let host = self.host(peer);
        host.running.insert(key, running);
        let life = host.life;
        self.agenda.plan(ends, Occurrence::Ends { peer, life, key, call: 0 });
        Ok(())
    }

    /// A task does not run twice at once but where the earlier holder hangs, or does not know that it is
    /// no master any more, and the record says so; or where it is told to end.
    fn judge_twins(&mut self, peer: PeerId, key: AttemptKey) -> Result<(), Foul> {
        for host in &self.hosts {
            let counts = |key: AttemptKey| !self.referee.is_forgotten(key);
            let twin =
                |(k, stopping): &(AttemptKey, bool)| k.task == key.task && !stopping && counts(*k);
            let Some((other, _)) = host.in_hand().find(twin) else { continue };
            let (there, can_stop) =
                (host.seat.peer, host.state == Condition::Well && !host.superseded);
            if can_stop || !self.referee.may_overlap(other) {
                return Err(format!("{key} starts on {peer} while {other} runs on {there}"));
            }
            self.stats.twins += 1;
        }
        Ok(())
    }

    /// An attempt is told to end, and does so within `grace` if it does not end before.
    pub(super) fn call_off(&mut self, peer: PeerId, key: AttemptKey, grace: Span) {
        let at = self.now + Span(self.rng.below(grace.0));
        let host = self.host(peer);
        let life = host.life;
        let mut waiting = host.lots.values_mut().flat_map(|lot| &mut lot.waiting);
        if let Some(waiting) = waiting.find(|waiting| waiting.launch.key == key) {
            waiting.stopping = true;
        }
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

    /// What has not begun of these attempts is given back, and what has ended before is told.
    pub(super) fn withdraw(&mut self, peer: PeerId, wanted: impl Fn(&AttemptKey) -> bool) {
        let at = self.now + Span(self.rng.below(50_000));
        let host = &mut self.hosts[peer.index()];
        let mut told = Vec::new();
        for lot in host.lots.values_mut() {
            let (back, left) = std::mem::take(&mut lot.waiting)
                .into_iter()
                .partition(|waiting| wanted(&waiting.launch.key));
            lot.waiting = left;
            let back: VecDeque<Waiting> = back;
            if !back.is_empty() {
                told.extend(lot.told());
                let back: Vec<Launch> = back.into_iter().map(|waiting| waiting.launch).collect();
                back.iter().for_each(|launch| self.referee.withdrawn(launch.key));
                told.push(Event::Withdrawn(back));
            }
        }
        let life = host.life;
        for event in told {
            self.agenda.plan(at, Occurrence::Told { peer, life, event });
        }
    }

    /// An attempt that is not wanted any more was told to end, if nothing kept that from it.
    fn judge_cancelled(&self, peer: PeerId, key: AttemptKey, run: &Running) -> Result<(), Foul> {
        if self.hosts[peer.index()].superseded {
            return Ok(());
        }
        let Some(since) = self.cancelled.get(&key.task).map(|at| run.started.max(*at)) else {
            return Ok(());
        };
        let late = self.now.since(since) > Span(self.config.lease.0 * 2);
        let well = self.hosts.iter().all(|host| host.troubled_until <= since);
        if late && well && !run.stopping {
            return Err(format!("{key} runs on {peer} long after it was cancelled"));
        }
        Ok(())
    }

    pub(super) fn attempt_ends(
        &mut self,
        peer: PeerId,
        key: AttemptKey,
        call: u32,
    ) -> Result<(), Foul> {
        let now = self.now;
        let host = &mut self.hosts[peer.index()];
        if host.running.get(&key).is_none_or(|running| running.call != call) {
            return Ok(());
        }
        let Some(running) = host.running.remove(&key) else { return Ok(()) };
        self.judge_cancelled(peer, key, &running)?;
        let host = &mut self.hosts[peer.index()];
        let Running { cores, lot: of, started, ending, .. } = running;
        let (start, end) = (host.clock.read(started), host.clock.read(now));
        let master = self.hosts[self.master.index()].clock;
        self.log.add(now, peer, Line::Ends(key));
        let by_master = (master.read(started), master.read(now));
        self.referee.ended(key, peer, cores.clone(), by_master, ending.clone());
        if self.config.disorder && self.rng.chance(2) {
            // It left work behind on its cores.
            let lot = self.hosts[peer.index()].lots.get(&cores);
            let lot = lot.map(|lot| lot.waiting.iter().map(|waiting| waiting.launch.key));
            let rest: Vec<AttemptKey> = lot.into_iter().flatten().collect();
            self.withdraw(peer, |key| rest.contains(key));
        }
        let host = &mut self.hosts[peer.index()];
        let mut lot = host.lots.remove(&cores).unwrap_or_default();
        lot.ended.push(Finish { key, start, end, ending });
        let next = lot.waiting.pop_front();
        // Those that were launched together are told of together.
        let told = if next.as_ref().is_some_and(|next| next.lot == of) { None } else { lot.told() };
        if let Some(next) = next {
            host.lots.insert(cores, lot);
            self.attempt_begins(peer, next)?;
        }
        told.map_or(Ok(()), |event| self.tell(peer, event))
    }
}

impl Lot {
    /// What has ended and was not told yet.
    fn told(&mut self) -> Option<Event> {
        let ended = std::mem::take(&mut self.ended);
        (!ended.is_empty()).then_some(Event::Ended(ended))
    }
}
