//! What faults do to a simulated run.

use super::agenda::Occurrence;
use super::fault::Fault;
use super::host::Condition;
use super::log::Line;
use super::referee::Foul;
use super::world::World;
use crate::model::{Epoch, PeerId, Span};
use crate::sched::Event;

const MASTER: PeerId = PeerId(0);

impl World {
    /// A fault of the plan strikes.
    pub(super) fn strike(&mut self, fault: usize) -> Result<(), Foul> {
        let Some((_, fault)) = self.config.faults.0.get(fault).cloned() else { return Ok(()) };
        self.log.add(self.now, MASTER, Line::Strikes(fault.clone()));
        match fault {
            Fault::Crash { peer, back } if peer != MASTER => self.crash(peer, back),
            Fault::Crash { .. } => {}
            Fault::Hang { peer, length } => self.hang(peer, length),
            Fault::Cut { a, b, length } => self.cut(a, b, length),
            Fault::Slow { peer, length, extra } => {
                self.slow[peer.index()] = (self.now + length, extra);
                self.trouble(peer, length + extra);
            }
            Fault::CrashRun { back } => self.collapse(back),
            Fault::Interrupt { back } => {
                if self.host(MASTER).is_there() {
                    self.referee.interrupt();
                    self.resume_after = Some(back);
                    return self.tell(MASTER, Event::Interrupt);
                }
            }
            Fault::Drain { peer } => {
                self.host(peer).drained = true;
                return self.tell(peer, Event::Drain);
            }
            Fault::Cancel { tasks } => {
                // A master that hangs learns of it later; what ends meanwhile may still count.
                if self.host(MASTER).state == Condition::Well {
                    self.referee.cancel(&tasks);
                    let now = self.now;
                    tasks.iter().for_each(|id| _ = self.cancelled.entry(*id).or_insert(now));
                    self.tell(MASTER, Event::Cancel(tasks.clone()))?;
                    return self.referee.judge_cancel(&tasks);
                }
            }
        }
        Ok(())
    }

    /// Something is wrong with a process for `length`, and for the leases that this may cost.
    fn trouble(&mut self, peer: PeerId, length: Span) {
        let until = self.now + length + Span(self.config.lease.0 * 6);
        // When the parent of others is in trouble, so are they.
        for host in &mut self.hosts {
            if host.seat.peer == peer || host.seat.sub_master == peer || peer == MASTER {
                host.troubled_until = host.troubled_until.max(until);
            }
        }
    }

    fn crash(&mut self, peer: PeerId, back: Option<Span>) {
        if !self.host(peer).is_there() {
            return;
        }
        let now = self.now;
        self.host(peer).die();
        self.trouble(peer, back.unwrap_or_default());
        self.settle_all(peer);
        if let Some(back) = back {
            let life = self.host(peer).life;
            self.agenda.plan(now + back, Occurrence::Boot { peer, life });
        }
    }

    fn hang(&mut self, peer: PeerId, length: Span) {
        if !self.host(peer).is_there() {
            return;
        }
        let wakes = self.now + length;
        let host = self.host(peer);
        host.state = Condition::Hung;
        host.hung_until = host.hung_until.max(wakes);
        let life = host.life;
        self.agenda.plan(wakes, Occurrence::Wakes { peer, life });
        self.trouble(peer, length);
    }

    fn cut(&mut self, a: PeerId, b: PeerId, length: Span) {
        self.network.cut(a, b, self.now + length);
        self.settle(a, b);
        self.agenda.plan(self.now + length, Occurrence::Settles(a, b));
        self.trouble(a, length);
        self.trouble(b, length);
    }

    /// Every process dies; the run is resumed after `back`.
    pub(super) fn collapse(&mut self, back: Span) {
        if !self.host(MASTER).is_there() {
            return;
        }
        let now = self.now;
        self.hosts.iter_mut().for_each(|host| host.die());
        self.network.collapse();
        self.journal.tear(&mut self.rng);
        self.resume_after = None;
        self.cancelled.clear();
        self.epoch += 1;
        self.agenda.plan(now + back, Occurrence::Resumed { epoch: self.epoch });
    }

    /// The run goes on from what is left of the journal.
    pub(super) fn resume(&mut self) -> Result<(), Foul> {
        self.referee.resume(self.journal.entries())?;
        let mut seat = self.host(MASTER).seat.clone();
        seat.epoch = Epoch(self.epoch);
        self.journal.compact(&seat)?;
        self.begin();
        Ok(())
    }
}
