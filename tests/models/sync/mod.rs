//! What the models build the pool's protocols of: the same names as in `src/pool/sync.rs`, but
//! loom decides who runs when, and which of the values that it may see a load sees.

mod atomic;
mod barrier;
mod local;
mod lock;
pub(crate) mod thread;

pub(crate) use std::sync::atomic::Ordering;

pub(crate) use atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
pub(crate) use barrier::{heavy, light, set_up};
pub(crate) use local::{Local, thread_local};
pub(crate) use lock::Mutex;
