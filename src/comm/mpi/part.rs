//! How a process parts from MPI, which is there once in it.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

use super::call::{Initialised, MpiError, abort};

const NEVER: u8 = 0;
/// MPI is being initialised: it may wait for a rank that will never come.
const BEGUN: u8 = 1;
const TO_FINALISE: u8 = 2;
/// MPI is to end what is left of the world.
const TO_ABORT: u8 = 3;
/// MPI was finalised, or is the program's to finalise.
const OVER: u8 = 4;

/// How far this process has come. Relaxed everywhere: nothing else is handed on by it.
static STATE: AtomicU8 = AtomicU8::new(NEVER);

pub(super) fn begin() -> Result<(), MpiError> {
    let begun = STATE.compare_exchange(NEVER, BEGUN, Ordering::Relaxed, Ordering::Relaxed);
    let error = |_| MpiError::new("the start", "this process has been in a run over MPI already");
    begun.map(drop).map_err(error)
}

pub(super) fn initialised(by: Initialised) {
    let state = match by {
        Initialised::Here => TO_FINALISE,
        Initialised::ByProgram => OVER,
    };
    STATE.store(state, Ordering::Relaxed);
}

/// Whether MPI was initialised here, and so is to be finalised here.
pub(super) fn is_to_finalise() -> bool {
    STATE.load(Ordering::Relaxed) == TO_FINALISE
}

pub(super) fn finalised() {
    STATE.store(OVER, Ordering::Relaxed);
}

/// The launcher would wait for ever: for a rank that neither says goodbye nor dies, or, that of
/// Open MPI, for a world of several hosts that is not finalised.
pub(super) fn must_abort() {
    let (from, to) = (TO_FINALISE, TO_ABORT);
    let _ = STATE.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
}

/// Ends this process with `code` at once if MPI was to be initialised here and was not finalised: a
/// rank of its world is dead, so that `MPI_Finalize` would wait for it for ever, and what MPI does when a
/// process ends in the usual way may too. If its launcher would wait for ever, it has MPI end all
/// that is left.
pub fn leave(code: u8) {
    let state = STATE.load(Ordering::Relaxed);
    if state == NEVER || state == OVER {
        return;
    }
    let _ = std::io::stdout().flush();
    if state == TO_ABORT {
        abort(code);
    }
    // SAFETY: ends the process, without anything that is to be done at its end.
    unsafe { libc::_exit(i32::from(code)) }
}
