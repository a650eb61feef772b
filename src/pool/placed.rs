//! Work that is to be in a certain place, or to come before other work.

use super::Pool;
use super::list::Priority;
use super::post::count;

/// Where in a pool work is to begin, and before what other: from [`Pool::on`] or
/// [`Pool::with_priority`].
///
/// ```
/// use evenkeel::pool::{Pool, Priority};
///
/// let pool = Pool::builder().threads(2).build()?;
/// pool.on(0).with_priority(Priority::High).spawn(|| println!("before others, in domain 0"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Placed<'pool> {
    pool: &'pool Pool,
    domain: Option<usize>,
    priority: Priority,
}

impl Pool {
    /// For work that is to begin in a domain, by its place in the topology of the pool: it goes
    /// onto the list of that domain, whose workers look there before those of others do.
    pub fn on(&self, domain: usize) -> Placed<'_> {
        Placed { pool: self, domain: Some(domain), priority: Priority::default() }
    }

    /// For work that is to begin before, or after, other work of the domain lists.
    pub fn with_priority(&self, priority: Priority) -> Placed<'_> {
        Placed { pool: self, domain: None, priority }
    }
}

impl Placed<'_> {
    /// The same in a domain.
    pub fn on(self, domain: usize) -> Self {
        Self { domain: Some(domain), ..self }
    }

    /// The same with another priority.
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// [`Pool::spawn`] there.
    ///
    /// # Panics
    /// If no worker of the pool is in that domain.
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let team = self.pool.shared.commons();
        let list = self.domain.map(|domain| match team.list_of(domain) {
            Some(list) => list,
            None => panic!("the pool has no worker in domain {domain}"),
        });
        team.inject(count(team, work), list, self.priority);
    }
}
