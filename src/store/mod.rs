//! The folder of a run and what is kept in it: the journal, published files, lines of records.
//!
//! A folder has one owner at a time, and one that was taken for dead and wakes up can change
//! nothing in it that its successor or any reader sees.
//!
//! This room knows bytes, checksums and durability, and nothing of what a record means.
//! Everything here holds on NFS and Lustre as well as on a local disk: no `flock`, no `mmap`,
//! only what those file systems do atomically (hard links, renames) and what they promise
//! after `fsync`.
#![forbid(unsafe_code)]

mod disk;
mod error;
mod folder;
mod format;
mod journal;
mod lines;
mod owner;
mod volume;

pub use error::StoreError;
pub use folder::{LAUNCHER_LOG, RunFolder};
pub use format::{Origin, Recovered, TornTail};
pub use journal::{Commit, Fold, Journal, Scribe, Verbatim};
pub use lines::Lines;
pub use owner::{Former, Life, Owner};
pub use volume::Volume;
