//! What faults do to a simulated run.

use super::agenda::Occurrence;
use super::fault::Fault;
use super::host::Condition;
use super::log::Line;
use super::referee::Foul;
use super::world::World;
use crate::model::{Epoch, PeerId, Span};
use crate::sched::{Event, Former};

/// The longest that news of a death takes.
const NEWS: Span = Span::from_millis(50);

impl World {
    /// A fault of the plan strikes.
    pub(super) fn strike(&mut self, fault: usize) -> Result<(), Foul> {
        let Some((_, fault)) = self.config.faults.0.get(fault).cloned() else { return Ok(()) };
        self.log.add(self.now, self.master, Line::Strikes(fault.clone()));
        match fault {
            Fault::Crash { peer, back } if peer != self.master => self.crash(peer, back),
            Fault::Crash { .. } => {}
            Fault::Hang { peer, length } => self.hang(peer, length),
            Fault::Cut { a, b, length } => self.cut(a, b, length),
            Fault::Partition { peers, length } => self.part(&peers, length),
            Fault::Join { peers, standby } => self.join(&peers, standby),
            Fault::DiskFull { length } => {
                self.full_until = self.full_until.max(self.now + length);
                if self.host(self.master).is_there() {
                    self.trouble(self.master, length);
                }
            }
            Fault::Slow { peer, length, extra } => {
                self.slow[peer.index()] = (self.now + length, extra);
                self.trouble(peer, length + extra);
            }
            Fault::CrashRun { back } => self.collapse(back),
            Fault::Succession { back } => self.bereave(back),
            Fault::Superseded { hung, back, length } => self.supersede(hung, back, length),
            Fault::Interrupt { back } => {
                if self.host(self.master).is_there() {
                    self.referee.interrupt();
                    self.resume_after = Some(back);
                    // Who is there leaves, whether this master sees it or another.
                    let hosts = self.hosts.iter_mut().filter(|host| host.is_there());
                    hosts.for_each(|host| host.drained = true);
                    return self.tell(self.master, Event::Interrupt);
                }
            }
            Fault::Drain { peer } => {
                self.host(peer).drained = true;
                return self.tell(peer, Event::Drain);
            }
            Fault::Break { peer } => self.host(peer).broken = true,
            Fault::Cancel { tasks } => {
                // A master that hangs learns of it later; what ends meanwhile may still count.
                let master = self.host(self.master);
                if master.state == Condition::Well && !master.superseded {
                    self.referee.cancel(&tasks);
                    let now = self.now;
                    tasks.iter().for_each(|id| _ = self.cancelled.entry(*id).or_insert(now));
                    self.tell(self.master, Event::Cancel(tasks.clone()))?;
                    return self.referee.judge_cancel(&tasks);
                }
            }
        }
        Ok(())
    }

    /// Something is wrong with a process for `length`, and for the leases that this may cost.
    pub(super) fn trouble(&mut self, peer: PeerId, length: Span) {
        let until = self.now + length + Span(self.config.lease.0 * 6);
        // When the parent of others is in trouble, so are they.
        for host in &mut self.hosts {
            if host.seat.peer == peer || host.seat.ancestors.contains(&peer) || peer == self.master
            {
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
        self.spread_word(peer, back.unwrap_or(NEWS));
        if let Some(back) = back {
            let life = self.host(peer).life;
            self.agenda.plan(now + back, Occurrence::Boot { peer, life });
        }
    }

    /// Those on the same host, say, learn for certain that a process has ended, while it is gone.
    pub(super) fn spread_word(&mut self, dead: PeerId, gone: Span) {
        for peer in self.network.neighbours(dead) {
            let after = self.rng.span(Span(1), NEWS);
            let host = &self.hosts[peer.index()];
            if after < gone && host.is_there() && self.rng.chance(50) {
                let (life, event) = (host.life, Event::Dead(dead));
                self.agenda.plan(self.now + after, Occurrence::Told { peer, life, event });
            }
        }
    }

    pub(super) fn hang(&mut self, peer: PeerId, length: Span) {
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

    /// No link is left between `peers` and the others.
    pub(super) fn part(&mut self, peers: &[PeerId], length: Span) {
        for (a, b) in self.network.between(peers) {
            self.cut(a, b, length);
        }
    }

    /// Processes begin that have not been there; with the next resume, if nothing is there now.
    fn join(&mut self, peers: &[PeerId], standby: Option<Span>) {
        for peer in peers.iter().filter(|peer| self.late.remove(peer)) {
            self.stats.joined += 1;
            self.hosts[peer.index()].standby = standby.map(|span| self.now + span);
            if !self.collapsed {
                let after = self.rng.span(Span::ZERO, Span::from_millis(100));
                let until = self.now + Span(self.config.lease.0 * 2);
                let host = &mut self.hosts[peer.index()];
                host.troubled_until = host.troubled_until.max(until);
                let boot = Occurrence::Boot { peer: *peer, life: host.life };
                self.agenda.plan(self.now + after, boot);
            }
        }
    }

    /// Every process dies; the run is resumed after `back`.
    pub(super) fn collapse(&mut self, back: Span) {
        if !self.host(self.master).is_there() {
            return;
        }
        let now = self.now;
        self.hosts.iter_mut().for_each(|host| host.die());
        self.network.collapse();
        self.journal.tear(&mut self.rng);
        self.resume_after = None;
        self.cancelled.clear();
        self.collapsed = true;
        self.epoch += 1;
        self.agenda.plan(now + back, Occurrence::Resumed { epoch: self.epoch });
    }

    /// The run goes on from what is left of the journal.
    pub(super) fn resume(&mut self) -> Result<(), Foul> {
        self.referee.resume(self.journal.entries(), true)?;
        let mut seat = self.host(self.master).seat.clone();
        seat.epoch = Epoch(self.epoch);
        self.journal.compact(&seat)?;
        let known = [Former::Ended, Former::Orphaned, Former::Silent];
        self.host(self.master).seat.former = known[self.epoch as usize % known.len()];
        self.begin();
        Ok(())
    }
}
