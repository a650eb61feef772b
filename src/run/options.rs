//! What a run may be told.

use std::path::PathBuf;

#[cfg(feature = "link")]
use crate::comm::link::Listen;
use crate::model::{Amount, HostGroups, Span};
use crate::store::Journal;

/// How a job is run. The default is one node with all cores that this process may use, and
/// nothing kept on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Nodes among which the host is divided; at least 1. In a run on ranks each rank is a node,
    /// and this is of no account.
    pub nodes: u32,
    /// Subclusters among which the nodes are divided; at least 1, at most one per node. One for
    /// each host if not said.
    pub subclusters: Option<u32>,
    /// Of how many neighbouring subclusters the first has a sub-master for all of them, of how many
    /// such groups the first, and so on upwards. If nothing is said, the master is above all.
    pub fans: Vec<u32>,
    /// Groups of hosts, each of which is a subcluster, instead of a number of them.
    pub groups: Option<HostGroups>,
    /// The folder of the run: journal, records, verdict. Without it a run cannot be resumed.
    pub folder: Option<PathBuf>,
    /// Write down all that goes into the machines, for a replay. Needs a folder.
    pub record: bool,
    /// What each node has beside cores and memory, by name: GPUs, licences.
    pub resources: Vec<(String, Amount)>,
    /// How long a node may be silent before it is taken for dead.
    pub lease: Span,
    /// How long to wait for a node when there is none that could run what is left.
    pub wait_for_nodes: Span,
    /// How much time the run has. Near its end nothing is begun that is known to take longer, and
    /// what runs is ended in time for the run to end so that it can be resumed. Without end if not
    /// said.
    pub time_left: Option<Span>,
    /// Where others may come to the run while it goes on, if they may. Needs a folder.
    #[cfg(feature = "link")]
    pub listen: Listen,
    /// How long processes that came to the run go on with what they have in hand when that with the
    /// master has died, and wait for the run to be resumed. For as long does who resumes it wait for
    /// them. Of no account where nobody may come.
    pub reattach: Span,
    /// How long an ending waits for others to be made durable with it.
    pub commit_window: Span,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            nodes: 1,
            subclusters: None,
            fans: Vec::new(),
            groups: None,
            folder: None,
            record: false,
            resources: Vec::new(),
            lease: Span::from_secs(5),
            wait_for_nodes: Span::from_secs(600),
            time_left: None,
            #[cfg(feature = "link")]
            listen: Listen::Off,
            reattach: Span::from_secs(30),
            commit_window: Journal::WINDOW,
        }
    }
}
