//! To take part in a run that goes on.

use std::sync::Arc;

use super::{Guest, Joining, Watch};
use crate::comm::{Transport, channel};
use crate::exec::Registry;
use crate::live::Notice;
use crate::model::wire::Wire;
use crate::run::layout::Site;
use crate::run::live::NodeHandle;
use crate::run::{RunError, crew};

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
