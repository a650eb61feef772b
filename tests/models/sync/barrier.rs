//! The fence whose cost falls on one side.

use std::panic::Location;

use loom::sync::atomic as model;
use loom::sync::atomic::Ordering;

use super::atomic::Turn;
use crate::weaken::left_out;

loom::lazy_static! {
    static ref BARRIER: Barrier = Barrier::default();
}

/// The asymmetric fence, as `membarrier` has it: at some moment of [`heavy`] each of the other
/// threads passes a full fence, wherever it is. So either what came before [`light`] is seen after
/// `heavy`, or what came before `heavy` is seen after `light`; between two that pass `light`
/// nothing is seen.
struct Barrier {
    turn: Turn,
    lights: model::AtomicUsize,
    heavies: model::AtomicUsize,
}

impl Default for Barrier {
    fn default() -> Barrier {
        let count = || model::AtomicUsize::new(0);
        Barrier { turn: Turn::new(), lights: count(), heavies: count() }
    }
}

#[track_caller]
pub(crate) fn light() {
    if !left_out(Location::caller(), "light fence") {
        BARRIER.turn.take_alone(|| {
            BARRIER.lights.fetch_add(1, Ordering::Release);
            BARRIER.heavies.fetch_add(0, Ordering::Acquire);
        });
    }
}

#[track_caller]
pub(crate) fn heavy() -> bool {
    if !left_out(Location::caller(), "heavy fence") {
        BARRIER.turn.take_alone(|| {
            BARRIER.heavies.fetch_add(1, Ordering::AcqRel);
            BARRIER.lights.fetch_add(0, Ordering::Acquire);
        });
    }
    true
}

/// Has the barrier be there from the beginning.
pub(crate) fn set_up() {
    BARRIER.turn.take();
}
