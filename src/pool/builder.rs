//! From a topology to running workers.

use std::any::Any;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use super::Pool;
use super::patience::Waiting;
use super::shared::{OnPanic, Shared};
use super::work::{catch, discard};
use super::worker;
use crate::host::pin_current_thread;
use crate::model::{Core, CoreId, Topology};

/// What a worker's stack may grow to: as much as a program's first thread is usually given,
/// for kernels that were written there. Memory is taken only as it is used.
pub(super) const STACK: usize = 8 << 20;

/// How a [`Pool`] is to be.
#[must_use]
pub struct Builder {
    /// What is known of the cores; if nothing, `threads` counts.
    topology: Option<Topology>,
    threads: Option<u32>,
    pin: Option<bool>,
    name: String,
    waiting: Waiting,
    on_panic: OnPanic,
    on_start: Hook,
    on_stop: Hook,
}

/// Called on the thread of a worker, with its core.
type Hook = Arc<dyn Fn(CoreId) + Send + Sync>;

impl Builder {
    /// As many unpinned threads as the process may run at once, with nothing known of caches
    /// and domains.
    pub(super) fn new() -> Builder {
        Builder {
            topology: None,
            threads: None,
            pin: None,
            name: "evenkeel".to_owned(),
            waiting: Waiting::default(),
            on_panic: Box::new(discard),
            on_start: Arc::new(|_| ()),
            on_stop: Arc::new(|_| ()),
        }
    }

    /// One worker per core of `topology`, pinned unless [`pin`](Self::pin) says otherwise.
    pub fn topology(self, topology: Topology) -> Builder {
        Builder { topology: Some(topology), threads: None, ..self }
    }

    /// `n` workers on cores numbered from 0, of which nothing is known; not pinned unless
    /// [`pin`](Self::pin) says so.
    pub fn threads(self, n: usize) -> Builder {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        Builder { topology: None, threads: Some(n), ..self }
    }

    /// Whether each worker is bound to the processing units of its core.
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
    /// If the topology has no core or one twice, if a thread cannot be started, or if a worker
    /// cannot be pinned; no thread is left behind.
    pub fn build(self) -> io::Result<Pool> {
        let Builder { topology, threads, pin, name, waiting, on_panic, on_start, on_stop } = self;
        let pin = pin.unwrap_or(topology.is_some());
        let topology = match (topology, threads) {
            (Some(topology), _) => topology,
            (None, Some(n)) => Topology::flat(n),
            (None, None) => Topology::flat(thread::available_parallelism()?.get() as u32),
        };
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        if topology.core_count() == 0 {
            return Err(invalid("a pool needs at least one core"));
        }
        let shared = Shared::new(&topology, waiting, on_panic)
            .ok_or_else(|| invalid("a core appears twice in the topology of the pool"))?;

        let mut pool = Pool { shared: Arc::new(shared), threads: Vec::new() };
        let (ready, readiness) = mpsc::channel();
        for (at, core) in topology.cores().enumerate() {
            let hooks = [Arc::clone(&on_start), Arc::clone(&on_stop)];
            let thread = start(&pool.shared, at, &name, core, pin, hooks, ready.clone());
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

/// Starts the thread of one worker; it says by `ready` whether it could be pinned.
fn start(
    shared: &Arc<Shared>,
    at: usize,
    name: &str,
    core: &Core,
    pin: bool,
    [on_start, on_stop]: [Hook; 2],
    ready: mpsc::Sender<io::Result<()>>,
) -> io::Result<JoinHandle<()>> {
    let (shared, core) = (Arc::clone(shared), core.clone());
    let thread = thread::Builder::new().name(format!("{name}-{}", core.id)).stack_size(STACK);
    thread.spawn(move || {
        let pinned = if pin { pin_current_thread(&core.units) } else { Ok(()) };
        let pinned = pinned.map_err(|e| explain(&e, "pin a worker to", &core));
        let started = pinned.and_then(|()| {
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

fn explain(error: &io::Error, deed: &str, core: &Core) -> io::Error {
    let message = format!("could not {deed} core {} (units {:?}): {error}", core.id, core.units);
    io::Error::new(error.kind(), message)
}
