//! What is known of the processes that the last epoch of a run left behind.

use crate::host::Process;
use crate::model::NodeInfo;
use crate::run::{files, links};
use crate::sched::Former;
use crate::store::{self, Owner, RunFolder};

/// What is known of those of the run in `folder`, which this process has taken up, before it has
/// written anything there.
pub(super) fn look(folder: &RunFolder) -> Former {
    match folder.former() {
        store::Former { has_ended: false, .. } => Former::Silent,
        store::Former { owner: Some(owner), .. } if have_ended(folder, owner) => Former::Ended,
        _ => Former::Orphaned,
    }
}

/// Whether, as the system says, all that were part of the run were on this host, and have ended too.
fn have_ended(folder: &RunFolder, owner: &Owner) -> bool {
    // Of those who came in its last moments it may not have told.
    let was_open = links::was_open(folder.path());
    // This process may have been the one that let go of it.
    let is_gone = |pid| pid == std::process::id() || Process::of(pid).is_none();
    let is_gone = |node: &NodeInfo| node.host == owner.host && is_gone(node.pid);
    let nodes = files::nodes(folder.path());
    !was_open && owner.is_from_here() && nodes.is_some_and(|nodes| nodes.iter().all(is_gone))
}
