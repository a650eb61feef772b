//! One writer at a time, without `flock`.
//!
//! Each owner of a run folder makes a file `owner.N` in it, N one more than the last; the
//! highest number owns. Making a file that is not there yet (`O_EXCL`) is atomic on NFS and
//! Lustre too, and since the highest number is never deleted, only outbid or renamed to
//! `released.N`, no two can make the same one. N is the epoch of the run.
//!
//! Whether an owner still lives is certain on its own host: the file names the boot, the process
//! and when it started. From elsewhere it is watched: an owner touches its file every
//! [`BEAT`], one that does not for [`WATCH`] is taken for dead. Should it wake up after all, it
//! finds its file gone, and stops.
//!
//! That it may find it gone a moment too late does no harm: see [`drafts`].

mod drafts;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, thread};

use parking_lot::Mutex;

use super::StoreError;
use super::disk::sync_folder;
use crate::host::Process;

/// How often an owner touches its file.
pub(super) const BEAT: Duration = Duration::from_secs(2);
/// How long an owner on another host may be silent. Many beats: a shared file system under
/// load stalls for seconds.
pub(super) const WATCH: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

const HELD: &str = "owner.";
const RELEASED: &str = "released.";

/// A process that owns, or owned, a run folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name of its host.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// Clock ticks from boot to its start: tells it from a later process of the same number.
    started: u64,
    /// The boot of the host and the namespace that the number belongs to; empty where the
    /// operating system does not say.
    place: String,
}

/// Whether a process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Alive,
    /// It does not.
    Dead,
    /// It is on another host, or in another container: that cannot be seen from here.
    Unknown,
}

impl Owner {
    /// This process.
    fn current() -> Owner {
        let pid = std::process::id();
        Owner {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid,
            started: start_of(pid).unwrap_or(0),
            place: place(),
        }
    }

    /// The process that holds the run in `folder`, dead or alive; nothing if the last one let
    /// go of it, or there was none.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Owner>, StoreError> {
        let io = |e| StoreError::io("read", folder)(e);
        match claims(folder).map_err(io)?.into_iter().max() {
            Some(claim) if claim.held => {
                let seen = look(&claim.path(folder)).map_err(io)?;
                Ok(seen.and_then(|seen| Owner::parse(&seen.text)))
            }
            _ => Ok(None),
        }
    }

    /// Whether this process lives, as far as can be told from this host.
    #[must_use]
    pub fn life(&self) -> Life {
        if !self.is_from_here() {
            Life::Unknown
        } else if start_of(self.pid) == Some(self.started) {
            Life::Alive
        } else {
            Life::Dead
        }
    }

    /// Whether its host is this one, as it was booted last, and the numbers of processes there mean
    /// the same here.
    #[must_use]
    pub fn is_from_here(&self) -> bool {
        !self.place.is_empty() && self.place == place()
    }

    fn text(&self) -> String {
        let Owner { host, pid, started, place } = self;
        format!("host {host}\npid {pid}\nstarted {started}\nplace {place}\n")
    }

    fn parse(text: &str) -> Option<Owner> {
        // The last line ends the file: what is cut off in the middle is no owner.
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        Some(Owner {
            host: field("host")?.to_owned(),
            pid: field("pid")?.parse().ok()?,
            started: field("started")?.parse().ok()?,
            place: field("place")?.to_owned(),
        })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on host {}", self.pid, self.host)
    }
}

/// When process `pid` started, in clock ticks since boot; nothing if it is gone, or dead and
/// only not waited for yet.
fn start_of(pid: u32) -> Option<u64> {
    Process::of(pid).map(|process| process.started)
}

fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => String::new(),
    }
}

/// A numbered file of an owner. Ordered by number; of two with one number the held is higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    number: u32,
    held: bool,
}

impl Claim {
    fn parse(name: &str) -> Option<Claim> {
        let held = name.strip_prefix(HELD);
        let number = held.or_else(|| name.strip_prefix(RELEASED))?.parse().ok()?;
        Some(Claim { number, held: held.is_some() })
    }

