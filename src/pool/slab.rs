//! Memory for what is spawned: blocks of two sizes, from their worker and back to it.
//!
//! A worker takes blocks from a list of its own, and puts back there what it frees itself: a few
//! plain stores each. What others free comes back by a list that anybody may push to, and that the
//! worker takes whole when its own is empty.

use std::alloc::{self, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};

use crossbeam::utils::CachePadded;

use super::sync::{AtomicPtr, Ordering};

/// The memory of one worker.
pub(super) struct Slab {
    /// Most closures take no more: the less is written, the faster are many of them made.
    small: Blocks<32>,
    large: Blocks<64>,
}

impl Slab {
    pub(super) fn new() -> Slab {
        Slab { small: Blocks::new(), large: Blocks::new() }
    }

    /// Puts `value` into a block, or on the heap if it is too large for one.
    ///
    /// # Safety
    /// The caller is the one worker that the slab belongs to. The slab neither moves nor goes
    /// before [`lift`](Self::lift) has brought the value back.
    #[inline]
    pub(super) unsafe fn put<T>(&self, value: T) -> *mut T {
        // SAFETY: the caller's promise, and there is room.
        unsafe {
            if Blocks::<32>::fit::<T>() {
                self.small.put(value)
            } else if Blocks::<64>::fit::<T>() {
                self.large.put(value)
            } else {
                Box::into_raw(Box::new(value))
            }
        }
    }

    /// Takes a value out of a block, which is free then and the next to be used again.
    ///
    /// # Safety
    /// The caller is the one worker that this slab belongs to. The value was [`put`](Self::put)
    /// by a slab that is still there, and this is the only time that it is taken out.
    #[inline]
    pub(super) unsafe fn lift<T>(&self, place: *mut T) -> T {
        // SAFETY: the caller's promise; it lies where `put` puts such values.
        unsafe {
            if Blocks::<32>::fit::<T>() {
                self.small.lift(place)
            } else if Blocks::<64>::fit::<T>() {
                self.large.lift(place)
            } else {
                *Box::from_raw(place)
            }
        }
    }
}

/// The bytes of a chunk, and what it is aligned to: so a block finds the chunk that it is of.
const CHUNK: usize = 64 << 10;

/// A block that is free.
struct Block {
    next: *mut Block,
}

/// What stands at the head of a chunk, in place of its first block.
struct Head<const SIZE: usize> {
    owner: *const Blocks<SIZE>,
}

/// Blocks of `SIZE` bytes, a power of two, and aligned to it.
struct Blocks<const SIZE: usize> {
    free: Cell<*mut Block>,
    /// The blocks of the newest chunk that were never used.
    fresh: Cell<*mut u8>,
    end: Cell<*mut u8>,
    chunks: UnsafeCell<Vec<NonNull<u8>>>,
    /// Blocks of another worker that go back to it when they are some.
    away: Cell<Away<SIZE>>,
    /// What others have freed. On a cache line of its own, as they write it.
    returned: CachePadded<AtomicPtr<Block>>,
}

/// Blocks of one other worker, linked, the last first.
#[derive(Clone, Copy)]
struct Away<const SIZE: usize> {
    owner: *const Blocks<SIZE>,
    first: *mut Block,
    last: *mut Block,
    count: usize,
}

/// So many go back at once: to give one back costs about as much as to run a short closure.
pub(super) const TOGETHER: usize = 32;

fn layout() -> Layout {
    Layout::from_size_align(CHUNK, CHUNK).expect("a power of two")
}

impl<const SIZE: usize> Blocks<SIZE> {
    const fn fit<T>() -> bool {
        size_of::<T>() <= SIZE && align_of::<T>() <= SIZE
    }

