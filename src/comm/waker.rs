//! How other threads end a wait.

use std::fmt;
use std::sync::Arc;

/// Ends the wait of a [`Transport`](super::Transport) from any thread. Copies are the same.
#[derive(Clone)]
pub struct Waker {
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// A waker that calls `wake`, which must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker { wake: Arc::new(wake) }
    }

    /// Has the wait that is going on, or the next one, receive
    /// [`Incoming::Woken`](super::Incoming::Woken). Several calls before that is received count
    /// as one; after the transport is gone nothing happens.
    pub fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}
