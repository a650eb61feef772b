//! What is done about the actions that come out of a step.

use super::agenda::Occurrence;
use super::fault::Fault;
use super::host::Condition;
use super::log::{self, Line};
use super::referee::Foul;
use super::world::World;
use crate::model::wire::Wire;
use crate::model::{
    AttemptKey, Epoch, ExitCode, PeerId, Place, Record, Resources, Span, Time, Verdict,
};
use crate::sched::{Action, Conclusion, Entry, Event};

/// A process that is told to end all it runs has done so after this time.
const KILL: Span = Span::from_millis(40);

impl World {
    pub(super) fn act(&mut self, peer: PeerId, action: Action) -> Result<(), Foul> {
        match action {
            Action::Send { to, frame } => self.transmit(peer, to, frame),
            // Whose folder was taken over writes into a file that nobody reads.
            Action::Append(_) if self.host(peer).superseded => Ok(()),
            Action::Append(entry) => self.append(entry),
            Action::Launch(launches) => {
                self.lots += 1;
                launches.into_iter().try_for_each(|launch| self.launch(peer, launch))
            }
            Action::Withdraw(keys) => {
                self.withdraw(peer, |key| keys.contains(key));
                Ok(())
            }
            Action::Stop { key, grace } => {
                self.call_off(peer, key, grace);
                Ok(())
            }
            Action::StopAll => {
                self.log.add(self.now, peer, Line::StopsAll);
                let keys: Vec<_> = self.host(peer).in_hand().map(|(key, _)| key).collect();
                keys.into_iter().for_each(|key| self.call_off(peer, key, KILL));
                Ok(())
            }
            Action::Publish(records) => {
                records.into_iter().try_for_each(|record| self.publish(peer, record))
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
            // Nobody watches.
            Action::Foretell(_) => Ok(()),
            // Here all have a way to each other, which may be cut.
            Action::Reach(_) => Ok(()),
        }
    }

    fn publish(&mut self, peer: PeerId, record: Record) -> Result<(), Foul> {
        let Record { job, task, attempt, state, .. } = record;
        let key = AttemptKey { job, task, attempt, epoch: Epoch(self.epoch) };
        self.log.add(self.now, peer, Line::Publishes(key, state));
        if self.host(peer).superseded {
            return self.referee.published_late(&record, self.journal.durable());
        }
        let new = self.referee.is_new(&record);
        self.referee.published(&record, self.journal.durable())?;
        self.records.extend(new.then_some(record));
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> Result<(), Foul> {
        let (what, keys) = log::entry(&entry);
        self.log.add(self.now, self.master, Line::Writes(what, keys));
        self.referee.wrote(&entry)?;
        self.judge_silence(&entry)?;
        if self.rng.chance(10) && Entry::from_bytes(&entry.to_bytes()).as_ref() != Ok(&entry) {
            return Err(format!("an entry does not survive the journal: {entry:?}"));
        }
        self.journal.append(entry)?;
        self.plan_commit();
        Ok(())
    }

    /// Of who was seen to end nobody says that it fell silent. Where messages may be late, news of who
    /// came may come after that of its death.
    fn judge_silence(&self, entry: &Entry) -> Result<(), Foul> {
        let Entry::Ended(endings) = entry else { return Ok(()) };
        let is_known = |place: &Place| self.buried.contains(&place.node);
        let is_wrong = |ended: &&Conclusion| {
            ended.record.overlap && ended.record.place.as_ref().is_some_and(is_known)
        };
        let mut faults = self.config.faults.0.iter();
        let plain = faults.all(|(_, fault)| matches!(fault, Fault::Crash { back: None, .. }));
        match endings.iter().find(is_wrong).filter(|_| plain) {
            Some(Conclusion { record, .. }) => {
                Err(format!("{} is said to be silent, and is known to be dead", record.task))
            }
            None => Ok(()),
        }
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

    fn finish(&mut self, peer: PeerId, verdict: Verdict) -> Result<(), Foul> {
        self.log.add(self.now, peer, Line::Finishes(verdict.clone()));
        let since = Time(self.now.0.saturating_sub(self.config.wait_for_nodes.0));
        let healthy: Vec<Resources> = self
            .hosts
            .iter()
            .filter(|h| h.state == Condition::Well && !h.drained && !h.superseded)
            // One that is broken may have been taken out.
            .filter(|h| h.troubled_until <= since && !h.broken)
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
