//! Masters that end, or are taken for dead, and those that follow them.

use super::agenda::Occurrence;
use super::host::{Condition, Host};
use super::log::Line;
use super::referee::Foul;
use super::world::World;
use crate::model::{Epoch, Incarnation, PeerId, Span};
use crate::sched::{Event, Former};

impl World {
    /// The process of the master dies. Another takes the run up after `back`, in which the others
    /// are on their own.
    pub(super) fn bereave(&mut self, back: Span) {
        let master = self.master;
        if !self.host(master).is_there() {
            return;
        }
        self.host(master).die();
        self.trouble(master, back + self.config.reattach.max(self.config.lease));
        self.settle_all(master);
        self.spread_word(master, back);
        self.vacate(back);
    }

    /// The run has no master from now on; another process takes it up after `back`.
    fn vacate(&mut self, back: Span) {
        self.journal.tear(&mut self.rng);
        self.cancelled.clear();
        self.epoch += 1;
        self.agenda.plan(self.now + back, Occurrence::Succeeds { epoch: self.epoch });
    }

    /// The process of the master does nothing for `length`, or nobody hears of it. Another takes
    /// the run up after `back`.
    pub(super) fn supersede(&mut self, hung: bool, back: Span, length: Span) {
        let master = self.master;
        let host = self.host(master);
        if host.state != Condition::Well || host.superseded {
            return;
        }
        host.superseded = true;
        let life = host.life;
        self.stats.superseded += 1;
        if hung {
            self.hang(master, length);
        } else {
            self.part(&[master], length);
        }
        self.trouble(master, length + self.config.reattach.max(self.config.lease));
        self.plan_notice(master, life, length);
        self.vacate(back);
    }

    /// It looks into the folder of the run now and then.
    fn plan_notice(&mut self, peer: PeerId, life: u32, after: Span) {
        let late = Span(self.rng.below(self.config.lease.0 / 4));
        self.agenda.plan(self.now + after + late, Occurrence::Notices { peer, life });
    }

    /// A former master finds that the run is another's, and ends.
    pub(super) fn notice(&mut self, peer: PeerId) {
        match self.host(peer).state {
            Condition::Well => self.perish(peer),
            Condition::Hung => {
                let life = self.host(peer).life;
                self.plan_notice(peer, life, Span::ZERO);
            }
            Condition::Gone => {}
        }
    }

    /// A process ends without a word.
    pub(super) fn perish(&mut self, peer: PeerId) {
        self.log.add(self.now, peer, Line::Leaves);
        self.host(peer).die();
        self.settle_all(peer);
    }

    /// Another process takes the run up from what is left of the journal. All others learn of it.
    pub(super) fn succeed(&mut self) -> Result<(), Foul> {
        let (former, master) = (self.master, PeerId(self.hosts.len() as u32));
        self.stats.epochs += 1;
        self.resume_after = None;
        self.stats.successions += 1;
        let mut seat = self.host(former).seat.clone();
        (seat.peer, seat.ancestors, seat.master) = (master, vec![master], master);
        (seat.incarnation, seat.epoch) = (Incarnation(1), Epoch(self.epoch));
        // That the last one has ended is seen or not.
        let is_seen = !self.hosts[former.index()].superseded && self.epoch.is_multiple_of(2);
        seat.former = if is_seen { Former::Orphaned } else { Former::Silent };
        let clock = self.host(former).clock;
        self.nodes.push(self.nodes[former.index()].clone());
        self.slow.push(Default::default());
        let link = self.config.platform.link_between(seat.subcluster.index(), 0);
        for host in &mut self.hosts {
            host.seat.master = master;
            let ancestors = host.seat.ancestors.iter_mut();
            ancestors.filter(|peer| **peer == former).for_each(|peer| *peer = master);
            self.network.connect(host.seat.peer, master, link);
        }
        self.journal.compact(&seat)?;
        self.hosts.push(Host::new(seat, clock));
        self.master = master;
        self.referee.resume(self.journal.entries(), false)?;
        self.boot(master)?;
        self.spread_news();
        Ok(())
    }

    /// All others learn of the new master, sooner or later.
    fn spread_news(&mut self) {
        let event = Event::Master(self.master, Epoch(self.epoch));
        // A former master that does not know yet hears it from others, or sees it in the folder.
        let peers = self.network.neighbours(self.master).into_iter();
        let peers: Vec<PeerId> = peers.filter(|peer| !self.host(*peer).superseded).collect();
        for peer in peers {
            let after = self.rng.span(Span(1), Span::from_millis(500));
            let (life, event) = (self.host(peer).life, event.clone());
            self.agenda.plan(self.now + after, Occurrence::Told { peer, life, event });
        }
    }
}
