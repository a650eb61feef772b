//! How a rank leaves the others.
//!
//! Launchers take the first process that leaves a world for a failure, and `MPI_Finalize` may wait
//! for ever for one that is dead, or for a message that nobody receives. So nobody leaves alone,
//! and all messages come home first:
//!
//! ```text
//!  rank k                  rank 0, each that it knows     rank 0
//!    │── Gone: the last from k ───────►│                     │
//!    │◄──────── Gone: the last to k ───│                     │
//!    │── Ready ─────────────────────────────────────────────►│
//!    │◄──────────────────── Wait: the run goes on ───────────│── Left: k ──► the others
//!    │                                          ...          │  all are ready
//!    │◄──────────────────── Finalise, or Leave ──────────────│
//!    │── Done ──────────────────────────────────────────────►│
//! ```
//!
//! Rank 0 is asked again and again, since nobody says it if it dies on another host.

use std::time::{Duration, Instant};

use super::super::call::finalise;
use super::super::part;
use super::super::patience::within;
use super::{MpiTransport, tag};

/// How long to wait for answers of those that may be dead.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so long rank 0 is asked again; if it has not answered by then it is taken for dead.
const ANSWER: Duration = Duration::from_secs(10);
/// How long MPI may take to finalise.
const FINALISING: Duration = Duration::from_secs(5);

/// How far this rank and another have come in leaving each other.
#[derive(Debug, Default)]
pub(super) struct Goodbye {
    is_said: bool,
    is_heard: bool,
    /// What rank 0 knows of the other.
    is_ready: bool,
    is_done: bool,
}

impl Goodbye {
    pub(super) fn is_said(&self) -> bool {
        self.is_said
    }

    pub(super) fn is_heard(&self) -> bool {
        self.is_heard
    }
}

/// What rank 0 says to those that are ready to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The run goes on.
    Wait,
    /// All are ready: finalise MPI.
    Finalise,
    /// Some are not, and will not be: leave as it is.
    Leave,
}

impl MpiTransport {
    /// Says goodbye, and finalises MPI if all do.
    pub(super) fn part(&mut self) {
        self.is_parting = true;
        for rank in self.others() {
            if rank == 0 || self.peers[rank].is_known {
                self.tell(rank);
            }
        }
        self.go_on(Instant::now() + PATIENCE, MpiTransport::is_clear);
        if self.me == 0 {
            self.part_as_first();
        } else {
            self.part_from_first();
        }
        if self.word == Some(Word::Finalise) {
            self.finalise();
        }
    }

    /// Finalises MPI, if it returns from that: MPICH over UCX and TCP often does not.
    fn finalise(&mut self) {
        let is_over = |this: &Self| this.is_clear() && this.sending.is_empty();
        self.go_on(Instant::now() + PATIENCE, is_over);
        let is_to = is_over(self) && part::is_to_finalise();
        let Some(comm) = self.comm.take().filter(|_| is_to) else { return };
        // The status of a launcher is that of rank 0 if this is the first that gives up.
        let limit = if self.me == 0 { FINALISING } else { 3 * FINALISING };
        if let Some(Ok(())) = within(limit, move || finalise(comm)) {
            part::finalised();
        }
    }

    /// Says the last to a rank, unless it was said.
    pub(super) fn tell(&mut self, rank: usize) {
        let peer = &mut self.peers[rank];
        if !peer.is_dead && !std::mem::replace(&mut peer.goodbye.is_said, true) {
            // Who leaves need not be told that others are down.
            let _ = peer.connection.gone();
            self.say(rank, tag::GONE, Vec::new());
        }
    }

