//! Who and what stories are about: tasks, endings, seats.

use evenkeel::model::*;
use evenkeel::sched::{Former, RunId, Seat};

/// How long a silent peer is believed to be alive.
pub const LEASE: Span = Span::from_secs(4);
/// How long the master waits for a node that it needs.
pub const PATIENCE: Span = Span::from_secs(30);
/// How long processes go on without a master.
pub const REATTACH: Span = Span::from_secs(20);
/// A task that calls the kernel `noop`.
pub fn task(name: &str) -> Task {
    Task::kernel(name, "noop", ())
}

/// Tasks that each wait for the one before.
pub fn chain(n: u32) -> Vec<Task> {
    let one = |i: u32| task(&format!("link-{i}")).after(i.checked_sub(1).map(TaskId));
    (0..n).map(one).collect()
}

/// Tasks that wait for nothing.
pub fn wide(n: u32) -> Vec<Task> {
    (0..n).map(|i| task(&format!("leaf-{i}"))).collect()
}

pub fn node(n: u32) -> PeerId {
    PeerId(n)
}

pub fn well() -> Ending {
    Ending::new(Exit::Code(0), None)
}

pub fn badly() -> Ending {
    Ending::new(Exit::Code(1), None)
}

/// Every task takes this many retries.
pub fn with_retries(mut task: Task, retries: u16) -> Task {
    task.settings = std::sync::Arc::new(Settings { retries, ..Settings::default() });
    task
}

/// The capacity of each node, subcluster by subcluster; the first node of each is with the
/// sub-master, the very first with the master too.
pub fn seats(subclusters: &[&[Resources]], fans: &[u32], epoch: Epoch) -> Vec<Seat> {
    let mut seats: Vec<Seat> = Vec::new();
    let mut heads = Vec::new();
    for (s, nodes) in subclusters.iter().enumerate() {
        heads.push(PeerId(seats.len() as u32));
        let above =
            evenkeel::sched::ancestry(s as u32, fans).into_iter().map(|s| heads[s as usize]);
        let ancestors: Vec<PeerId> = above.collect();
        for capacity in *nodes {
            let peer = PeerId(seats.len() as u32);
            seats.push(Seat {
                run: RunId(7),
                peer,
                incarnation: Incarnation(1),
                epoch,
                subcluster: SubclusterId(s as u32),
                ancestors: ancestors.clone(),
                master: PeerId(0),
                host: format!("host-{}", peer.0),
                topology: Topology::flat(capacity.get(ResourceId::CORES).ceil() as u32),
                capacity: capacity.clone(),
                lease: LEASE,
                wait_for_nodes: PATIENCE,
                reattach: REATTACH,
                time_left: None,
                apart: true,
                standby: None,
                former: Former::Ended,
            });
        }
    }
    seats
}