    fn path(self, folder: &Path) -> PathBuf {
        let prefix = if self.held { HELD } else { RELEASED };
        folder.join(format!("{prefix}{}", self.number))
    }
}

/// Whether a file of this name only says who owns the folder, or is of use to its owner alone.
pub(super) fn is_of_owners(name: &str) -> bool {
    Claim::parse(name).is_some() || drafts::is_drafts(name)
}

fn claims(folder: &Path) -> io::Result<Vec<Claim>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(Claim::parse));
    }
    Ok(found)
}

/// Who owned a folder before.
#[derive(Debug)]
pub struct Former {
    /// The process; nothing if there was none, or what it wrote cannot be read.
    pub owner: Option<Owner>,
    /// Whether it is certain that it owns nothing any more: it let go of the folder, or has ended.
    pub has_ended: bool,
}

impl Former {
    fn of(folder: &Path, last: Option<Claim>) -> io::Result<Former> {
        let Some(claim) = last else { return Ok(Former { owner: None, has_ended: true }) };
        let owner = look(&claim.path(folder))?.and_then(|seen| Owner::parse(&seen.text));
        let is_dead = owner.as_ref().is_some_and(|owner| owner.life() == Life::Dead);
        Ok(Former { owner, has_ended: !claim.held || is_dead })
    }
}

/// The right to write into a run folder; given back when dropped.
#[derive(Debug)]
pub(super) struct Ownership {
    folder: PathBuf,
    claim: Claim,
    former: Former,
    beat: Mutex<Instant>,
    lost: AtomicBool,
}

impl Ownership {
    /// Takes `folder`, from a dead owner too. One that cannot be seen from here is watched for
    /// as long as `watch`.
    pub(super) fn take(folder: &Path, watch: Duration) -> Result<Ownership, StoreError> {
        let io = |e| StoreError::io("take possession of", folder)(e);
        loop {
            let last = claims(folder).map_err(io)?.into_iter().max();
            if let Some(claim) = last.filter(|claim| claim.held) {
                match standing(&claim.path(folder), watch).map_err(io)? {
                    Standing::Vacant => {}
                    Standing::Changed => continue,
                    Standing::Held(owner) => {
                        return Err(StoreError::Owned { path: folder.to_owned(), owner });
                    }
                }
            }
            if let Some(ownership) = Ownership::claim_after(folder, last)? {
                return Ok(ownership);
            }
        }
    }

    /// Waits until the owner of `folder` is dead, or gives no sign of life for as long as `watch`, and
    /// takes it then; nothing if it lets go of it. One that only hangs finds that out when it wakes.
    pub(super) fn inherit(folder: &Path, watch: Duration) -> Result<Option<Ownership>, StoreError> {
        let io = |e| StoreError::io("watch the owner of", folder)(e);
        loop {
            let last = claims(folder).map_err(io)?.into_iter().max();
            let Some(claim) = last.filter(|claim| claim.held) else { return Ok(None) };
            let path = claim.path(folder);
            let Some(seen) = look(&path).map_err(io)? else { continue };
            let is_dead = || Owner::parse(&seen.text).is_some_and(|o| o.life() == Life::Dead);
            if changes(&path, &seen, watch, is_dead).map_err(io)? {
                continue;
            }
            if let Some(ownership) = Ownership::claim_after(folder, last)? {
                return Ok(Some(ownership));
            }
        }
    }

    /// Takes `folder` from the owner `last`, which is vacant; nothing if another was faster.
    fn claim_after(folder: &Path, last: Option<Claim>) -> Result<Option<Ownership>, StoreError> {
        let io = |e| StoreError::io("take possession of", folder)(e);
        let claim = Claim { number: last.map_or(0, |last| last.number) + 1, held: true };
        if !make(&claim.path(folder)).map_err(io)? {
            return Ok(None);
        }
        let others = claims(folder).map_err(io)?.into_iter().filter(|other| *other != claim);
        let (older, outbid): (Vec<_>, Vec<_>) = others.partition(|o| o.number < claim.number);
        if !outbid.is_empty() {
            remove_if_there(&claim.path(folder)).map_err(io)?;
            return Ok(None);
        }
        let ownership = Ownership {
            folder: folder.to_owned(),
            claim,
            former: Former::of(folder, last).map_err(io)?,
            beat: Mutex::new(Instant::now()),
            lost: AtomicBool::new(false),
        };
        for other in older {
            remove_if_there(&other.path(folder)).map_err(io)?;
        }
        drafts::take_over(folder, claim.number).map_err(io)?;
        sync_folder(folder).map_err(io)?;
        Ok(Some(ownership))
    }

