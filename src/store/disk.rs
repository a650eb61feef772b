//! Appending to a file that may refuse: all of a batch, or none that counts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What an append-only file needs of the operating system; a test puts its faults here.
pub(super) trait Disk: Send + 'static {
    /// Writes some of `bytes` at `offset` and says how many.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Returns when all that was written is durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes the file `len` bytes long.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

impl Disk for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// The end of a file that grows by whole batches.
///
/// After an error nothing of the batch counts; the next call first cuts off what got into the
/// file. That holds for a failed `sync` too: the kernel may have dropped the pages and forgotten
/// the error, so a second `sync` alone would promise what is not on the disk. The batch has to
/// be written again.
pub(super) struct Tail<D> {
    disk: D,
    end: u64,
    dirty: bool,
}

impl<D: Disk> Tail<D> {
    /// The end of a file of `end` bytes.
    pub(super) fn new(disk: D, end: u64) -> Tail<D> {
        Tail { disk, end, dirty: false }
    }

    /// How long the file is, as far as it counts.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Appends `bytes`; a crash may still take them.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        self.accept(bytes.len());
        Ok(())
    }

    /// Writes `bytes` at the end and returns when they are durable. They count once they are
    /// [accepted](Self::accept).
    pub(super) fn write_durably(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        self.disk.sync()
    }

    /// What was written last, so many bytes, counts.
    pub(super) fn accept(&mut self, len: usize) {
        self.end += len as u64;
        self.dirty = false;
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.dirty {
            self.disk.truncate(self.end)?;
        }
        self.dirty = true;
        let mut done = 0;
        while done < bytes.len() {
            match self.disk.write_at(self.end + done as u64, &bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Makes the names in the folder `path` durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems cannot sync a folder; they order its changes by themselves.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}
