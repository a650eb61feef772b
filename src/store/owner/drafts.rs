//! What an owner is about to publish, out of the reach of those before it.
//!
//! A former owner may have been suspended after it saw that it owns the folder and before it did
//! what it wanted to do. What others read is therefore put in place by a rename alone, from a
//! folder `.draft.N` that only owner N writes to; and whoever takes the run folder over renames
//! that one first. So the rename that comes late fails, whatever was seen before: what it names
//! is not there any more. Taking a file away is a rename into that folder, likewise.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Ownership;
use crate::store::StoreError;
use crate::store::disk::sync_folder;

const DRAFTS: &str = ".draft.";
/// Of an owner that is none any more.
const VOID: &str = ".void.";

impl Ownership {
    /// Where the file `name` is written before it is put in its place.
    pub(in crate::store) fn draft(&self, name: &str) -> PathBuf {
        drafts(&self.folder, self.claim.number).join(name)
    }

    /// Puts the draft of the file `name` in its place, where it is durable on return.
    pub(in crate::store) fn put(&self, name: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        let put = fs::rename(self.draft(name), &path).and_then(|()| sync_folder(&self.folder));
        self.judge(put, "write", &path)
    }

    /// Takes the file `name` away, if it is there.
    pub(in crate::store) fn withdraw(&self, name: &str) -> Result<(), StoreError> {
        let (path, draft) = (self.folder.join(name), self.draft(name));
        let moved = fs::rename(&path, &draft);
        let gone = match moved {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It, or the place for it.
                return self.confirm();
            }
            other => other.and_then(|()| fs::remove_file(&draft)),
        };
        self.judge(gone, "remove", &path)
    }

    /// What went wrong, if anything did: that the folder has another owner comes first.
    pub(in crate::store) fn judge<T>(
        &self,
        done: io::Result<T>,
        action: &'static str,
        path: &Path,
    ) -> Result<T, StoreError> {
        done.map_err(|error| match self.confirm() {
            Err(taken @ StoreError::TakenOver(_)) => taken,
            _ => StoreError::io(action, path)(error),
        })
    }
}

fn drafts(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{DRAFTS}{number}"))
}

/// Whether this is the name of a folder of drafts.
pub(super) fn is_drafts(name: &str) -> bool {
    let number = name.strip_prefix(DRAFTS).or_else(|| name.strip_prefix(VOID));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Makes the drafts of owner `number`, and voids those of all others.
pub(super) fn take_over(folder: &Path, number: u32) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| is_drafts(name)) else { continue };
        let path = folder.join(name);
        let void = match name.strip_prefix(DRAFTS) {
            Some(other) => {
                let void = folder.join(format!("{VOID}{other}"));
                let _ = fs::remove_dir_all(&void);
                match fs::rename(&path, &void) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => void,
                }
            }
            None => path,
        };
        // What is left of it harms nobody.
        let _ = fs::remove_dir_all(void);
    }
    fs::create_dir(drafts(folder, number))
}

/// Removes the drafts of owner `number`, which is about to let go of the folder.
pub(super) fn remove(folder: &Path, number: u32) {
    let _ = fs::remove_dir_all(drafts(folder, number));
}
