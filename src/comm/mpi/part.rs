//! How a process parts from MPI, which is there once in it.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

use super::call::{MpiError, abort};

const NEVER: u8 = 0;
const BEGUN: u8 = 1;
const TO_FINALISE: u8 = 2;
const FINALISED: u8 = 3;
const TO_ABORT: u8 = 4;

/// How far this process has come. Relaxed everywhere: nothing else is handed on by it.
static STATE: AtomicU8 = AtomicU8::new(NEVER);

pub(super) fn begin() -> Result<(), MpiError> {
    let begun = STATE.compare_exchange(NEVER, BEGUN, Ordering::Relaxed, Ordering::Relaxed);
    let error = |_| MpiError::new("the start", "this process has been in a run over MPI already");
    begun.map(drop).map_err(error)
}

pub(super) fn must_finalise() {
    STATE.store(TO_FINALISE, Ordering::Relaxed);
}

/// Whether MPI was initialised here, and so is to be finalised here.
pub(super) fn is_to_finalise() -> bool {
    STATE.load(Ordering::Relaxed) == TO_FINALISE
}

pub(super) fn finalised() {
    STATE.store(FINALISED, Ordering::Relaxed);
}

/// A rank neither says goodbye nor dies: the launcher would wait for it for ever.
pub(super) fn must_abort() {
    let (from, to) = (TO_FINALISE, TO_ABORT);
    let _ = STATE.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
}

/// Ends this process with `code` at once if MPI was initialised here and not finalised: a rank of
/// its world is dead, so that `MPI_Finalize` would wait for it for ever, and what MPI does when a
/// process ends in the usual way may too. If a rank hangs, rank 0 has MPI end all that is left.
pub fn leave(code: u8) {
    let state = STATE.load(Ordering::Relaxed);
    if state != TO_FINALISE && state != TO_ABORT {
        return;
    }
    let _ = std::io::stdout().flush();
    if state == TO_ABORT {
        abort(code);
    }
    // SAFETY: ends the process, without anything that is to be done at its end.
    unsafe { libc::_exit(i32::from(code)) }
}
