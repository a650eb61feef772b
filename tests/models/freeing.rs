//! Memory that one worker takes from its slab, and others free.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::check;
use crate::slab::Slab;
use crate::sync::thread;

/// The slab of one worker, and for each block of it something by which loom sees whether two are
/// at it at once.
struct Blocks {
    slab: Slab,
    watched: RefCell<BTreeMap<*mut u32, Arc<UnsafeCell<()>>>>,
}

impl Blocks {
    fn new() -> Arc<Blocks> {
        Arc::new(Blocks { slab: Slab::new(), watched: RefCell::default() })
    }

    /// Puts a value into a block, as the worker of the slab.
    fn put(&self, value: u32) -> *mut u32 {
        // SAFETY: the caller says so, and the slab outlives all values.
        let place = unsafe { self.slab.put(value) };
        self.touch(place);
        place
    }

    /// Takes a value out and frees its block, as the worker of the slab `own`.
    fn lift(&self, place: *mut u32, value: u32, own: &Slab) {
        self.touch(place);
        // SAFETY: the caller says so.
        assert_eq!(unsafe { own.lift(place) }, value);
    }

    fn touch(&self, place: *mut u32) {
        let cell = Arc::clone(self.watched.borrow_mut().entry(place).or_default());
        cell.with_mut(|_| ());
    }

    /// Sees that no block is lost when all are free again.
    fn finish(&self) {
        let known = self.watched.borrow().len();
        let places: Vec<*mut u32> = (0..known as u32).map(|i| self.put(i)).collect();
        assert_eq!(self.watched.borrow().len(), known, "those that are free are used again");
        places.into_iter().zip(0..).for_each(|(place, i)| self.lift(place, i, &self.slab));
    }
}

/// Frees blocks of another.
fn thief(blocks: &Arc<Blocks>, places: Vec<(*mut u32, u32)>) -> thread::JoinHandle<()> {
    let blocks = Arc::clone(blocks);
    thread::spawn(move || {
        let own = Slab::new();
        places.into_iter().for_each(|(place, value)| blocks.lift(place, value, &own));
    })
}

#[test]
fn a_block_comes_back_from_another() {
    check(3, || {
        let blocks = Blocks::new();
        let thief = thief(&blocks, vec![(blocks.put(1), 1), (blocks.put(2), 2)]);
        let third = blocks.put(3);
        blocks.lift(third, 3, &blocks.slab);
        let pair = [blocks.put(4), blocks.put(5)];
        blocks.lift(pair[1], 5, &blocks.slab);
        blocks.lift(pair[0], 4, &blocks.slab);
        thief.join();
        blocks.finish();
    });
}

#[test]
fn two_free_at_once_while_the_worker_takes() {
    check(2, || {
        let blocks = Blocks::new();
        let thieves = [(); 2].map(|()| thief(&blocks, vec![(blocks.put(1), 1)]));
        let third = blocks.put(3);
        thieves.into_iter().for_each(|thief| thief.join());
        blocks.lift(third, 3, &blocks.slab);
        blocks.finish();
    });
}
