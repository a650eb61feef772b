//! Calls of MPI that may never return.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What `work` gives, if it does so in time; else it goes on, for nobody.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Nobody may wait for it any more.
    let work = move || drop(sender.send(work()));
    thread::Builder::new().name("evenkeel-mpi".to_owned()).spawn(work).ok()?;
    receiver.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_in_time_is_not_waited_for() {
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
        let (_never, wait) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || wait.recv()), None);
    }
}
