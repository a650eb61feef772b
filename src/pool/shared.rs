//! What all workers of a pool know: each other, and which teams wait for whom.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

use super::blocking::StandIns;
use super::patience::Waiting;
use super::statistics::Counters;
use super::team::{LEADER, Member, Opening, Team};
use super::work::{Payload, catch, discard};
use crate::model::{CoreId, Topology};
use crate::policy::{Nearness, nearness, victim_order};

/// Called with the payload of a panic that nobody waits for.
pub(super) type OnPanic = Box<dyn Fn(Box<dyn Any + Send>) + Send + Sync>;

/// The common knowledge of the threads of one pool and of the handle to it.
pub(super) struct Shared {
    workers: Vec<Worker>,
    /// For each guest all others, in the order in which it looks for work.
    guests: Vec<Vec<usize>>,
    by_core: HashMap<CoreId, usize>,
    /// Those of each worker, and in the end those of all guests.
    counters: Vec<CachePadded<Counters>>,
    /// The team of all workers, in which each of them is while no other team has it.
    commons: Arc<Team>,
    /// For each worker the teams that wait for it. One lock for all, so that any two teams
    /// stand in the same order in every queue in which both are.
    queues: Mutex<Vec<VecDeque<Arc<Team>>>>,
    closing: AtomicBool,
    on_panic: OnPanic,
    waiting: Waiting,
}

struct Worker {
    member: Member,
    /// The other workers, nearest first, and then all guests.
    victims: Vec<usize>,
    /// How near each worker is.
    near: Vec<Nearness>,
    /// Whether its queue is not empty, to be read without the lock.
    called: CachePadded<AtomicBool>,
    /// The team that it led last, for another call of the same cores.
    spare: Mutex<Option<Arc<Team>>>,
    /// Set before the pool is handed out.
    thread: OnceLock<Thread>,
    stand_ins: StandIns,
}

/// How many threads that are not workers may take part in the commons at the same time.
const GUESTS: usize = 4;

/// As many may in another team, for the worker that is blocked there.
const GUESTS_OF_A_TEAM: usize = 1;

impl Shared {
    /// For one worker per core of `topology`; `None` if two cores have the same id.
    pub(super) fn new(topology: &Topology, waiting: Waiting, on_panic: OnPanic) -> Option<Shared> {
        let domains = topology.domains.iter().enumerate();
        let cores = domains.flat_map(|(domain, d)| d.cores.iter().map(move |c| (domain, c.id)));
        let members: Vec<Member> = cores
            .enumerate()
            .map(|(worker, (domain, core))| Member { worker, core, domain })
            .collect();
        let by_core: HashMap<CoreId, usize> = members.iter().map(|m| (m.core, m.worker)).collect();
        let guests = members.len()..members.len() + GUESTS;
        let all_guests = guests.clone();
        let worker = |&member: &Member| Worker {
            member,
            victims: victim_order(topology, member.worker)
                .into_iter()
                .chain(all_guests.clone())
                .collect(),
            near: nearness(topology, member.worker),
            called: CachePadded::default(),
            spare: Mutex::default(),
            thread: OnceLock::new(),
            stand_ins: StandIns::new(),
        };
        (by_core.len() == members.len()).then(|| Shared {
            workers: members.iter().map(worker).collect(),
            guests: guests
                .clone()
                .map(|me| (0..guests.end).filter(|i| *i != me).collect())
                .collect(),
            by_core,
            counters: members
                .iter()
                .map(|_| Counters::default())
                .chain([Counters::of_guests()])
                .map(CachePadded::new)
                .collect(),
            commons: Arc::new(Team::new(&members, guests, None)),
            queues: Mutex::new(members.iter().map(|_| VecDeque::new()).collect()),
            closing: AtomicBool::new(false),
            on_panic,
            waiting,
        })
    }

    pub(super) fn commons(&self) -> &Arc<Team> {
        &self.commons
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    pub(super) fn core(&self, worker: usize) -> CoreId {
        self.workers[worker].member.core
    }

    /// All others, in the order in which a worker or a guest looks for work.
    pub(super) fn victims(&self, worker: usize) -> &[usize] {
        match self.workers.get(worker) {
            Some(worker) => &worker.victims,
            None => &self.guests[worker - self.workers.len()],
        }
    }

    /// How near two of them are to each other; a guest has no place and is near to nobody.
    pub(super) fn nearness(&self, one: usize, other: usize) -> Nearness {
        let near = self.workers.get(one).and_then(|worker| worker.near.get(other));
        near.copied().unwrap_or(Nearness::Remote)
    }

    /// Those of each worker, and in the end those of all guests.
    pub(super) fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.counters.iter().map(|counters| &**counters)
    }

    /// Those of a worker, or of all guests.
    pub(super) fn counters_of(&self, worker: usize) -> &Counters {
        &self.counters[worker.min(self.workers.len())]
    }

    /// Those who stand in for a worker when it is blocked.
    pub(super) fn stand_ins(&self, worker: usize) -> &StandIns {
        &self.workers[worker].stand_ins
    }

    /// Makes known the thread of a worker.
    pub(super) fn introduce(&self, worker: usize, thread: Thread) {
        let known = self.workers[worker].thread.set(thread);
        debug_assert!(known.is_ok(), "a worker has one thread");
    }

