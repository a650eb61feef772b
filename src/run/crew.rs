//! What one process of a run acts through, wherever its node is.

use std::path::Path;
use std::sync::Arc;

use super::RunError;
use crate::comm::Transport;
use crate::exec::{Executor, ExecutorConfig, Registry};
use crate::host::Clock;
use crate::live::{Control, Driver, Inbox, Notice, Recorder};
use crate::model::wire::wire_struct;
use crate::sched::Seat;

/// What a process is told by the one with the master before it can begin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Posting {
    pub(super) seat: Seat,
    pub(super) pinned: bool,
    /// The run folder, if what goes into the machines is to be written down there.
    pub(super) recorded_in: Option<String>,
}

wire_struct! {
    Posting { seat, pinned, recorded_in }
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
