//! The folder of a run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::sync_folder;
use super::owner::{Former, Ownership, WATCH, is_of_owners};
use super::volume::volumes;
use super::{Lines, StoreError};
use crate::model::Epoch;

/// Where what the launcher of a run prints goes: the one file that may be in the folder before
/// the run is.
pub const LAUNCHER_LOG: &str = "launcher.log";

/// Who may read and write a file, before the umask of the user takes something away.
const ANYBODY: u32 = 0o666;
const USER: u32 = 0o600;

/// The folder of a run, held by this process alone as long as this, or the
/// [`Journal`](super::Journal) in it, lives.
#[derive(Debug)]
pub struct RunFolder {
    ownership: Arc<Ownership>,
}

impl RunFolder {
    /// Makes the folder of a new run, and those above it. An empty one that is there already
    /// will do.
    ///
    /// # Errors
    /// If the folder holds a run or anything else, another process is about to use it, or it
    /// cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<RunFolder, StoreError> {
        let path = path.as_ref();
        fs::create_dir_all(path).map_err(StoreError::io("create", path))?;
        let path = &absolute(path)?;
        if let Some(parent) = path.parent() {
            sync_folder(parent).map_err(StoreError::io("sync", parent))?;
        }
        check_vacant(path)?;
        let folder = RunFolder::take(path)?;
        // Another process may have come and gone in between.
        check_vacant(path)?;
        Ok(folder)
    }

    /// Opens the folder of a run to go on with it. If its last owner cannot be seen from this
    /// host, this waits half a minute for a sign of life.
    ///
    /// # Errors
    /// If there is no run, its owner still lives, or the folder cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<RunFolder, StoreError> {
        let path = path.as_ref();
        if !holds_run(path)? {
            return Err(StoreError::NoRun(path.to_owned()));
        }
        RunFolder::take(&absolute(path)?)
    }

    /// Waits until the last owner of a run dies, or hangs (gives no sign of life for half a minute), and
    /// goes on with the run then; nothing if it lets go of the folder, since the run has ended.
    ///
    /// # Errors
    /// If there is no run, or the folder cannot be read.
    pub fn inherit(path: impl AsRef<Path>) -> Result<Option<RunFolder>, StoreError> {
        let path = path.as_ref();
        if !holds_run(path)? {
            return Err(StoreError::NoRun(path.to_owned()));
        }
        let inherited = Ownership::inherit(&absolute(path)?, WATCH)?;
        Ok(inherited.map(|ownership| RunFolder { ownership: Arc::new(ownership) }))
    }

    /// Sees that a new run could go into the folder `path`, and changes nothing.
    ///
    /// # Errors
    /// If it holds a run or anything else, or cannot be read.
    pub fn check_vacant(path: &Path) -> Result<(), StoreError> {
        if path.exists() { check_vacant(path) } else { Ok(()) }
    }

    fn take(path: &Path) -> Result<RunFolder, StoreError> {
        Ok(RunFolder { ownership: Arc::new(Ownership::take(path, WATCH)?) })
    }

    /// Where it is, from the root.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.ownership.folder()
    }

    /// Which owner of the folder this process is: 1 for the one that made it, one more for each
    /// that went on with it.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.ownership.number())
    }

    /// Who owned it before.
    #[must_use]
    pub fn former(&self) -> &Former {
        self.ownership.former()
    }

    /// Sees that this process still owns it, and shows others that it lives.
    ///
    /// # Errors
    /// If it was taken over, or that cannot be seen.
    pub fn confirm(&self) -> Result<(), StoreError> {
        self.ownership.confirm()
    }

    /// Writes a file whole or not at all: whoever reads `name` sees the old bytes or the new,
    /// also after a crash. Durable on return.
    ///
    /// # Errors
    /// If the folder was taken over, or the file cannot be written; then the old one stands.
    pub fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.publish_for(ANYBODY, name, bytes)
    }

    /// The same, for a file that only the user may read.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_privately(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.publish_for(USER, name, bytes)
    }

    fn publish_for(&self, mode: u32, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.ownership.confirm()?;
        let draft = self.ownership.draft(name);
        let written = write_durably(&draft, mode, bytes);
        let path = self.path().join(name);
        let put = self.ownership.judge(written, "write", &path);
        put.and_then(|()| self.ownership.put(name)).inspect_err(|_| drop(fs::remove_file(draft)))
    }

    /// Removes a published file, if it is there.
    ///
    /// # Errors
    /// If the folder was taken over, or the file cannot be removed.
    pub fn retract(&self, name: &str) -> Result<(), StoreError> {
        self.ownership.confirm()?;
        self.ownership.withdraw(name)
    }

    /// Begins the text file `name` to append lines to it. Whoever has one of that name open, to
    /// read or to write, keeps the old one.
    ///
    /// # Errors
    /// If the folder was taken over, or the file cannot be made.
    pub fn lines(&self, name: &str) -> Result<Lines, StoreError> {
        self.ownership.confirm()?;
        let path = self.path().join(name);
        let made = File::create(self.ownership.draft(name));
        let file = self.ownership.judge(made, "make", &path)?;
        self.ownership.put(name)?;
        Ok(Lines::new(file, path))
    }

    pub(super) fn ownership(&self) -> &Arc<Ownership> {
        &self.ownership
    }
}

fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(StoreError::io("open", path))
}

/// An error unless `path` holds nothing, or only what an owner that never came to write a
/// journal and its launcher leave.
fn check_vacant(path: &Path) -> Result<(), StoreError> {
    let read = StoreError::io("read", path);
    let mut names = match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.file_name()),
        Err(error) => return Err(read(error)),
    };
    if holds_run(path)? {
        Err(StoreError::HoldsRun(path.to_owned()))
    } else if names.any(|name| !name.to_str().is_some_and(is_ours)) {
        Err(StoreError::NotEmpty(path.to_owned()))
    } else {
        Ok(())
    }
}

fn holds_run(path: &Path) -> Result<bool, StoreError> {
    match volumes(path) {
        Ok(volumes) => Ok(!volumes.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

fn is_ours(name: &str) -> bool {
    is_of_owners(name) || name == LAUNCHER_LOG
}

fn write_durably(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    // A draft that was left there may have other permissions.
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
