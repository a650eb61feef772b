//! Drives the processes of a run under a virtual clock: the same state machines as under real
//! time, with every delay, loss and death drawn from one seed.
//!
//! Two uses. [`Simulation`] with [`FaultPlan::none`] foretells how a job goes on a platform.
//! [`Scenario`] draws a platform, a job and faults from a seed, and [`swarm`] runs many of them;
//! rules that must hold of every run are checked at every step, and what breaks one comes back
//! as a [`Violation`] that its seed reproduces.
//!
//! One of the rules is that a run comes to an end: after the last fault is over, within 40 leases
//! and the time that the master waits for nodes, 20 seconds, and twice as long as one core of the
//! slowest node would take for all tasks.
//!
//! The same configuration gives the same log, bit for bit, on every machine.
#![forbid(unsafe_code)]

mod act;
mod agenda;
mod clock;
mod fault;
mod host;
mod journal;
mod links;
mod log;
mod network;
mod outcome;
mod referee;
mod rng;
mod scenario;
mod seats;
mod strike;
mod succession;
mod swarm;
mod work;
mod world;

use std::fmt;
use std::sync::Arc;

pub use fault::{Fault, FaultPlan};
pub use outcome::{SimOutcome, Stats, Violation};
pub use rng::Rng;
pub use scenario::{Kind, Scenario};
pub use swarm::swarm;

use crate::model::{Body, Ending, Exit, Job, Launch, Platform, PlatformNode, Span, Task};

/// How long an attempt takes and how it ends, from what is launched, the task it is of and the
/// node it runs on. It must depend on nothing else.
pub type Behaviour = Arc<dyn Fn(&Launch, &Task, &PlatformNode) -> (Span, Ending) + Send + Sync>;

/// What is simulated.
#[derive(Clone)]
pub struct SimConfig {
    /// The machine. The first node of each subcluster has its sub-master, the very first node
    /// the master. Its resources are [in the terms](Platform::in_terms_of) of the job.
    pub platform: Platform,
    /// Of how many neighbouring subclusters the first has a sub-master for all of them, of how many
    /// such groups the first, and so on upwards. If nothing is said, the master is above all.
    pub fans: Vec<u32>,
    /// What is run on it.
    pub job: Job,
    /// The rank of each task by the list heuristic; higher starts first.
    pub ranks: Vec<u64>,
    /// Every choice is drawn from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// How attempts go.
    pub behaviour: Behaviour,
    /// How far durations deviate at most, as a share of each: 0.1 for ± 10 %.
    pub deviation: f64,
    /// How long a peer may be silent before it is taken for dead.
    pub lease: Span,
    /// How long the master waits for a node that can run what is left.
    pub wait_for_nodes: Span,
    /// How long processes go on without a master.
    pub reattach: Span,
    /// How much time the run has, each time that it begins.
    pub time_left: Option<Span>,
    /// The longest time between an entry of the journal and its being durable.
    pub commit: Span,
    /// Clocks are set differently, processes begin at different times, timers are late.
    pub disorder: bool,
}

impl SimConfig {
    /// `job` on `platform`, with nothing going wrong and every attempt taking its cost.
    #[must_use]
    pub fn new(platform: Platform, job: Job, ranks: Vec<u64>) -> SimConfig {
        SimConfig {
            platform,
            fans: Vec::new(),
            job,
            ranks,
            seed: 0,
            faults: FaultPlan::none(),
            behaviour: Arc::new(as_foretold),
            deviation: 0.0,
            lease: Span::from_secs(10),
            wait_for_nodes: Span::from_secs(60),
            reattach: Span::ZERO,
            time_left: None,
            commit: Span::from_millis(100),
            disorder: false,
        }
    }
}

impl fmt::Debug for SimConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimConfig")
            .field("platform", &self.platform.name)
            .field("tasks", &self.job.tasks.len())
            .field("seed", &self.seed)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// An attempt takes its cost on the node, or its time limit if that is shorter; the kernel `fail`
/// fails.
#[must_use]
pub fn as_foretold(launch: &Launch, task: &Task, node: &PlatformNode) -> (Span, Ending) {
    let span = task.cost.on(node.class, node.speed);
    match (&*launch.work.body, launch.time_left) {
        (_, Some(limit)) if limit < span => (limit, Ending::new(Exit::TimeLimit, None)),
        (Body::Kernel { name, .. }, _) if name == "fail" => {
            (span, Ending::new(Exit::Code(1), Some("it is made to fail".to_owned())))
        }
        _ => (span, Ending::new(Exit::Code(0), None)),
    }
}

/// A run that is simulated.
#[derive(Debug)]
pub struct Simulation {
    world: world::World,
}

impl Simulation {
    /// Nothing has happened yet.
    ///
    /// # Panics
    /// If the platform has no node, or there is not one rank for each task.
    #[must_use]
    pub fn new(config: SimConfig) -> Simulation {
        assert!(config.platform.nodes().next().is_some(), "a platform has at least one node");
        assert_eq!(config.ranks.len(), config.job.tasks.len(), "one rank for each task");
        Simulation { world: world::World::new(config) }
    }

    /// Lets it happen, to the end of the run.
    ///
    /// # Errors
    /// If a rule is broken that must hold of every run: a fault of this library.
    pub fn run(mut self) -> Result<SimOutcome, Box<Violation>> {
        match self.world.run() {
            Ok(()) => Ok(self.world.outcome()),
            Err(rule) => Err(Box::new(self.world.violation(rule))),
        }
    }
}
