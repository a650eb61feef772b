//! From a topology to running workers.

use std::any::Any;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use super::Pool;
use super::binding::{Binding, explain, found};
use super::patience::Waiting;
use super::shared::{OnPanic, Shared};
use super::work::{catch, discard};
use super::worker;
use crate::model::{Core, CoreId, Topology};

/// What a worker's stack may grow to: as much as a program's first thread is usually given,
/// for kernels that were written there. Memory is taken only as it is used.
pub(super) const STACK: usize = 8 << 20;

/// How a [`Pool`] is to be.
#[must_use]
pub struct Builder {
    cores: Cores,
    pin: Option<bool>,
    name: String,
    waiting: Waiting,
    on_panic: OnPanic,
    on_start: Hook,
    on_stop: Hook,
}

/// Which cores the workers are for.
enum Cores {
    /// Those that the thread which builds the pool may use.
    Found,
    /// So many, of which nothing is known.
    Flat(u32),
    Told(Topology),
}

/// Called on the thread of a worker, with its core.
type Hook = Arc<dyn Fn(CoreId) + Send + Sync>;

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            cores: Cores::Found,
            pin: None,
            name: "evenkeel".to_owned(),
            waiting: Waiting::default(),
            on_panic: Box::new(discard),
            on_start: Arc::new(|_| ()),
            on_stop: Arc::new(|_| ()),
        }
    }

    /// One worker per core of `topology`, each of which may run on any core that its domain has
    /// there, unless [`pin`](Self::pin) says otherwise.
    pub fn topology(self, topology: Topology) -> Builder {
        Builder { cores: Cores::Told(topology), ..self }
    }

    /// `n` workers on cores numbered from 0, of which nothing is known; not bound unless
    /// [`pin`](Self::pin) says so.
    pub fn threads(self, n: usize) -> Builder {
        Builder { cores: Cores::Flat(u32::try_from(n).unwrap_or(u32::MAX)), ..self }
    }

    /// Whether each worker is bound to the processing units of its own core, or not at all.
    ///
    /// Bound to cores, work is nowhere moved off its cache: for a process that has its cores for
    /// itself, and one pool on them. If nothing is said, workers are bound to their NUMA domains
    /// and, where that is all that they may use, not at all: two pools, or two processes, that
    /// know nothing of each other then do not meet on the same core while another is idle.
    pub fn pin(self, pin: bool) -> Builder {
        Builder { pin: Some(pin), ..self }
    }

    /// What the names of the threads begin with: `evenkeel` gives `evenkeel-c3`.
    pub fn name(self, prefix: impl Into<String>) -> Builder {
        Builder { name: prefix.into(), ..self }
    }

    /// What idle workers do.
    pub fn waiting(self, waiting: Waiting) -> Builder {
        Builder { waiting, ..self }
    }

    /// What is called with the payload when work panics that nobody waits for: what
    /// [`Pool::spawn`] and [`Pool::start`] were given. If not said, nothing more happens than
    /// the panic hook's message.
    pub fn on_panic(
        self,
        handler: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    ) -> Builder {
        Builder { on_panic: Box::new(handler), ..self }
    }

    /// What each worker's thread calls, with its core, before its first work: to set up what
    /// belongs to a thread. A panic of it keeps that worker from running, and
    /// [`build`](Self::build) from succeeding.
    pub fn on_start(self, hook: impl Fn(CoreId) + Send + Sync + 'static) -> Builder {
        Builder { on_start: Arc::new(hook), ..self }
    }

    /// What each worker's thread calls, with its core, after its last work. A panic of it goes to
    /// [`on_panic`](Self::on_panic).
    pub fn on_stop(self, hook: impl Fn(CoreId) + Send + Sync + 'static) -> Builder {
        Builder { on_stop: Arc::new(hook), ..self }
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// If the topology has no core or one twice, or cannot be found out, if a thread cannot be
    /// started, or if a worker cannot be bound; no thread is left behind.
    pub fn build(self) -> io::Result<Pool> {
        let Builder { cores, pin, name, waiting, on_panic, on_start, on_stop } = self;
        let (topology, binding) = match cores {
            Cores::Told(topology) => (topology, Binding::Domain),
            Cores::Flat(n) => (Topology::flat(n), Binding::Free),
            Cores::Found => found()?,
        };
        let binding = match pin {
            Some(true) => Binding::Core,
            Some(false) => Binding::Free,
            None => binding,
        };
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        if topology.core_count() == 0 {
            return Err(invalid("a pool needs at least one core"));
        }
        let shared = Shared::new(&topology, waiting, on_panic)
            .ok_or_else(|| invalid("a core appears twice in the topology of the pool"))?;

        let mut pool = Pool { shared: Arc::new(shared), threads: Vec::new() };
        let (ready, readiness) = mpsc::channel();
        let cores = topology.domains.iter().flat_map(|d| d.cores.iter().map(move |core| (d, core)));
        for (at, (domain, core)) in cores.enumerate() {
            let (domain, own) = (domain.clone(), core.clone());
            let bind = move || binding.bind(&own, &domain);
            let hooks = [Arc::clone(&on_start), Arc::clone(&on_stop)];
            let thread = start(&pool.shared, at, &name, core, bind, hooks, ready.clone());
            // On an error the pool is dropped, and ends those that have been started.
            let thread = thread.map_err(|e| explain(&e, "start a worker for", core))?;
            pool.shared.introduce(at, thread.thread().clone());
            pool.threads.push(thread);
        }
        drop(ready);
        readiness.iter().collect::<io::Result<()>>()?;
        Ok(pool)
    }
}

/// Starts the thread of one worker; it says by `ready` whether it could be bound.
fn start(
    shared: &Arc<Shared>,
    at: usize,
    name: &str,
    core: &Core,
    bind: impl FnOnce() -> io::Result<()> + Send + 'static,
    [on_start, on_stop]: [Hook; 2],
    ready: mpsc::Sender<io::Result<()>>,
) -> io::Result<JoinHandle<()>> {
    let (shared, core) = (Arc::clone(shared), core.clone());
    let thread = thread::Builder::new().name(format!("{name}-{}", core.id)).stack_size(STACK);
    thread.spawn(move || {
        let started = bind().and_then(|()| {
            let message = || format!("what was to be called on core {} first panicked", core.id);
            catch(|| on_start(core.id)).map_err(|payload| {
                discard(payload);
                io::Error::other(message())
            })
        });
        // Nobody listens any more if another worker has failed; then the pool is closing.
        let _ = ready.send(started);
        drop(ready);
        worker::live(&shared, at);
        if let Err(payload) = catch(|| on_stop(core.id)) {
            shared.report(payload);
        }
    })
}
