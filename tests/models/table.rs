//! A deque with things in it, of which each is to be taken once, with what was written to it before.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loom::cell::UnsafeCell;

use crate::deque::{Deque, Entry, Steal};
use crate::sync::thread::{self, JoinHandle};

/// A deque with what its entries are of.
pub(crate) struct Table<const N: usize> {
    pub(crate) deque: Deque,
    things: [Thing; N],
}

/// What an entry is of. Loom sees to it that who reads it has seen it written.
#[repr(align(2))]
struct Thing {
    content: UnsafeCell<usize>,
    /// How often it was taken.
    taken: AtomicU32,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(slots: usize) -> Arc<Table<N>> {
        let thing = |_| Thing { content: UnsafeCell::new(usize::MAX), taken: AtomicU32::new(0) };
        let table = Table { deque: Deque::new(), things: std::array::from_fn(thing) };
        // SAFETY: the caller is the owner from now on. To the first it is as if somebody had asked.
        unsafe {
            table.deque.own(slots);
            table.deque.attend();
        }
        Arc::new(table)
    }

    /// Puts in what belongs to entry `n`, as its owner. Gives back its place.
    pub(crate) fn push(&self, n: usize) -> u64 {
        let thing = &self.things[n];
        // SAFETY: nobody else has it yet.
        thing.content.with_mut(|content| unsafe { *content = n });
        let place = self.deque.head();
        let entry = Entry::new(ptr::from_ref(thing).cast_mut().cast(), true);
        // SAFETY: the caller is the owner.
        if unsafe { self.deque.push(entry) } {
            // SAFETY: as above.
            unsafe { self.deque.attend() };
        }
        place
    }

    pub(crate) fn push_all(&self, range: Range<usize>) {
        for n in range {
            self.push(n);
        }
    }

    /// Has what is pushed next, or lies there, become public.
    pub(crate) fn publish(&self) {
        self.deque.ask();
        // SAFETY: the caller is the owner.
        assert!(unsafe { self.deque.attend() });
    }

    pub(crate) fn pop(&self) -> bool {
        // SAFETY: the caller is the owner.
        let entry = unsafe { self.deque.pop() };
        entry.inspect(|entry| self.take(*entry)).is_some()
    }

    pub(crate) fn pop_thrice(&self) {
        for _ in 0..3 {
            self.pop();
        }
    }

    pub(crate) fn retract(&self, place: u64, n: usize) -> bool {
        // SAFETY: the caller is the owner.
        let came_back = unsafe { self.deque.retract(place) };
        if came_back {
            self.use_up(&self.things[n]);
        }
        came_back
    }

    pub(crate) fn steal(&self) -> Steal {
        let stolen = self.deque.steal();
        if let Steal::Taken(entry) = stolen {
            self.take(entry);
        }
        stolen
    }

    /// Takes half of what is public at once. Gives back how many.
    pub(crate) fn steal_several(&self) -> usize {
        let mut entries = [Entry::NONE; N];
        let stolen = self.deque.steal_alike(&mut entries);
        stolen.iter().for_each(|entry| self.take(*entry));
        stolen.len()
    }

    fn take(&self, entry: Entry) {
        let of = |thing: &&Thing| entry.address() == ptr::from_ref(*thing).cast_mut().cast();
        self.use_up(self.things.iter().find(of).expect("an entry is of one of the things"));
    }

    fn use_up(&self, thing: &Thing) {
        // SAFETY: loom sees whether anybody else is at it.
        thing.content.with_mut(|content| unsafe { *content = 0 });
        assert_eq!(thing.taken.fetch_add(1, Ordering::Relaxed), 0, "an entry is taken once");
    }

    /// Takes all that is left, when nobody else is there any more, and sees that none is lost.
    pub(crate) fn finish(&self) {
        while self.pop() {}
        for (n, thing) in self.things.iter().enumerate() {
            assert_eq!(thing.taken.load(Ordering::Relaxed), 1, "entry {n} is taken");
        }
    }

    pub(crate) fn thread(
        self: &Arc<Self>,
        body: impl FnOnce(&Table<N>) + 'static,
    ) -> JoinHandle<()> {
        let table = Arc::clone(self);
        thread::spawn(move || body(&table))
    }
}
