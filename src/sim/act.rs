//! What is done about the actions that come out of a step.

use super::agenda::Occurrence;
use super::host::{Condition, Host, Running};
use super::log::{self, Line};
use super::referee::{Foul, Place};
use super::world::World;
use crate::model::wire::Wire;
use crate::model::{
    AttemptKey, Ending, Epoch, Exit, ExitCode, Launch, PeerId, Rerun, Resources, Span, Time,
    Verdict,
};
use crate::sched::{Action, Entry, Event};

/// A process that is told to end all it runs has done so after this time.
const KILL: Span = Span::from_millis(40);

impl World {
    pub(super) fn act(&mut self, peer: PeerId, action: Action) -> Result<(), Foul> {
        match action {
            Action::Send { to, frame } => self.transmit(peer, to, frame),
            // Whose folder was taken over writes into a file that nobody reads.
            Action::Append(_) if self.host(peer).superseded => Ok(()),
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
                let key = AttemptKey {
                    job: record.job,
                    task: record.task,
                    attempt: record.attempt,
                    epoch: Epoch(self.epoch),
                };
                self.log.add(self.now, peer, Line::Publishes(key, record.state));
                if self.host(peer).superseded {
                    return self.referee.published_late(&record, self.journal.durable());
                }
                let new = self.referee.is_new(&record);
                self.referee.published(&record, self.journal.durable())?;
                self.records.extend(new.then_some(*record));
                Ok(())
            }
            Action::Note(text) => {
                self.log.add(self.now, peer, Line::Says(text));
                Ok(())
            }
            Action::Finish(_) if self.host(peer).superseded => {
                self.perish(peer);
                Ok(())
            }
            Action::Finish(verdict) => self.finish(peer, verdict),
            Action::Leave => {
                self.host(peer).leaving = true;
                Ok(())
            }
            // Here all have a way to each other, which may be cut.
            Action::Reach(_) => Ok(()),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), Foul> {
        let (what, keys) = log::entry(&entry);
        self.log.add(self.now, self.master, Line::Writes(what, keys));
        self.referee.wrote(&entry)?;
        if self.rng.chance(10) && Entry::from_bytes(&entry.to_bytes()).as_ref() != Ok(&entry) {
            return Err(format!("an entry does not survive the journal: {entry:?}"));
        }
        self.journal.append(entry)?;
        self.plan_commit();
        Ok(())
    }

    fn plan_commit(&mut self) {
        if !self.journal.committing && self.journal.is_dirty() {
            self.journal.committing = true;
            let at = self.now.max(self.full_until) + Span(self.rng.below(self.config.commit.0));
            self.agenda.plan(at, Occurrence::Committed { epoch: self.epoch });
        }
    }

    pub(super) fn committed(&mut self) -> Result<(), Foul> {
        if self.now < self.full_until {
            self.journal.committing = false;
            self.plan_commit();
            return Ok(());
        }
        let behind = if self.config.disorder { self.rng.index(3) } else { 0 };
        let upto = self.journal.commit(behind);
        self.tell(self.master, Event::Durable(upto))?;
        self.plan_commit();
        Ok(())
    }

    fn launch(&mut self, peer: PeerId, launch: &Launch) -> Result<(), Foul> {
        let key = launch.key;
        self.log.add(self.now, peer, Line::Launches(key, launch.cores.len()));
        let host = &self.hosts[peer.index()];
        if let Some(other) = host.user_of(&launch.cores) {
            return Err(format!("{key} is granted a core of {peer} that {other} has"));
        }
        let known = |core| host.seat.topology.domain_of(core).is_some();
        if launch.cores.is_empty() || !launch.cores.iter().all(|core| known(*core)) {
            return Err(format!("{key} is granted {:?}, which {peer} has not", launch.cores));
        }
        // What a master does that does not know yet that it is none any more counts for nothing.
        let forgotten = host.superseded || self.referee.is_forgotten(key);
        if forgotten && !host.superseded && launch.settings.rerun == Rerun::Never {
            return Err(format!(
                "{key} may not be begun twice, and the journal knows nothing of it"
            ));
        }
        if !forgotten {
            let known = host.running.keys().filter(|key| !self.referee.is_forgotten(**key));
            let place = Place { capacity: &host.seat.capacity, running: known.copied().collect() };
            self.referee.launches(launch, &place)?;
            self.judge_twins(peer, key)?;
        }
        let (span, ending) = match self.referee.task(key.task) {
            Some(task) => (self.config.behaviour)(launch, task, &self.nodes[peer.index()]),
            None if forgotten => (Span::ZERO, Ending::new(Exit::Code(0), None)),
            None => return Err(format!("{key} is of no task")),
        };
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

    /// A task does not run twice at once but where the earlier holder hangs, or is told to end.
    fn judge_twins(&self, peer: PeerId, key: AttemptKey) -> Result<(), Foul> {
        let can_stop = |host: &&Host| host.state == Condition::Well && !host.superseded;
        for host in self.hosts.iter().filter(can_stop) {
            let counts = |key: AttemptKey| !self.referee.is_forgotten(key);
            let twin =
                |(k, r): &(&AttemptKey, &Running)| k.task == key.task && !r.stopping && counts(**k);
            if let Some((other, _)) = host.running.iter().find(twin) {
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
        let Running { cores, started, ending, .. } = running;
        let (start, end) = (host.clock.read(started), host.clock.read(now));
        let master = self.hosts[self.master.index()].clock;
        self.log.add(now, peer, Line::Ends(key));
        let by_master = (master.read(started), master.read(now));
        self.referee.ended(key, peer, cores, by_master, ending.clone());
        self.tell(peer, Event::Ended { key, start, end, ending })
    }

    fn finish(&mut self, peer: PeerId, verdict: Verdict) -> Result<(), Foul> {
        self.log.add(self.now, peer, Line::Finishes(verdict.clone()));
        let since = Time(self.now.0.saturating_sub(self.config.wait_for_nodes.0));
        let healthy: Vec<Resources> = self
            .hosts
            .iter()
            .filter(|h| h.state == Condition::Well && !h.drained && !h.superseded)
            .filter(|h| h.troubled_until <= since)
            .map(|h| h.seat.capacity.clone())
            .collect();
        self.referee.finished(&verdict, &healthy)?;
        match self.resume_after.take() {
            Some(back) if verdict.code == ExitCode::Interrupted => {
                self.collapse(back);
            }
            _ => self.verdict = Some(verdict),
        }
        Ok(())
    }
}