    /// The number of this owner: 1 for the first, one more for each that follows.
    pub(super) fn number(&self) -> u32 {
        self.claim.number
    }

    /// The folder that is owned.
    pub(super) fn former(&self) -> &Former {
        &self.former
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sees that the folder is still owned, and shows others that its owner lives.
    ///
    /// Opening a file, unlike asking for its attributes, looks past what an NFS client has
    /// cached.
    pub(super) fn confirm(&self) -> Result<(), StoreError> {
        let taken_over = || StoreError::TakenOver(self.folder.clone());
        if self.lost.load(Ordering::Relaxed) {
            return Err(taken_over());
        }
        let path = self.claim.path(&self.folder);
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.lost.store(true, Ordering::Relaxed);
                return Err(taken_over());
            }
            Err(error) => return Err(StoreError::io("open", path)(error)),
        };
        let mut beat = self.beat.lock();
        if beat.elapsed() >= BEAT / 2 {
            file.set_modified(SystemTime::now()).map_err(StoreError::io("touch", path))?;
            *beat = Instant::now();
        }
        Ok(())
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        drafts::remove(&self.folder, self.claim.number);
        // If this fails the folder was taken over, or the next owner finds this process dead.
        let released = Claim { held: false, ..self.claim };
        let _ = fs::rename(self.claim.path(&self.folder), released.path(&self.folder));
    }
}

enum Standing {
    /// Its owner is dead.
    Vacant,
    /// Its owner lives.
    Held(Owner),
    /// It was just being written, released or removed: look again.
    Changed,
}

fn standing(path: &Path, watch: Duration) -> io::Result<Standing> {
    let Some(seen) = look(path)? else { return Ok(Standing::Changed) };
    let owner = Owner::parse(&seen.text);
    match (owner.as_ref().map_or(Life::Unknown, Owner::life), owner) {
        (Life::Dead, _) => Ok(Standing::Vacant),
        (Life::Unknown, _) if !changes(path, &seen, watch, || false)? => Ok(Standing::Vacant),
        (_, Some(owner)) if path.exists() => Ok(Standing::Held(owner)),
        // One that was only just made is judged by what it says now.
        _ => Ok(Standing::Changed),
    }
}

/// Whether the file at `path` is touched, written or removed within `watch` after it was `seen`, as
/// long as that is not known `in_vain`.
fn changes(
    path: &Path,
    seen: &Sight,
    watch: Duration,
    in_vain: impl Fn() -> bool,
) -> io::Result<bool> {
    let deadline = Instant::now() + watch;
    loop {
        if look(path)?.as_ref() != Some(seen) {
            return Ok(true);
        }
        if in_vain() || Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(POLL.min(watch));
    }
}

/// What is seen of the file of an owner; every beat changes it.
#[derive(PartialEq, Eq)]
struct Sight {
    text: String,
    touched: SystemTime,
}

/// Looks at the file at `path`, if there is one; through an open file, see
/// [`Ownership::confirm`].
fn look(path: &Path) -> io::Result<Option<Sight>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // The time first: a beat in between then shows at the next look.
    let touched = file.metadata()?.modified()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(Sight { text: String::from_utf8_lossy(&bytes).into_owned(), touched }))
}

/// Makes the file of this process at `path`; whether it was the first to.
fn make(path: &Path) -> io::Result<bool> {
    // Put together before: one that ends in between leaves a file that says nothing, and the
    // next owner has to watch that in vain.
    let text = Owner::current().text();
    let mut file = match File::options().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.map(|()| true)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
