//! What the protocols of this room are built of. The models of `tests/models` put their own in
//! its place, so the modules that they include take atomics, locks and threads from here only.

pub(super) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
pub(super) use std::{thread, thread_local};

pub(super) use parking_lot::Mutex;

pub(super) use super::barrier::{heavy, light};