    /// Takes what another says about leaving.
    pub(super) fn hear(&mut self, rank: usize, tag: i32, bytes: &[u8]) {
        let peer = &mut self.peers[rank];
        match tag {
            tag::GONE => {
                peer.goodbye.is_heard = true;
                peer.outbox.forget_waiting();
                self.part_from(rank);
                self.tell(rank);
            }
            tag::READY => {
                let is_new = !std::mem::replace(&mut peer.goodbye.is_ready, true);
                if !self.is_parting {
                    self.say(rank, tag::WAIT, Vec::new());
                }
                if is_new && !self.is_parting {
                    self.tell_of(rank);
                }
            }
            tag::LEFT => {
                if let Some(left) = self.named(bytes) {
                    self.part_from(left);
                }
            }
            tag::WAIT => self.word = Some(Word::Wait),
            tag::FINALISE => self.word = Some(Word::Finalise),
            tag::LEAVE => self.word = Some(Word::Leave),
            tag::DONE => peer.goodbye.is_done = true,
            _ => {}
        }
    }

    /// Tells all that go on of one that has left: it knows those alone that it had to do with.
    fn tell_of(&mut self, left: usize) {
        for rank in self.others() {
            if rank != left && !self.peers[rank].goodbye.is_heard {
                self.say(rank, tag::LEFT, Self::name(left));
            }
        }
    }

    /// A rank, as it is told of.
    pub(super) fn name(rank: usize) -> Vec<u8> {
        (rank as u32).to_le_bytes().into()
    }

    /// Another rank that is told of by `name`.
    pub(super) fn named(&self, name: &[u8]) -> Option<usize> {
        let rank = u32::from_le_bytes(name.try_into().ok()?) as usize;
        Some(rank).filter(|rank| *rank != self.me && *rank < self.peers.len())
    }

    pub(super) fn others(&self) -> Vec<usize> {
        (0..self.peers.len()).filter(|rank| *rank != self.me).collect()
    }

    /// Whether rank 0 has said how to leave.
    pub(super) fn is_decided(&self) -> bool {
        matches!(self.word, Some(Word::Finalise | Word::Leave))
    }

    /// Whether nothing is on its way to this rank from those that it took leave of, nor from it.
    fn is_clear(&self) -> bool {
        let is_clear = |goodbye: &Goodbye| !goodbye.is_said || goodbye.is_heard;
        self.peers.iter().all(|peer| peer.is_dead || is_clear(&peer.goodbye))
    }

    /// Whether what rank 0 waits for holds for all others that live.
    fn of_all_others(&self, is_so: impl Fn(&Goodbye) -> bool) -> bool {
        self.others().iter().all(|i| self.peers[*i].is_dead || is_so(&self.peers[*i].goodbye))
    }

    /// Waits for all to be ready, and tells them what they are to do.
    fn part_as_first(&mut self) {
        let are_ready = |this: &Self| this.of_all_others(|goodbye| goodbye.is_ready);
        self.go_on(Instant::now() + PATIENCE, are_ready);
        if !are_ready(self) {
            // The others stay until they are ended: launchers would take their leaving for a
            // failure.
            return part::must_abort();
        }
        let all = self.peers.iter().all(|peer| !peer.is_dead);
        self.word = Some(if all { Word::Finalise } else { Word::Leave });
        for rank in self.others() {
            self.say(rank, if all { tag::FINALISE } else { tag::LEAVE }, Vec::new());
        }
        let are_done = |this: &Self| this.of_all_others(|goodbye| goodbye.is_done);
        self.go_on(Instant::now() + PATIENCE, are_done);
        if !all && !self.are_all_here() {
            part::must_abort();
        }
    }

    /// Waits for rank 0 to say what is to be done.
    fn part_from_first(&mut self) {
        let is_decided = |this: &Self| this.is_decided() || this.peers[0].is_dead;
        while !is_decided(self) {
            self.word = None;
            self.say(0, tag::READY, Vec::new());
            self.go_on(Instant::now() + ANSWER, is_decided);
            if self.word.is_none() {
                return;
            }
        }
        self.say(0, tag::DONE, Vec::new());
        // For what the launcher would wait for, this rank stands in for one that is dead.
        let stands_in = self.peers[0].is_dead && self.peers[0].is_here && self.is_first_here();
        if stands_in && !self.are_all_here() {
            part::must_abort();
        }
    }
}
