//! The files that a journal is kept in.
//!
//! Each owner of the folder begins a volume of its own, `journal.E` with its number (the epoch),
//! and a new part of it, `journal.E.P`, when it has compacted it. Each holds all that counts of
//! those before it, so that the latest alone is the journal: the others are left over, by a
//! process that had no time to remove them, or that goes on writing and does not know yet that
//! the folder has another owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "journal";

/// A file of a journal, later ones being greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume {
    /// The owner that wrote it.
    pub epoch: u32,
    /// How many that owner had begun before.
    pub part: u32,
}

impl Volume {
    /// The name of its file.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            // All there was before there were volumes, and had another format.
            Volume { epoch: 0, .. } => NAME.to_owned(),
            Volume { epoch, part: 0 } => format!("{NAME}.{epoch}"),
            Volume { epoch, part } => format!("{NAME}.{epoch}.{part}"),
        }
    }

    pub(super) fn path(self, folder: &Path) -> PathBuf {
        folder.join(self.name())
    }

    fn parse(name: &str) -> Option<Volume> {
        let numbers = name.strip_prefix(NAME)?;
        let Some(numbers) = numbers.strip_prefix('.') else {
            return numbers.is_empty().then_some(Volume { epoch: 0, part: 0 });
        };
        let (epoch, part) = numbers.split_once('.').unwrap_or((numbers, "0"));
        let volume = Volume { epoch: epoch.parse().ok()?, part: part.parse().ok()? };
        (volume.name() == name).then_some(volume)
    }
}

/// The files of the journal in `folder`, in order; the last is the journal.
pub(super) fn volumes(folder: &Path) -> io::Result<Vec<Volume>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(Volume::parse));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_volumes_is_by_number_and_names_say_it() {
        let names =
            ["journal", "journal.2", "journal.9", "journal.9.1", "journal.9.12", "journal.10"];
        let volumes: Vec<Volume> = names.iter().filter_map(|name| Volume::parse(name)).collect();
        assert_eq!(volumes.iter().map(|v| v.name()).collect::<Vec<_>>(), names);
        assert!(volumes.is_sorted());
        for name in [
            "journal.",
            "journal.x",
            "journal.1.",
            "journal.01",
            "journal.1.0",
            "journal.1.2.3",
            "journals",
        ] {
            assert_eq!(Volume::parse(name), None, "{name}");
        }
    }
}
