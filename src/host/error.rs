//! What can go wrong while a host is looked at.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why nothing can be said of this host.
#[derive(Debug)]
pub enum HostError {
    /// A file that should be there cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file does not hold what it should.
    Malformed {
        /// The file.
        path: PathBuf,
        /// The beginning of what it holds.
        text: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// The affinity mask of this process cannot be read.
    Affinity(io::Error),
    /// `HWLOC_SYNTHETIC` describes no machine.
    Synthetic {
        /// Its value.
        text: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// `HWLOC_XMLFILE` names a file that holds no topology.
    XmlFile {
        /// Its value.
        path: PathBuf,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// `HWLOC_FSROOT` names a folder that holds no recorded tree.
    FsRoot {
        /// Its value.
        path: PathBuf,
    },
    /// `HWLOC_XMLFILE` is set, and this program was built without hwloc.
    XmlNeedsHwloc {
        /// Its value.
        path: PathBuf,
    },
    /// Two of the variables that each replace the machine are set.
    Ambiguous {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            HostError::Malformed { path, text, expected } => {
                write!(f, "{} should hold {expected}, but holds {text:?}", path.display())
            }
            HostError::Affinity(error) => {
                write!(f, "cannot read the affinity mask of this process: {error}")
            }
            HostError::Synthetic { text, reason } => {
                write!(f, "HWLOC_SYNTHETIC={text:?} describes no machine: {reason}")
            }
            HostError::XmlFile { path, reason } => {
                write!(f, "HWLOC_XMLFILE={} holds no topology: {reason}", path.display())
            }
            HostError::FsRoot { path } => {
                write!(
                    f,
                    "HWLOC_FSROOT={} holds no recorded tree: it should have \
                     sys/devices/system/cpu below it",
                    path.display()
                )
            }
            HostError::XmlNeedsHwloc { path } => {
                write!(
                    f,
                    "HWLOC_XMLFILE={} cannot be read, since this program was built without \
                     hwloc: build it with `--features hwloc`, or describe the machine by \
                     HWLOC_SYNTHETIC",
                    path.display()
                )
            }
            HostError::Ambiguous { first, second } => {
                write!(f, "{first} and {second} both replace this machine: unset one of them")
            }
        }
    }
}

impl Error for HostError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            HostError::Unreadable { error, .. } | HostError::Affinity(error) => Some(error),
            _ => None,
        }
    }
}
