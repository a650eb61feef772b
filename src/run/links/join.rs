//! To take part in a run that goes on, or to have others leave it.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use parking_lot::Mutex;

use super::address::Meeting;
use super::guest::{explain, is_final, wait};
use super::words::Ask;
use super::{Guest, Joining, Watch};
use crate::comm::link::Dial;
use crate::comm::{Transport, channel};
use crate::exec::Registry;
use crate::live::Notice;
use crate::model::wire::Wire;
use crate::model::{PeerId, Span};
use crate::run::layout::Site;
use crate::run::live::NodeHandle;
use crate::run::{RunError, crew};
use crate::sched::Part;

/// Comes with this process, and all cores that it may use, to a run that goes on, as a subcluster of
/// its own, and serves it until it is over or the process is to leave. `begun` is given what reaches
/// this node from other threads.
///
/// # Errors
/// [`RunError::Join`] if the run cannot be found or reached in time, has another secret or version,
/// or does not let this process in; and if this host does not give what a node stands on.
pub fn join(
    joining: &Joining,
    registry: &Registry,
    watch: impl Fn(&Notice) + Send + Sync + 'static,
    begun: impl FnOnce(NodeHandle),
) -> Result<(), RunError> {
    let alone = channel::network(1).remove(0);
    join_with(alone, &[Site::here()?], joining, registry, Arc::new(watch), begun)
}

/// The same with all processes of a world, which are at `sites`.
pub(in crate::run) fn join_with<T: Transport + 'static>(
    world: T,
    sites: &[Site],
    joining: &Joining,
    registry: &Registry,
    watch: Watch,
    begun: impl FnOnce(NodeHandle),
) -> Result<(), RunError> {
    let Guest { mut transport, reached, postings, notes } =
        Guest::come(world, sites, joining, &watch)?;
    notes.into_iter().for_each(|note| watch(&Notice::Note(note)));
    let mut postings = postings.into_iter();
    let Some(mine) = postings.next() else { return Ok(()) };
    for posting in postings {
        transport.send(posting.seat.peer, posting.to_bytes());
    }
    begun(NodeHandle::new(reached.0.clone()));
    crew::serve(mine, registry, transport, reached, None, &watch).map(drop)
}

/// What the process with the master is called by who only asks it something.
const MASTER: PeerId = PeerId(1);

/// Has nodes or subclusters of a run that goes on give back what they have not begun, finish the rest,
/// and leave. Returns when the run knows of it. `patience`: how long to look for the run.
///
/// # Errors
/// [`RunError::Join`] if the run cannot be found or reached in time, has another secret or version, or
/// never had such a node.
pub fn drain(meeting: &Meeting, parts: &[Part], patience: Span) -> Result<(), RunError> {
    let quiet: Watch = Arc::new(|_| ());
    let bridge = super::bridge(channel::network(1).remove(0), (PeerId(0), 1), quiet)?;
    let (meeting, parts) = (meeting.clone(), parts.to_vec());
    let asked = Arc::new(Mutex::new(None));
    let asks = asked.clone();
    let (told, answer) = mpsc::channel();
    let (done, until) = (told.clone(), Instant::now() + patience.as_duration());
    bridge.links().dial(Dial {
        whereto: Box::new(move || {
            let (to, run) = meeting.destination()?;
            *asks.lock() = run;
            Ok(to)
        }),
        hello: Box::new(move || Ask::Drain { run: *asked.lock(), parts: parts.clone() }.to_bytes()),
        welcomed: Box::new(move |_| {
            let _ = done.send(Ok(()));
            Some(MASTER)
        }),
        trouble: Box::new(move |trouble| {
            if !is_final(&trouble) && Instant::now() < until {
                return ControlFlow::Continue(());
            }
            let _ = told.send(Err(RunError::Join(explain(&trouble))));
            ControlFlow::Break(())
        }),
    });
    wait(&answer)
}
