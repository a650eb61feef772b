//! Processes that come to a run which goes on, over links: the door of the process with the master,
//! and those who knock.
//!
//! ```text
//!  evenkeel join RUN_DIR            the process with the master
//!    │ reads RUN_DIR/address          │ listens, has written it
//!    │── Ask::Join, its nodes ───────►│ gives them numbers, and a subcluster of their own
//!    │◄────────── Berth ──────────────│
//!    │ seats its other ranks          │
//!    │══ the protocol: Hello, ... ═══►│
//! ```
//!
//! Only the first rank of a world that joins has a link to the master; it is their sub-master. The
//! others look for one of their own (`Ask::Back`) when it is gone, and so do all, over and over,
//! when the master is: the next one writes the file anew, and who comes to it brings what it runs.

mod address;
mod door;
mod guest;
mod join;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "mpi")]
use super::crew::Posting;
use super::layout::Numbers;
use super::{Options, RunError};
use crate::comm::link::{Bridge, Listen, Setup};
use crate::comm::{Renumbered, Transport};
use crate::host::Clock;
use crate::live::Notice;
use crate::model::{Amount, Epoch, PeerId, Span, Time};
use crate::sched::Frame;
use crate::store::{RunFolder, StoreError};

use address::Address;
pub use address::Meeting;
pub(super) use door::Gate;
pub(super) use guest::Guest;
#[cfg(feature = "mpi")]
pub(super) use guest::Lifeline;
#[cfg(feature = "mpi")]
pub(super) use join::join_with;
pub use join::{drain, join};

/// A link over which nothing comes for so long is broken.
const SILENCE: Duration = Duration::from_secs(10);

/// Whoever watches a process.
pub(super) type Watch = Arc<dyn Fn(&Notice) + Send + Sync>;

/// How a process comes to a run.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Where the run is to be found.
    pub meeting: Meeting,
    /// What each node has beside cores and memory, by name: GPUs, licences.
    pub resources: Vec<(String, Amount)>,
    /// How long to look for it.
    pub patience: Span,
    /// How much time this process has, if that is known: before its end it leaves. The run may have
    /// more.
    pub time_left: Option<Span>,
    /// If it is to stand by: how much longer the run may take, as far as can be told, before it is
    /// brought in. So it is too if no other node is left that can run what waits.
    pub standby: Option<Span>,
}

/// Whether others may come to a run.
pub(super) fn is_open(options: &Options) -> bool {
    options.listen != Listen::Off
}

/// Where the run in `folder` let others come, if it did.
#[must_use]
pub fn listened(folder: &Path) -> Option<Listen> {
    Address::of(folder).ok()??.listen.parse().ok()
}

/// Whether others could come to the run in `folder`, or that cannot be seen.
pub(super) fn was_open(folder: &Path) -> bool {
    !matches!(Address::of(folder), Ok(None))
}

/// What is left of the last epoch of a run, for those who come back from it.
#[derive(Default)]
pub(super) struct Before {
    /// From where on the nodes of this epoch are numbered.
    pub(super) numbers: Numbers,
    former: Option<Address>,
}

impl Before {
    /// Looks into the folder of a run that begins epoch `epoch`.
    pub(super) fn look(folder: &Path, epoch: Epoch, options: &Options) -> Result<Before, RunError> {
        let read = Address::of(folder);
        let former =
            read.map_err(|error| RunError::Io { what: "read where the run was to be met", error })?;
        let numbers = if is_open(options) { Gate::numbers(epoch.0) } else { Numbers::default() };
        Ok(Before { numbers, former })
    }

    /// A clock that goes on where that of the last epoch stands, or else stood at its end. Who went on
    /// meanwhile tells of times in between.
    pub(super) fn clock(&self, end: Time) -> Clock {
        match &self.former {
            Some(former) => former.clock(end),
            None => Clock::start_at(end),
        }
    }
}

/// The processes of a world, of which the first is `first`; with a door beside them if others may
/// come.
pub(super) fn gate<T: Transport + 'static>(
    world: T,
    (first, n): (PeerId, u32),
    options: &Options,
    watch: Watch,
) -> Result<(Box<dyn Transport>, Option<Gate>), RunError> {
    if !is_open(options) {
        return Ok((Box::new(Renumbered::new(world, first)), None));
    }
    let (transport, gate) = Gate::beside(world, (first, n), &options.listen, watch)?;
    Ok((transport, Some(gate)))
}

/// Whether a process with this posting can find a master by itself.
#[cfg(feature = "mpi")]
pub(super) fn has_lifeline(posting: &Posting) -> bool {
    posting.meeting.is_some()
}

/// The processes of a world, of which the first is `first`; with what finds a master, if `posting`
/// tells where that can be found.
#[cfg(feature = "mpi")]
pub(super) fn lifeline<T: Transport + 'static>(
    world: T,
    (first, n): (PeerId, u32),
    posting: &Posting,
    watch: &Watch,
) -> Result<(Box<dyn Transport>, Option<Lifeline>), RunError> {
    let Some(meeting) = &posting.meeting else {
        return Ok((Box::new(Renumbered::new(world, first)), None));
    };
    let (transport, lifeline) = Lifeline::beside(world, (first, n), meeting, watch)?;
    Ok((transport, Some(lifeline)))
}

/// Nobody is to come to the run in `folder` any more.
pub(super) fn close(folder: &RunFolder) -> Result<(), StoreError> {
    Address::retract(folder)
}

/// A world of `n` peers, numbered from `first` on, with links beside it.
fn bridge<T: Transport>(
    world: T,
    (first, n): (PeerId, u32),
    watch: Watch,
) -> Result<Bridge<T>, RunError> {
    let note = Box::new(move |text| watch(&Notice::Note(text)));
    let setup = Setup { version: u32::from(Frame::VERSION), silence: SILENCE, note };
    let failed = |error| RunError::Io { what: "start the thread of links", error };
    Bridge::new(world, first.0..first.0 + n, setup).map_err(failed)
}
