//! What one process of a run acts through, wherever its node is.

use std::path::Path;
use std::sync::Arc;

use super::RunError;
#[cfg(any(feature = "link", feature = "mpi"))]
use super::links::Watch;
use crate::comm::Transport;
use crate::exec::{Executor, ExecutorConfig, Registry};
use crate::host::Clock;
use crate::live::{Control, Driver, Inbox, Notice, Recorder};
#[cfg(any(feature = "link", feature = "mpi"))]
use crate::live::{Ended, Input, Reach};
use crate::model::PeerId;
use crate::model::wire::wire_struct;
#[cfg(all(feature = "link", feature = "mpi"))]
use crate::model::{NodeInfo, Standby};
#[cfg(any(feature = "link", feature = "mpi"))]
use crate::sched::Event;
use crate::sched::Seat;

/// What a process is told by the one with the master before it can begin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Posting {
    pub(super) seat: Seat,
    pub(super) pinned: bool,
    /// The run folder, if what goes into the machines is to be written down there.
    pub(super) recorded_in: Option<String>,
    /// The number of the first of its world.
    pub(super) first: PeerId,
    /// Where the master is to be found by who has no way to it, if that can be.
    pub(super) meeting: Option<(String, String)>,
}

#[cfg(all(feature = "link", feature = "mpi"))]
impl Posting {
    /// The node in this process.
    pub(super) fn node(&self) -> NodeInfo {
        let seat = &self.seat;
        NodeInfo {
            node: seat.peer,
            subcluster: seat.subcluster,
            host: seat.host.clone(),
            pid: std::process::id(),
            cores: seat.topology.cores().map(|core| core.id).collect(),
            pinned: self.pinned,
            capacity: seat.capacity.clone(),
            standby: Standby::No,
        }
    }
}

wire_struct! {
    Posting { seat, pinned, recorded_in, first, meeting }
}

/// Serves the run as `posting` says, until this process is not needed any more.
#[cfg(any(feature = "link", feature = "mpi"))]
pub(super) fn serve(
    posting: Posting,
    registry: &Registry,
    transport: Box<dyn Transport>,
    (control, inbox): (Control, Inbox),
    reach: Option<Reach>,
    watch: &Watch,
) -> Result<Ended, RunError> {
    control.post(Input::Event(Event::Start));
    let crew = Crew {
        seat: posting.seat,
        pinned: posting.pinned,
        registry,
        clock: Clock::start(),
        recorded_in: posting.recorded_in.as_deref().map(Path::new),
    };
    let watch = Arc::clone(watch);
    let notify = Arc::new(move |notice: Notice| watch(&notice));
    let driver = crew.driver(transport, (control, inbox), notify)?;
    Ok(driver.with_reach(reach).drive().0)
}

/// A process at its seat, before it begins.
pub(super) struct Crew<'a> {
    pub(super) seat: Seat,
    pub(super) pinned: bool,
    pub(super) registry: &'a Registry,
    pub(super) clock: Clock,
    pub(super) recorded_in: Option<&'a Path>,
}

impl Crew<'_> {
    /// Starts what runs its tasks, and gives the loop that drives it.
    pub(super) fn driver<T: Transport>(
        self,
        transport: T,
        (control, inbox): (Control, Inbox),
        notify: Arc<dyn Fn(Notice) + Send + Sync>,
    ) -> Result<Driver<T>, RunError> {
        let config = ExecutorConfig {
            topology: self.seat.topology.clone(),
            pinned: self.pinned,
            registry: self.registry.clone(),
            clock: self.clock,
            scratch: Some(std::env::temp_dir()),
        };
        let executor = Executor::start(config, move |report| control.report(report))?;
        let recorder = self.recorded_in.map(|folder| Recorder::create(folder, &self.seat));
        let recorder = recorder.transpose();
        let recorder = recorder.map_err(|error| RunError::Io { what: "record the run", error })?;
        let driver = Driver::new(&self.seat, transport, inbox, self.clock, executor, notify);
        Ok(driver.with_recorder(recorder))
    }
}
