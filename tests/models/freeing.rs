//! Memory that one worker takes from its slab, and others free.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::check;
use crate::slab::{Slab, TOGETHER};
use crate::sync::thread;

/// The slab of one worker, and for each block of it something by which loom sees whether two are
/// at it at once.
struct Blocks {
    slab: Slab,
    watched: RefCell<BTreeMap<*mut usize, Arc<UnsafeCell<()>>>>,
}

impl Blocks {
    fn new() -> Arc<Blocks> {
        Arc::new(Blocks { slab: Slab::new(), watched: RefCell::default() })
    }

    /// Puts a value into a block, as the worker of the slab.
    fn put(&self, value: usize) -> *mut usize {
        // SAFETY: the caller says so, and the slab outlives all values.
        let place = unsafe { self.slab.put(value) };
        self.touch(place);
        place
    }

    /// Puts values into as many blocks as go back together.
    fn put_many(&self) -> Vec<*mut usize> {
        (0..TOGETHER).map(|value| self.put(value)).collect()
    }

    /// Takes a value out and frees its block, as the worker of the slab `own`.
    fn lift(&self, place: *mut usize, value: usize, own: &Slab) {
        self.touch(place);
        // SAFETY: the caller says so.
        assert_eq!(unsafe { own.lift(place) }, value);
    }

    fn touch(&self, place: *mut usize) {
        let cell = Arc::clone(self.watched.borrow_mut().entry(place).or_default());
        cell.with_mut(|_| ());
    }

    /// Sees, when all are free again, that those are used before new ones; but for so many that
    /// others have kept.
    fn finish(&self, kept: usize) {
        let known = self.watched.borrow().len();
        let places: Vec<_> = (kept..known).map(|value| self.put(value)).collect();
        assert_eq!(self.watched.borrow().len(), known, "those that are free are used again");
        places.into_iter().zip(kept..).for_each(|(place, value)| {
            self.lift(place, value, &self.slab);
        });
    }
}

/// Frees as many blocks as go back together.
fn thief(blocks: &Arc<Blocks>, places: Vec<*mut usize>) -> thread::JoinHandle<()> {
    let blocks = Arc::clone(blocks);
    thread::spawn(move || {
        let own = Slab::new();
        places.into_iter().enumerate().for_each(|(value, place)| blocks.lift(place, value, &own));
    })
}

#[test]
fn blocks_come_back_from_another() {
    check(3, || {
        let blocks = Blocks::new();
        let thief = thief(&blocks, blocks.put_many());
        for value in 1..4 {
            let pair = [blocks.put(value), blocks.put(value + 1)];
            blocks.lift(pair[1], value + 1, &blocks.slab);
            blocks.lift(pair[0], value, &blocks.slab);
        }
        thief.join();
        blocks.finish(0);
    });
}

#[test]
fn two_free_at_once_while_the_worker_takes() {
    check(2, || {
        let blocks = Blocks::new();
        let thieves = [(); 2].map(|()| thief(&blocks, blocks.put_many()));
        let one = blocks.put(1);
        thieves.into_iter().for_each(|thief| thief.join());
        blocks.lift(one, 1, &blocks.slab);
        blocks.finish(0);
    });
}

/// A few go back before they are many when blocks of a third come between.
#[test]
fn blocks_of_two_owners_are_told_apart() {
    check(3, || {
        let owners = [Blocks::new(), Blocks::new()];
        let places = owners.clone().map(|blocks| [blocks.put(0), blocks.put(1)]);
        let thief = {
            let owners = owners.clone();
            thread::spawn(move || {
                let own = Slab::new();
                for value in 0..2 {
                    for (blocks, places) in owners.iter().zip(&places) {
                        blocks.lift(places[value], value, &own);
                    }
                }
            })
        };
        let one = owners[0].put(1);
        owners[0].lift(one, 1, &owners[0].slab);
        thief.join();
        owners[0].finish(0);
        owners[1].finish(1);
    });
}
