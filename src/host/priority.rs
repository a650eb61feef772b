//! Which thread comes first where all cores compute.

use rustix::process::{getpriority_process, setpriority_process};

/// As long as it lives, the system prefers the thread that made it.
#[derive(Debug)]
#[must_use = "it ends where it is dropped"]
pub struct Preference {
    /// The niceness that is put back, if it was changed.
    before: Option<i32>,
}

impl Preference {
    const NICENESS: i32 = -10;

    /// Has the system prefer this thread, and those that it starts meanwhile, where it lets this
    /// process ask for that (`CAP_SYS_NICE`, or a limit on niceness); elsewhere all stays as it
    /// is. For threads that answer and sleep: where all cores compute, one answer in a hundred of
    /// a thread that is like the others comes a whole turn of theirs late, some milliseconds.
    pub fn of_this_thread() -> Preference {
        // Only on Linux is it the thread and not the process.
        let before = if cfg!(target_os = "linux") { getpriority_process(None).ok() } else { None };
        let lower = before.filter(|before| *before > Self::NICENESS);
        let changed = lower.filter(|_| setpriority_process(None, Self::NICENESS).is_ok());
        Preference { before: changed }
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // To be nicer is always allowed.
            let _ = setpriority_process(None, before);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_put_back_and_of_this_thread_alone() {
        let niceness = || getpriority_process(None).unwrap();
        let before = niceness();
        let (stay, go) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                go.recv().unwrap();
                niceness()
            });
            let preference = Preference::of_this_thread();
            // Refused to those who may not.
            assert!([before, Preference::NICENESS.min(before)].contains(&niceness()));
            stay.send(()).unwrap();
            assert_eq!(other.join().unwrap(), before);
            drop(preference);
            assert_eq!(niceness(), before);
        });
    }
}
