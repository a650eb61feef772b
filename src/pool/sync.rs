//! What the protocols of this room are built of. The models of `tests/models` put their own in
//! its place, so the modules that they include take atomics from here only.

pub(super) use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

pub(super) use super::barrier::{heavy, light};
