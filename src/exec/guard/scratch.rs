//! Private folders for the temporary files of tasks.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// One folder for each task that runs at once, made when first needed and used again: a task
/// that leaves nothing in it costs one look at an empty folder.
pub(super) struct Scratch {
    root: PathBuf,
    made: Vec<bool>,
}

impl Scratch {
    /// In `root`, a folder that is there and belongs to us alone.
    pub(super) fn new(root: PathBuf) -> Scratch {
        Scratch { root, made: Vec::new() }
    }

    /// Sees to it that the folder of `slot` is there, and gives the variable that names it.
    pub(super) fn enter(&mut self, slot: usize) -> io::Result<CString> {
        let path = self.path(slot);
        if self.made.len() <= slot {
            self.made.resize(slot + 1, false);
        }
        if !self.made[slot] {
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.made[slot] = true,
            }
        }
        let variable = [b"TMPDIR=", path.as_os_str().as_bytes()].concat();
        Ok(CString::new(variable)?)
    }

    /// Empties the folder of `slot`; what cannot be removed stays until the guard ends.
    pub(super) fn leave(&mut self, slot: usize) {
        let path = self.path(slot);
        let is_empty = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty {
            let _ = fs::remove_dir_all(&path);
            self.made[slot] = false;
        }
    }

    /// Removes all of them and their root.
    pub(super) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.root);
    }

    fn path(&self, slot: usize) -> PathBuf {
        self.root.join(slot.to_string())
    }
}
