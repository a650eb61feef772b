//! That other ranks die. MPI says nothing of it: the system does, to the ranks of the same host,
//! and one of these tells the other hosts.

use super::super::connection::Connection;
use super::super::outbox::Outbox;
use super::{MpiTransport, id, tag};
use crate::comm::Incoming;

impl MpiTransport {
    /// A process has ended, or cannot be reached any more: what is on its way there will never
    /// be complete.
    pub(super) fn lose(&mut self, rank: usize) {
        let peer = &mut self.peers[rank];
        peer.is_dead = true;
        peer.outbox = Outbox::default();
        peer.receiving.clear();
        self.sending.remove(&rank);
        self.receiving.remove(&rank);
        self.part_from(rank);
    }

    /// A process has ended for certain.
    fn bury(&mut self, rank: usize) {
        let was_there = self.peers[rank].connection != Connection::Gone;
        self.lose(rank);
        if was_there {
            self.arrived.push_back(Incoming::Ended(id(rank)));
        }
    }

    /// Tells of processes that have ended, after what they had sent.
    pub(super) fn notice_deaths(&mut self) {
        for i in (0..self.watched.len()).rev() {
            if self.doorbell.has_ended(&self.watched[i]) {
                self.watched.swap_remove(i);
                let rank = self.watched_ranks.swap_remove(i);
                self.bury(rank);
                self.pass_on(rank);
            }
        }
    }

    /// Tells other hosts of a death on this one, if this is the first rank here that lives.
    fn pass_on(&mut self, dead: usize) {
        if !self.is_first_here() {
            return;
        }
        let is_decided = self.is_decided();
        for rank in self.others() {
            let peer = &mut self.peers[rank];
            let may_speak = if rank == 0 { !is_decided } else { !peer.goodbye.is_said() };
            if !peer.is_here && may_speak {
                // Before this rank leaves it waits for an answer of those that it has told.
                peer.is_known = true;
                self.say(rank, tag::DEAD, Self::name(dead));
            }
        }
    }

    /// Whether no rank before this one lives on this host.
    pub(super) fn is_first_here(&self) -> bool {
        self.peers[..self.me].iter().all(|peer| !peer.is_here || peer.is_dead)
    }

    /// Whether all ranks are on this host.
    pub(super) fn are_all_here(&self) -> bool {
        self.others().iter().all(|rank| self.peers[*rank].is_here)
    }

    /// Takes what a rank of another host says of a death there.
    pub(super) fn hear_of_death(&mut self, from: usize, name: &[u8]) {
        if let Some(dead) = self.named(name).filter(|dead| *dead != from) {
            self.bury(dead);
        }
    }
}
