//! Writes down what goes into a process and what comes out of it, so that it can be stepped
//! through again.
//!
//! A recording is the file `inputs-N` of process N in the run folder: a version, the seat, then
//! for each step the time, the event and the actions, each with its length in front.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::wire::Wire;
use crate::model::{PeerId, Time};
use crate::sched::{Action, Event, Seat};

const MAGIC: [u8; 4] = *b"EKR3";

/// Writes one recording.
#[derive(Debug)]
pub struct Recorder {
    file: BufWriter<File>,
    scratch: Vec<u8>,
}

/// One step of a recording.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) now: Time,
    pub(super) event: Event,
    pub(super) actions: Vec<u8>,
}

/// Reads one recording.
#[derive(Debug)]
pub(super) struct Recording {
    file: BufReader<File>,
    pub(super) seat: Seat,
}

/// Where the recording of a process is.
pub(super) fn path(folder: &Path, peer: PeerId) -> PathBuf {
    folder.join(format!("{PREFIX}{}", peer.0))
}

pub(super) const PREFIX: &str = "inputs-";

impl Recorder {
    /// Begins the recording of the process at `seat` in `folder`, in place of an older one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(folder: &Path, seat: &Seat) -> io::Result<Recorder> {
        let path = path(folder, seat.peer);
        // Not in the file to which a former process, taken for dead, may still write.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&MAGIC)?;
        let mut recorder = Recorder { file, scratch: Vec::new() };
        recorder.block(seat)?;
        Ok(recorder)
    }

    /// Adds a step.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, now: Time, event: &Event, actions: &[Action]) -> io::Result<()> {
        self.block(&now)?;
        self.block(event)?;
        self.scratch.clear();
        actions.iter().for_each(|action| action.put(&mut self.scratch));
        self.write_scratch()
    }

    fn block(&mut self, value: &impl Wire) -> io::Result<()> {
        self.scratch.clear();
        value.put(&mut self.scratch);
        self.write_scratch()
    }

    fn write_scratch(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.scratch.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&self.scratch)
    }
}

impl Recording {
    pub(super) fn open(path: &Path) -> io::Result<Recording> {
        let mut file = BufReader::new(File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(invalid("it is not a recording of this version"));
        }
        let seat = block(&mut file)?.ok_or_else(|| invalid("it ends early"))?;
        Ok(Recording { seat: decode(&seat)?, file })
    }

    /// The next step; nothing at the end. A step that was cut off by a crash is the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Step>> {
        let (Some(now), Some(event), Some(actions)) =
            (block(&mut self.file)?, block(&mut self.file)?, block(&mut self.file)?)
        else {
            return Ok(None);
        };
        Ok(Some(Step { now: decode(&now)?, event: decode(&event)?, actions }))
    }
}

fn block(file: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match file.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u64::from(u32::from_le_bytes(length));
    let mut bytes = Vec::new();
    let got = file.take(length).read_to_end(&mut bytes)?;
    Ok((got as u64 == length).then_some(bytes))
}

fn decode<T: Wire>(bytes: &[u8]) -> io::Result<T> {
    T::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
