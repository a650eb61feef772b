//! A program without the feature `mpi` is of no world.

use std::path::Path;

use super::layout::Site;
use super::live::{NodeHandle, Run};
use super::{Options, RunError};
use crate::comm::channel::ChannelTransport;
use crate::exec::Registry;
use crate::host;
use crate::live::Notice;
use crate::model::{ExitCode, Job, NodeInfo, ResourceNames};
use crate::store::RunFolder;

/// The processes that a launcher started together: none, in a program without the feature `mpi`.
pub enum World {}

impl World {
    /// Nothing.
    ///
    /// # Errors
    /// [`RunError::WrongLauncher`] if a launcher started this process as one of several.
    pub fn of_launcher() -> Result<Option<World>, RunError> {
        match host::launcher(|name| std::env::var(name).ok()) {
            Some(launcher) if launcher.size != Some(1) => {
                Err(RunError::WrongLauncher { launcher, linked: None })
            }
            _ => Ok(None),
        }
    }

    /// Nothing.
    #[must_use]
    pub fn library() -> Option<String> {
        None
    }

    /// Whether this is the process that starts the run.
    #[must_use]
    pub fn is_first(&self) -> bool {
        match *self {}
    }

    /// The nodes that a run on these ranks has.
    ///
    /// # Errors
    /// None.
    pub fn nodes(&self, _: &Options, _: &ResourceNames) -> Result<Vec<NodeInfo>, RunError> {
        match *self {}
    }

    /// Starts a job on all ranks.
    ///
    /// # Errors
    /// None.
    pub fn start(
        self,
        _: Job,
        _: &Registry,
        _: &Options,
        _: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        match self {}
    }

    /// Goes on with a run on all ranks.
    ///
    /// # Errors
    /// None.
    pub fn resume(
        self,
        _: &Path,
        _: &Registry,
        _: &Options,
        _: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        match self {}
    }

    /// Goes on with a run on all ranks.
    ///
    /// # Errors
    /// None.
    pub fn resume_in(
        self,
        _: RunFolder,
        _: &Registry,
        _: &Options,
        _: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        match self {}
    }

    /// Runs tasks for the first rank.
    ///
    /// # Errors
    /// None.
    pub fn serve(
        self,
        _: &Registry,
        _: impl Fn(&Notice) + Send + Sync + 'static,
        _: impl FnOnce(NodeHandle),
    ) -> Result<(), RunError> {
        match self {}
    }

    /// Comes with all ranks to a run.
    ///
    /// # Errors
    /// None.
    #[cfg(feature = "link")]
    pub fn join(
        self,
        _: &super::Joining,
        _: &Registry,
        _: impl Fn(&Notice) + Send + Sync + 'static,
        _: impl FnOnce(NodeHandle),
    ) -> Result<(), RunError> {
        match self {}
    }

    /// Does nothing.
    pub fn leave(_: ExitCode) {}

    pub(super) fn sites(&self) -> &[Site] {
        match *self {}
    }

    pub(super) fn into_transport(self) -> ChannelTransport {
        match self {}
    }
}
