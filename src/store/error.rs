//! What can go wrong with files, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, fmt};

use super::Owner;

/// Why the folder of a run, or a file in it, cannot be used.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// The operating system refused.
    Io {
        /// What was tried: `cannot {action} {path}`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its words.
        source: Arc<io::Error>,
    },
    /// A new run is to go into a folder that holds something else.
    NotEmpty(PathBuf),
    /// A new run is to go into a folder that holds one already.
    HoldsRun(PathBuf),
    /// The folder holds no run.
    NoRun(PathBuf),
    /// Another process that is alive writes into the folder.
    Owned {
        /// The folder.
        path: PathBuf,
        /// Who that is.
        owner: Owner,
    },
    /// Another process took the folder over while this one was thought to be dead; nothing
    /// more can be written by this one.
    TakenOver(PathBuf),
    /// The file is not a journal.
    NotAJournal(PathBuf),
    /// The journal was written by another version of the format.
    Version {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The one that can be read.
        known: u32,
    },
    /// Bytes of the journal that were durable once have changed since.
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where the first bad record starts, in bytes from the start of the file.
        offset: u64,
    },
    /// What is to be written down at once is longer than a journal can hold.
    TooLong {
        /// The journal.
        path: PathBuf,
        /// So many bytes.
        bytes: usize,
    },
}

impl StoreError {
    /// Whether it is that there is no room, which may change.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let StoreError::Io { source, .. } = self else { return false };
        matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// Turns the operating system's error into one that says what was tried on which file.
    pub(super) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::Io {
            action,
            path: path.as_ref().to_owned(),
            source: Arc::new(source),
        }
    }
}

/// What to do about an error of the operating system, where that can be said.
fn mend(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull => ": free some space there",
        io::ErrorKind::QuotaExceeded => ": your quota there is used up, free some space",
        io::ErrorKind::FileTooLarge => ": raise the limit for the size of files",
        io::ErrorKind::PermissionDenied => ": choose a folder that you may write to",
        io::ErrorKind::ReadOnlyFilesystem => ": choose a folder on another file system",
        _ => "",
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}{}", path.display(), mend(source.kind()))
            }
            StoreError::NotEmpty(path) => write!(
                f,
                "{} holds files that are not of a run: choose a new or an empty folder",
                path.display()
            ),
            StoreError::HoldsRun(path) => write!(
                f,
                "{} holds a run already: resume that one, or choose another folder",
                path.display()
            ),
            StoreError::NoRun(path) => {
                write!(f, "{} holds no run: it has no journal", path.display())
            }
            StoreError::Owned { path, owner } => write!(
                f,
                "{} is in use by {owner}: wait for that process, or end it first",
                path.display()
            ),
            StoreError::TakenOver(path) => write!(
                f,
                "{} was taken over by another process: this one stops writing to it",
                path.display()
            ),
            StoreError::NotAJournal(path) => {
                write!(f, "{} is not a journal of a run", path.display())
            }
            StoreError::Version { path, found, known } => write!(
                f,
                "{} has format version {found}, this program reads version {known}: resume it \
                 with the program that wrote it",
                path.display()
            ),
            StoreError::TooLong { path, bytes } => write!(
                f,
                "{} cannot hold {bytes} bytes in one record: keep what is large in files, and name \
                 those",
                path.display()
            ),
            StoreError::Damaged { path, offset } => write!(
                f,
                "{} is damaged at byte {offset}: what was durable there has changed since. \
                 Restore the file from a copy, or start a new run; nothing was cut off",
                path.display()
            ),
        }
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
