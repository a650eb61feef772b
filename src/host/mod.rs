//! What the operating system says of this host: its topology and what of it is ours, its clock,
//! its signals, its processes, the launcher that started us.

mod affinity;
mod allocation;
pub mod cgroup;
mod clock;
mod discover;
mod error;
#[cfg(feature = "hwloc")]
pub mod hwloc;
mod launcher;
mod list;
mod priority;
mod process;
#[cfg(feature = "hwloc")]
#[path = "reader_hwloc.rs"]
mod reader;
#[cfg(not(feature = "hwloc"))]
#[path = "reader_files.rs"]
mod reader;
mod share;
mod signals;
mod survival;
pub(crate) mod sweep;
pub mod synthetic;
pub mod sysfs;
mod unit;

pub(crate) use affinity::{current_thread, keep_off};
pub use affinity::{current_thread_mask, current_unit, pin_current_thread};
pub use allocation::time_left;
pub use clock::Clock;
pub use discover::{Host, Source};
pub use error::HostError;
pub use launcher::{Launcher, LauncherKind, launcher};
pub use priority::Preference;
pub use process::{Process, ends_with_its_starter};
pub use share::{Share, share};
pub use signals::{Signal, Signals};
pub use survival::survival;
pub use sweep::end_all_children;
