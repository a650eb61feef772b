//! A domain list: work that belongs to no worker yet.

use crossbeam::deque::{Injector, Steal};

use super::work::Work;

/// What is taken first from a domain list.
///
/// It orders what lies there. What a worker has on its own deque it runs before it looks there, and
/// nothing that runs is interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After everything else.
    Low,
    /// What is given where nothing is said.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// First in, first out, within a priority.
#[derive(Default)]
pub(super) struct DomainList {
    /// By priority, the lowest first.
    levels: [Injector<Work>; 3],
}

impl DomainList {
    pub(super) fn push(&self, work: Work, priority: Priority) {
        self.levels[priority as usize].push(work);
    }

    /// The oldest of the highest priority.
    pub(super) fn take(&self) -> Option<Work> {
        self.levels.iter().rev().find_map(|level| {
            loop {
                match level.steal() {
                    Steal::Success(work) => return Some(work),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.iter().all(Injector::is_empty)
    }
}