    fn new() -> Blocks<SIZE> {
        Blocks {
            free: Cell::new(ptr::null_mut()),
            fresh: Cell::new(ptr::null_mut()),
            end: Cell::new(ptr::null_mut()),
            chunks: UnsafeCell::new(Vec::new()),
            away: Cell::new(Away {
                owner: ptr::null(),
                first: ptr::null_mut(),
                last: ptr::null_mut(),
                count: 0,
            }),
            returned: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// See [`Slab::put`]; the value fits.
    #[inline]
    unsafe fn put<T>(&self, value: T) -> *mut T {
        // SAFETY: the caller's promise; a block is large enough, and aligned.
        unsafe {
            let block = self.take().cast::<T>();
            block.write(value);
            block
        }
    }

    /// See [`Slab::lift`]; the value fits.
    #[inline]
    unsafe fn lift<T>(&self, place: *mut T) -> T {
        // SAFETY: the caller's promise.
        unsafe {
            let value = place.read();
            self.give_back(place.cast());
            value
        }
    }

    #[inline]
    unsafe fn take(&self) -> *mut u8 {
        let block = self.free.get();
        if block.is_null() {
            // SAFETY: handed on.
            return unsafe { self.refill() };
        }
        // SAFETY: a free block holds the address of the next.
        self.free.set(unsafe { (*block).next });
        block.cast()
    }

    #[cold]
    unsafe fn refill(&self) -> *mut u8 {
        // Acquire: whoever freed a block is done with it. Partner: `arrive`.
        let block = self.returned.swap(ptr::null_mut(), Ordering::Acquire);
        if !block.is_null() {
            // SAFETY: as in `take`.
            self.free.set(unsafe { (*block).next });
            return block.cast();
        }
        if self.fresh.get() == self.end.get() {
            // SAFETY: handed on.
            unsafe { self.add_chunk() };
        }
        let block = self.fresh.get();
        // SAFETY: within the chunk or at its end.
        self.fresh.set(unsafe { block.add(SIZE) });
        block
    }

    unsafe fn add_chunk(&self) {
        // SAFETY: the size is not zero.
        let Some(chunk) = NonNull::new(unsafe { alloc::alloc(layout()) }) else {
            alloc::handle_alloc_error(layout())
        };
        // SAFETY: only the worker of these blocks is here.
        unsafe { (*self.chunks.get()).push(chunk) };
        let head = chunk.as_ptr().cast::<Head<SIZE>>();
        // SAFETY: the chunk is large enough for its head and is aligned for it.
        unsafe { head.write(Head { owner: self }) };
        // SAFETY: within the chunk or at its end.
        unsafe {
            self.fresh.set(chunk.as_ptr().add(SIZE));
            self.end.set(chunk.as_ptr().add(CHUNK));
        }
    }

    /// Frees a block, of this worker or of any other.
    #[inline]
    unsafe fn give_back(&self, block: *mut u8) {
        let block = block.cast::<Block>();
        let head = block.cast::<u8>().map_addr(|at| at & !(CHUNK - 1)).cast::<Head<SIZE>>();
        // SAFETY: every block lies in a chunk with a head.
        let owner = unsafe { (*head).owner };
        if ptr::eq(owner, self) {
            // SAFETY: the block is the caller's.
            unsafe { (*block).next = self.free.get() };
            self.free.set(block);
        } else {
            // SAFETY: the caller says that it is there.
            unsafe { self.send_away(owner, block) };
        }
    }

    /// Keeps a block of another worker, and gives back what was kept when it is enough or of a
    /// third.
    unsafe fn send_away(&self, owner: *const Blocks<SIZE>, block: *mut Block) {
        let mut away = self.away.get();
        if !ptr::eq(away.owner, owner) {
            // SAFETY: handed on.
            unsafe { away.arrive() };
            away = Away { owner, first: ptr::null_mut(), last: block, count: 0 };
        }
        // SAFETY: the block is the caller's.
        unsafe { (*block).next = away.first };
        away = Away { first: block, count: away.count + 1, ..away };
        if away.count == TOGETHER {
            // SAFETY: handed on.
            unsafe { away.arrive() };
            away.owner = ptr::null();
        }
        self.away.set(away);
    }
}

impl<const SIZE: usize> Away<SIZE> {
    /// Gives the blocks back to where they are from, which is there if there are any.
    unsafe fn arrive(self) {
        // SAFETY: null or there.
        let Some(owner) = (unsafe { self.owner.as_ref() }) else { return };
        let mut top = owner.returned.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else has the blocks until they are in the list.
            unsafe { (*self.last).next = top };
            // The list is taken whole or not at all, so a top that is as it was will do.
            // Release: partner is `refill`.
            let order = (Ordering::Release, Ordering::Relaxed);
            match owner.returned.compare_exchange_weak(top, self.first, order.0, order.1) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }
}

impl<const SIZE: usize> Drop for Blocks<SIZE> {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut().drain(..) {
            // SAFETY: allocated by `add_chunk` with the same layout.
            unsafe { alloc::dealloc(chunk.as_ptr(), layout()) };
        }
    }
}
