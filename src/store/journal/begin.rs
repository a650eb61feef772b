//! How a volume of a journal begins: with all that is kept of those before it, published as a
//! whole.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Fold, Head, Origin, Volume, volumes};
use crate::store::StoreError;
use crate::store::disk::Tail;
use crate::store::format;
use crate::store::owner::Ownership;

/// After so many records an owner shows that it lives.
const BEAT_RECORDS: u64 = 10_000;

/// A volume that is written to.
pub(super) struct Begun<D> {
    pub(super) run: u64,
    pub(super) volume: Volume,
    pub(super) path: PathBuf,
    pub(super) tail: Tail<D>,
    /// How many records are in it.
    pub(super) records: u64,
}

/// Puts a record into a volume.
type Put<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// Begins `volume` with what is `kept` of the records before it. Those before it are removed.
pub(super) fn begin(
    ownership: &Ownership,
    run: u64,
    volume: Volume,
    origin: Option<Origin>,
    mut kept: impl Iterator<Item = Vec<u8>>,
) -> Result<Begun<File>, StoreError> {
    let each = |put: &mut Put<'_>| kept.try_for_each(|record| put(&record));
    publish(ownership, Head { run, volume, kept: 0, origin }, each)
}

/// Begins the next part of `old` with what `fold` leaves of its records.
pub(super) fn rewrite(
    ownership: &Ownership,
    old: &Begun<File>,
    mut fold: Box<dyn Fold>,
) -> Result<Begun<File>, StoreError> {
    let volume = Volume { part: old.volume.part + 1, ..old.volume };
    let origin = Origin { volume: old.volume, bytes: old.tail.end(), records: old.records };
    let each = |put: &mut Put<'_>| {
        let mut file = BufReader::new(File::open(&old.path)?);
        file.seek(SeekFrom::Start(format::HEAD as u64))?;
        format::each_record(file, old.tail.end(), |record| match fold.keeps(record) {
            true => put(record),
            false => Ok(()),
        })?;
        fold.rest().iter().try_for_each(|record| put(record))
    };
    publish(ownership, Head { run: old.run, volume, kept: 0, origin: Some(origin) }, each)
}

/// Writes a volume with the records that `each` puts into it, and puts it in its place.
fn publish(
    ownership: &Ownership,
    head: Head,
    each: impl FnOnce(&mut Put<'_>) -> io::Result<()>,
) -> Result<Begun<File>, StoreError> {
    ownership.confirm()?;
    let name = head.volume.name();
    let (path, draft) = (head.volume.path(ownership.folder()), ownership.draft(&name));
    let mut so_far = 0u64;
    let each = |put: &mut Put<'_>| {
        each(&mut |record| {
            so_far += 1;
            if so_far.is_multiple_of(BEAT_RECORDS) {
                // What comes of it is seen at the end.
                let _ = ownership.confirm();
            }
            put(record)
        })
    };
    let written = ownership.judge(write(&draft, head, each), "write", &path);
    let put = written.and_then(|written| ownership.put(&name).map(|()| written));
    let (file, end, records) = put.inspect_err(|_| drop(fs::remove_file(&draft)))?;
    remove_before(head.volume, ownership.folder());
    let tail = Tail::new(file, end);
    Ok(Begun { run: head.run, volume: head.volume, path, tail, records })
}

/// Writes a volume durably; gives it with its length and the number of its records.
fn write(
    path: &Path,
    mut head: Head,
    each: impl FnOnce(&mut Put<'_>) -> io::Result<()>,
) -> io::Result<(File, u64, u64)> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&format::head(&head))?;
    let (mut end, mut entry) = (format::HEAD as u64, Vec::new());
    each(&mut |record| {
        entry.clear();
        let put = format::put_record(&mut entry, |out| out.extend(record));
        put.map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        (end, head.kept) = (end + entry.len() as u64, head.kept + 1);
        file.write_all(&entry)
    })?;
    if head.kept > 0 {
        // All of it is durable before anybody sees it.
        entry.clear();
        format::put_mark(&mut entry, end, head.kept);
        file.write_all(&entry)?;
        end += entry.len() as u64;
    }
    let file = file.into_inner()?;
    file.write_all_at(&format::head(&head), 0)?;
    file.sync_all()?;
    Ok((file, end, head.kept))
}

/// Removes what came before `volume`. What is left of it harms nobody.
fn remove_before(volume: Volume, folder: &Path) {
    let volumes = volumes(folder).unwrap_or_default();
    for old in volumes.into_iter().filter(|other| *other < volume) {
        let _ = fs::remove_file(old.path(folder));
    }
}
