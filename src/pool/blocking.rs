//! Work that waits for something other than work, and who stands in meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};

use crossbeam::channel::{self, Receiver, Sender};
use parking_lot::Mutex;

use super::builder::STACK;
use super::context::Context;
use super::guest;
use super::shared::Shared;
use super::team::Team;
use super::wait::Goal;

/// Runs `work`, which blocks its thread for a while: it waits for a file, a message, a lock that
/// is held for long. Another thread stands in for the worker until it is back.
///
/// The thread that stands in may run where the worker may, and is kept for the next time. When
/// `work` ends it finishes what it has begun, so for a moment both may run. A few can stand in in a
/// pool at the same time, and one in a team; more wait for their turn. Outside a pool, on a thread
/// that only takes part in one, and where a thread cannot be had, it is simply `work()`.
///
/// ```
/// use std::sync::mpsc;
///
/// use evenkeel::pool::{self, Pool};
///
/// // One worker alone would wait for ever.
/// let pool = Pool::builder().threads(1).build()?;
/// let (send, receive) = mpsc::channel();
/// let answer = pool.install(move || {
///     pool::spawn(move || send.send(42).unwrap());
///     pool::blocking(|| receive.recv().unwrap())
/// });
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If `work` does, with its payload.
pub fn blocking<R>(work: impl FnOnce() -> R) -> R {
    let _stand_in = Context::with(|cx| cx.and_then(|cx| cx.post().bring_stand_in()));
    work()
}

/// The threads that stand in for one worker.
pub(super) struct StandIns {
    /// Where they get what to do; closed in the end.
    duties: Mutex<Option<Sender<Arc<Call>>>>,
    taken_by: Receiver<Arc<Call>>,
    /// How many of them wait for that.
    idle: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// One time that somebody stands in.
struct Call {
    team: Arc<Team>,
    over: AtomicBool,
    /// Who does, once he is there.
    thread: Mutex<Option<Thread>>,
}

/// Sends the one who stands in away again when it goes.
pub(super) struct StandIn(Arc<Call>);

impl Drop for StandIn {
    fn drop(&mut self) {
        // Release: partner is the load in `Call::is_reached`.
        self.0.over.store(true, Ordering::Release);
        if let Some(thread) = &*self.0.thread.lock() {
            thread.unpark();
        }
        self.0.team.stir_waiting_guests();
    }
}

impl StandIns {
    pub(super) fn new() -> StandIns {
        let (send, taken_by) = channel::unbounded();
        StandIns {
            duties: Mutex::new(Some(send)),
            taken_by,
            idle: AtomicUsize::new(0),
            threads: Mutex::default(),
        }
    }

    /// Has another thread take part in `team` until what comes back goes. Called by the worker
    /// itself, so that a new thread inherits what it is bound to. `None` if no thread can be had.
    pub(super) fn bring(
        &self,
        shared: &Arc<Shared>,
        worker: usize,
        team: &Arc<Team>,
    ) -> Option<StandIn> {
        let one_less = |idle: usize| idle.checked_sub(1);
        // Relaxed: what is handed over goes through the channel.
        if self.idle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            let shared = Arc::clone(shared);
            let name = format!("{}-stands-in", thread::current().name().unwrap_or_default());
            let live = move || shared.stand_ins(worker).live(&shared, worker);
            let thread = thread::Builder::new().name(name).stack_size(STACK).spawn(live);
            self.threads.lock().push(thread.ok()?);
        }
        let (team, over) = (Arc::clone(team), AtomicBool::new(false));
        let call = Arc::new(Call { team, over, thread: Mutex::default() });
        self.duties.lock().as_ref()?.send(Arc::clone(&call)).ok()?;
        Some(StandIn(call))
    }

    fn live(&self, shared: &Arc<Shared>, worker: usize) {
        for call in &self.taken_by {
            serve(shared, worker, &call);
            // Relaxed: as in `bring`.
            self.idle.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets them end when they have nothing to do; from now on nobody stands in.
    pub(super) fn close(&self) {
        *self.duties.lock() = None;
    }

    /// Waits until they have ended, after [`close`](Self::close).
    pub(super) fn join(&self) {
        // Not under the lock: what one of them still runs may have another stand in.
        let next = || self.threads.lock().pop();
        while let Some(thread) = next() {
            let ended = thread.join();
            debug_assert!(ended.is_ok() || thread::panicking(), "what they run is caught");
        }
    }
}

impl Goal for Call {
    fn is_reached(&self) -> bool {
        // Acquire: what the worker did before it was back. Partner: `StandIn::drop`.
        self.over.load(Ordering::Acquire)
    }

    /// What lies on the own deque may be what the worker waits for, and on a list it does not look
    /// while it is isolated.
    fn comes_first(&self) -> bool {
        false
    }
}

fn serve(shared: &Arc<Shared>, worker: usize, call: &Call) {
    *call.thread.lock() = Some(thread::current());
    // Those who stood in before may still be on their way out.
    if let Some(seat) = call.team.take_guest_seat(|| call.is_reached()) {
        guest::take_part(shared, &call.team, seat, Some(worker), |cx| cx.help_until(0, call));
    }
}