    /// Makes a worker look up, if it is parked.
    pub(super) fn wake(&self, worker: usize) {
        if let Some(thread) = self.workers[worker].thread.get() {
            thread.unpark();
        }
    }

    /// Queues a team of the workers of `cores` and wakes its leader.
    ///
    /// # Panics
    /// As [`Pool::start`](super::Pool::start) says.
    pub(super) fn call(&self, cores: &[CoreId], opening: Opening) {
        assert!(!cores.is_empty(), "a team needs at least one core");
        let member = |core: &CoreId| match self.by_core.get(core) {
            Some(&worker) => self.workers[worker].member,
            None => panic!("the pool has no worker on core {core}"),
        };
        let members: Vec<Member> = cores.iter().map(member).collect();
        for (i, member) in members.iter().enumerate() {
            let twice = members[..i].iter().any(|m| m.worker == member.worker);
            assert!(!twice, "core {} is named twice in one team", member.core);
        }
        let team = self.team(&members, cores, opening);
        let mut queues = self.queues.lock();
        for member in &members {
            queues[member.worker].push_back(Arc::clone(&team));
            // Partner: `is_called`. Cleared under the same lock, in `next_team`.
            self.workers[member.worker].called.store(true, Ordering::Release);
        }
        drop(queues);
        self.wake(members[0].worker);
    }

    /// A team for `opening`: the spare one of the leader where that is of the same cores and
    /// its members have all left it, since the deques and lists of a new one cost more than a
    /// short piece of work.
    fn team(&self, members: &[Member], cores: &[CoreId], opening: Opening) -> Arc<Team> {
        let spare = self.workers[members[LEADER].worker].spare.lock().take();
        let mut spare = spare.filter(|team| team.cores() == cores);
        match spare.as_mut().and_then(Arc::get_mut) {
            Some(team) => team.reopen(opening),
            None => {
                let first = self.workers.len();
                let guests = first..first + GUESTS_OF_A_TEAM;
                return Arc::new(Team::new(members, guests, Some(opening)));
            }
        }
        spare.expect("it was opened just now")
    }

    /// Keeps a team that its leader has left for another call.
    pub(super) fn keep(&self, worker: usize, team: Arc<Team>) {
        *self.workers[worker].spare.lock() = Some(team);
    }

    /// Whether a team waits for this worker.
    pub(super) fn is_called(&self, worker: usize) -> bool {
        self.workers[worker].called.load(Ordering::Acquire)
    }

    /// The next team that waits for this worker and is not over yet.
    pub(super) fn next_team(&self, worker: usize) -> Option<Arc<Team>> {
        if !self.is_called(worker) {
            return None;
        }
        let mut queues = self.queues.lock();
        let queue = &mut queues[worker];
        let next = std::iter::from_fn(|| queue.pop_front()).find(|team| !team.is_over());
        // Relaxed: it is written under the lock, and who reads it takes the lock for what follows.
        self.workers[worker].called.store(!queue.is_empty(), Ordering::Relaxed);
        next
    }

    /// From now on nothing detached is begun, and workers that find nothing to do end.
    pub(super) fn close(&self) {
        // Partner: `is_closing`.
        self.closing.store(true, Ordering::Release);
        for (at, worker) in self.workers.iter().enumerate() {
            worker.stand_ins.close();
            self.wake(at);
        }
    }

    /// Waits for those who stand in, after [`close`](Self::close).
    pub(super) fn join_stand_ins(&self) {
        self.workers.iter().for_each(|worker| worker.stand_ins.join());
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Tells the panic handler; a handler that panics itself is not listened to.
    pub(super) fn report(&self, payload: Payload) {
        if let Err(again) = catch(|| (self.on_panic)(payload)) {
            discard(again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worker 0 comes into the team that was called and goes through it.
    fn serve(shared: &Shared) -> Arc<Team> {
        let team = shared.next_team(0).unwrap();
        team.take_opening().unwrap()(&team);
        team.end_one();
        team
    }

    #[test]
    fn a_team_is_used_again_only_when_all_have_left_it() {
        let shared = Shared::new(&Topology::flat(2), Waiting::default(), Box::new(|_| ())).unwrap();
        let call = |cores: &[u32]| {
            let cores: Vec<CoreId> = cores.iter().map(|core| CoreId(*core)).collect();
            shared.call(&cores, Box::new(|_| ()));
        };
        call(&[0]);
        let team = serve(&shared);
        let first = Arc::as_ptr(&team);
        shared.keep(0, team);
        call(&[0]);
        let team = serve(&shared);
        assert_eq!(Arc::as_ptr(&team), first);

        // The second worker, told of a team that was over before it came.
        shared.keep(0, team);
        call(&[0, 1]);
        let team = serve(&shared);
        let second = Arc::as_ptr(&team);
        shared.keep(0, team);
        call(&[0, 1]);
        let team = shared.next_team(0).unwrap();
        assert_ne!(Arc::as_ptr(&team), second, "it is still in a queue");
        assert!(!team.is_over());
        assert!(shared.next_team(1).is_some_and(|other| Arc::ptr_eq(&other, &team)));
    }
}
