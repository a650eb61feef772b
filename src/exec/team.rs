//! A stand-in for the pool: a thread per kernel.

#![forbid(unsafe_code)]

use std::io;
use std::thread;

use crate::model::{CoreId, Topology};

/// The granted cores.
pub struct Team {
    cores: Vec<CoreId>,
}

impl Team {
    /// The granted cores.
    #[must_use]
    pub fn cores(&self) -> &[CoreId] {
        &self.cores
    }
}

pub(super) struct Pool;

impl Pool {
    pub(super) fn new(_topology: &Topology, _pinned: bool) -> io::Result<Pool> {
        Ok(Pool)
    }

    pub(super) fn start(&self, cores: &[CoreId], work: impl FnOnce(&Team) + Send + 'static) {
        let team = Team { cores: cores.to_vec() };
        thread::spawn(move || work(&team));
    }
}
