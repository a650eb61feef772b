//! Nobody comes to a run of a program without the feature `link`.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::layout::Numbers;
use super::roster::Reception;
use super::{Options, RunError};
use crate::comm::{Renumbered, Transport};
use crate::host::Clock;
use crate::live::Notice;
use crate::model::{Epoch, PeerId, Time};
use crate::store::{RunFolder, StoreError};

/// Whoever watches a process.
pub(super) type Watch = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Nothing is left of an earlier epoch.
#[derive(Default)]
pub(super) struct Before {
    pub(super) numbers: Numbers,
}

impl Before {
    /// Finds nothing.
    pub(super) fn look(_: &Path, _: Epoch, _: &Options) -> Result<Before, RunError> {
        Ok(Before::default())
    }

    /// A clock that goes on where that of the last epoch stood at its end.
    #[expect(clippy::unused_self, reason = "with links it tells")]
    pub(super) fn clock(&self, end: Time) -> Clock {
        Clock::start_at(end)
    }
}

/// A door that is never there.
pub(super) enum Gate {}

/// They are not open.
pub(super) fn is_open(_: &Options) -> bool {
    false
}

/// Whether others could come to the run in `folder`, as a program with links leaves it.
pub(super) fn was_open(folder: &Path) -> bool {
    folder.join("address").exists()
}

impl Gate {
    /// It is not there.
    pub(super) fn open(
        self,
        _: &Arc<RunFolder>,
        _: Clock,
        _: Before,
        _: Reception,
    ) -> Result<JoinHandle<()>, RunError> {
        match self {}
    }
}

/// The processes of a world, of which the first is `first`.
pub(super) fn gate<T: Transport + 'static>(
    world: T,
    (first, _): (PeerId, u32),
    _: &Options,
    _: Watch,
) -> Result<(Box<dyn Transport>, Option<Gate>), RunError> {
    Ok((Box::new(Renumbered::new(world, first)), None))
}

/// Nobody could come.
pub(super) fn close(_: &RunFolder) -> Result<(), StoreError> {
    Ok(())
}
