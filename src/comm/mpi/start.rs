//! How a world begins: the only collective calls are made here.

use std::time::Duration;

use super::call::{Communicator, MpiError, initialise};
use super::doorbell::{Card, Hung};
use super::part;
use super::patience::within;
use super::transport::MpiTransport;
use super::whereabouts::Place;
use crate::model::wire::Wire;

/// All processes of a world have so long to come to its start.
const PATIENCE: Duration = Duration::from_secs(180);

/// Initialises MPI, unless the program has, and connects this process with all others of its
/// world. Every process of the world has to call it, once.
///
/// # Errors
/// If MPI cannot be initialised, grants no `MPI_THREAD_SERIALIZED`, or was used for this before;
/// if another process of the world does not come to it within minutes.
pub fn start() -> Result<MpiTransport, MpiError> {
    part::begin()?;
    // MPI waits for ever for a rank that has died before.
    let late = || {
        let limit = PATIENCE.as_secs();
        let text = format!(
            "not all processes came to it within {limit} s: one hangs or has died; start the run \
             again"
        );
        MpiError::new("the start", text)
    };
    within(PATIENCE, connect).unwrap_or_else(|| Err(late()))
}

fn connect() -> Result<MpiTransport, MpiError> {
    part::initialised(initialise()?);
    let comm = Communicator::of_world()?;
    let (me, size) = comm.rank_and_size()?;
    let here = Place::here();
    let places: Vec<Place> = exchange(&comm, &here, size)?;
    let is_one_host = places.iter().all(|place| place.shares_network_with(&here));
    let hung = Hung::up(!is_one_host).map_err(|error| doorbell(&error))?;
    let cards: Vec<Card> = exchange(&comm, &hung.card().map_err(|error| doorbell(&error))?, size)?;
    let watched = places.iter().map(|place| place.watch(&here)).collect();
    let others: Vec<(Place, Card)> = places.into_iter().zip(cards).collect();
    let bells = hung.among(&here, &others).map_err(|error| doorbell(&error))?;
    // When all have said that they know this bell, it need not be found any more.
    exchange(&comm, &(), size)?;
    drop(hung);
    Ok(MpiTransport::new(comm, me, bells, watched))
}

fn doorbell(error: &std::io::Error) -> MpiError {
    let folder = std::env::temp_dir();
    MpiError::new("the doorbell", format!("{error}; it is hung up in {}", folder.display()))
}

/// What each rank says, by rank.
fn exchange<T: Wire>(comm: &Communicator, mine: &T, size: usize) -> Result<Vec<T>, MpiError> {
    const LENGTH: usize = size_of::<u64>();
    let mut card = mine.to_bytes();
    let lengths = comm.all_gather(&(card.len() as u64).to_le_bytes(), size)?;
    let (lengths, _) = lengths.as_chunks::<LENGTH>();
    let lengths: Vec<usize> = lengths.iter().map(|l| u64::from_le_bytes(*l) as usize).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
    card.resize(longest, 0);
    let all = comm.all_gather(&card, size)?;
    let said = all.chunks_exact(longest).zip(lengths).map(|(card, length)| {
        T::from_bytes(&card[..length]).map_err(|error| MpiError::new("the start", error.0))
    });
    said.collect()
}
