//! A deque whose owner pays for sharing only when somebody wants a share.
//!
//! See the README of the room for the protocol and why it holds.

use std::cell::{Cell, UnsafeCell};
use std::ptr;

use super::sync::{AtomicPtr, AtomicU64, Ordering, heavy, light};

/// What lies in a deque: an address that is never null, with a mark in its lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(*mut ());

impl Entry {
    /// Stands where nothing was taken.
    pub(super) const NONE: Entry = Entry(ptr::null_mut());

    /// `address` is of something aligned to two bytes at least. `alike`: there may be many of
    /// its kind, none bigger than the next, so that a thief had better take several at once.
    pub(super) fn new(address: *mut (), alike: bool) -> Entry {
        Entry(address.map_addr(|a| a | usize::from(alike)))
    }

    /// The address without its mark.
    pub(super) fn address(self) -> *mut () {
        self.0.map_addr(|a| a & !1)
    }

    /// Whether it is one of many alike.
    pub(super) fn is_alike(self) -> bool {
        self.0.addr() & 1 == 1
    }
}

/// What thieves share: where the oldest entry lies, how many from there on are public, and who,
/// if anybody, is about to make more of them public in the owner's place.
///
/// The place counts up for ever, modulo 2^38; an exchange that compares it fails if the oldest
/// entry was taken meanwhile. While the place stands, the number is set once, and then goes down
/// only: so the exchange fails too if any public entry is public no more.
#[derive(Clone, Copy, PartialEq)]
struct Shared(u64);

const TAIL_BITS: u32 = 38;
const COUNT_BITS: u32 = 16;
const TAIL_MASK: u64 = (1 << TAIL_BITS) - 1;
/// The most entries that are public at once.
const MOST_PUBLIC: u64 = (1 << COUNT_BITS) - 1;
/// The largest number by which a claimant may call itself.
pub(super) const MOST_CLAIMANTS: usize = (1 << (64 - TAIL_BITS - COUNT_BITS)) - 1;

impl Shared {
    fn new(tail: u64, count: u64, claimant: u64) -> Shared {
        debug_assert!(count <= MOST_PUBLIC && claimant <= MOST_CLAIMANTS as u64);
        Shared(claimant << (TAIL_BITS + COUNT_BITS) | count << TAIL_BITS | tail & TAIL_MASK)
    }

    fn tail(self) -> u64 {
        self.0 & TAIL_MASK
    }

    fn count(self) -> u64 {
        self.0 >> TAIL_BITS & MOST_PUBLIC
    }

    fn claimant(self) -> u64 {
        self.0 >> (TAIL_BITS + COUNT_BITS)
    }

    /// The tail as the full number that is at most `head`.
    fn tail_below(self, head: u64) -> u64 {
        head - (head.wrapping_sub(self.tail()) & TAIL_MASK)
    }

    /// The place after the public entries, as the full number that is nearest to `head`, which
    /// may be on either side of it.
    fn split_near(self, head: u64) -> u64 {
        let ahead = head.wrapping_sub(self.tail() + self.count()) & TAIL_MASK;
        if ahead <= TAIL_MASK / 2 { head - ahead } else { head + (TAIL_MASK + 1 - ahead) }
    }
}

/// A ring of slots. An entry at place `i` lies in slot `i` modulo the size, a power of two.
struct Ring {
    slots: Box<[AtomicPtr<()>]>,
}

impl Ring {
    fn new(size: usize) -> Box<Ring> {
        let slots = (0..size).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        Box::new(Ring { slots })
    }

    fn slot(&self, place: u64) -> &AtomicPtr<()> {
        &self.slots[place as usize & (self.slots.len() - 1)]
    }
}

/// The outcome of an attempt to steal.
#[derive(Debug, PartialEq)]
pub(super) enum Steal {
    /// This one.
    Taken(Entry),
    /// Nothing is public.
    Empty,
    /// Somebody else was faster; there may be more.
    Retry,
}

/// See the module. Its owner is one thread at a time; all other methods than the owner's may be
/// called by any thread.
#[repr(C)]
pub(super) struct Deque {
    /// One past the newest entry. Written by the owner alone.
    head: AtomicU64,
    /// The owner takes entries at and above this place without asking anybody.
    bound: AtomicU64,
    /// A push that gets here needs attention: the ring is full, or, if 0, somebody asks for work.
    limit: AtomicU64,
    /// The slots of the ring and their number less one, at hand for the owner.
    slots: Cell<*const AtomicPtr<()>>,
    mask: Cell<usize>,
    ring: AtomicPtr<Ring>,
    /// Rings that were outgrown, which a late thief may still look into.
    #[expect(clippy::vec_box, reason = "thieves hold their addresses")]
    outgrown: UnsafeCell<Vec<Box<Ring>>>,
    shared: Apart<AtomicU64>,
}

/// On cache lines of its own.
#[repr(align(128))]
struct Apart<T>(T);

// SAFETY: cells are touched only by the owner's methods, whose callers promise to be the owner.
unsafe impl Sync for Deque {}
// SAFETY: entries are addresses; what they are of is the business of whoever puts them in.
unsafe impl Send for Deque {}

/// Where places begin; so that the place before the first is a number too.
const FIRST: u64 = 1;

impl Deque {
    /// An empty deque without slots; see [`own`](Self::own).
    pub(super) fn new() -> Deque {
        Deque {
            head: AtomicU64::new(FIRST),
            bound: AtomicU64::new(FIRST),
            limit: AtomicU64::new(0),
            slots: Cell::new(ptr::null()),
            mask: Cell::new(0),
            ring: AtomicPtr::new(ptr::null_mut()),
            outgrown: UnsafeCell::new(Vec::new()),
            shared: Apart(AtomicU64::new(Shared::new(FIRST, 0, 0).0)),
        }
    }

    /// Makes the calling thread the owner. The first one gives the deque `size` slots, a power of
    /// two, so that their memory is near it.
    ///
    /// # Safety
    /// No other thread is the owner until this one gives up calling the owner's methods, which
    /// happens before the next calls this.
    pub(super) unsafe fn own(&self, size: usize) {
        if self.slots.get().is_null() {
            // SAFETY: the caller is the owner.
            unsafe { self.put_ring(Ring::new(size)) };
            // The limit is left to the first push: somebody may have asked already.
        }
    }

    /// # Safety
    /// The caller is the owner.
    unsafe fn put_ring(&self, ring: Box<Ring>) {
        self.slots.set(ring.slots.as_ptr());
        self.mask.set(ring.slots.len() - 1);
        // Relaxed: the owner alone writes it.
        let before = self.ring.load(Ordering::Relaxed);
        // Release: a thief that finds the ring finds what is in it. Partner: `read_oldest`.
        self.ring.store(Box::into_raw(ring), Ordering::Release);
        if !before.is_null() {
            // SAFETY: it came from `into_raw` here. The list is the owner's.
            unsafe { (*self.outgrown.get()).push(Box::from_raw(before)) };
        }
    }

    fn shared(&self) -> Shared {
        // Acquire: partners are all exchanges of it. Who sees entries as public sees them, and
        // the ring that they are in.
        Shared(self.shared.0.load(Ordering::Acquire))
    }

    /// Release: makes public what the caller has seen or written. Acquire: as `shared`, and for
    /// the owner, thieves have read the slots that it may now write again.
    fn exchange(&self, before: Shared, after: Shared) -> bool {
        let shared = &self.shared.0;
        shared.compare_exchange(before.0, after.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    // ---- the owner's

    /// The place that the next entry will get.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Relaxed)
    }

    /// Puts an entry on top. `true`: the deque needs [`attend`](Self::attend) before the next
    /// push.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    #[must_use]
    pub(super) unsafe fn push(&self, entry: Entry) -> bool {
        let place = self.head();
        // SAFETY: a place modulo the size, which is a power of two, is within the slots. There is
        // room, since a push that took the last went on to `attend`.
        let slot = unsafe { &*self.slots.get().add(place as usize & self.mask.get()) };
        slot.store(entry.0, Ordering::Relaxed);
        // Release: partner is the load in `claim`.
        self.head.store(place + 1, Ordering::Release);
        // Either the push sees that somebody asks, or he sees the push. Partner: `heavy` of whoever
        // asks and then looks.
        light();
        self.limit.load(Ordering::Relaxed) <= place + 1
    }

    /// Takes back the entry that was put at `place`, if it is on top and nobody has taken it.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    pub(super) unsafe fn retract(&self, place: u64) -> bool {
        // SAFETY: the caller is the owner.
        self.head() == place + 1 && unsafe { self.lower(place) }
    }

    /// Takes the entry on top.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    pub(super) unsafe fn pop(&self) -> Option<Entry> {
        let place = self.head() - 1;
        if self.bound.load(Ordering::Relaxed) > place && self.is_exhausted() {
            return None;
        }
        // SAFETY: the caller is the owner.
        unsafe { self.lower(place) }.then(|| {
            // SAFETY: as in `push`.
            let slot = unsafe { &*self.slots.get().add(place as usize & self.mask.get()) };
            Entry(slot.load(Ordering::Relaxed))
        })
    }

    /// Whether all is taken, for the owner; sooner than by trying.
    pub(super) fn is_exhausted(&self) -> bool {
        self.shared().tail_below(self.head()) == self.head()
    }

    /// Lowers the head to `place`, which is the one below it, unless the entry there is taken.
    #[inline]
    unsafe fn lower(&self, place: u64) -> bool {
        // Release: as in `push`; what lies below is still to be seen.
        self.head.store(place, Ordering::Release);
        // Either this sees a claim, or the claimant sees the lowered head. Partner: `claim`.
        light();
        self.bound.load(Ordering::Relaxed) <= place || self.lower_public(place)
    }

    /// As [`lower`](Self::lower), where the entry may be public or claimed. If it is public, half
    /// of what is public below it is taken back with it.
    ///
    /// The oldest entry, once it is public, stays so until it is taken, and its place is not
    /// used again. Else a thief that has read the slot could find `shared` as it was, and the slot
    /// not.
    #[cold]
    fn lower_public(&self, place: u64) -> bool {
        loop {
            let now = self.shared();
            let tail = now.tail_below(place + 1);
            if tail > place {
                // Release: as in `push`, here and below.
                self.head.store(place + 1, Ordering::Release);
                // The bound may have been lowered before an exchange that failed.
                if self.move_split(now, tail, 0) {
                    return false;
                }
            } else if tail == place && now.count() > 0 {
                if self.move_split(now, tail + 1, 0) {
                    self.head.store(place + 1, Ordering::Release);
                    return true;
                }
            } else {
                let below = place - tail;
                let kept = if below < now.count() { (below / 2).max(1) } else { now.count() };
                if self.move_split(now, tail, kept) {
                    return true;
                }
            }
        }
    }

    /// Makes the `count` entries from `tail` on public and no others, and takes a claim back, if
    /// nothing has changed since `now`.
    ///
    /// The bound goes first: from the exchange on a thief may take what is below it. A claim that
    /// raises it in between makes the exchange fail, or comes after it and raises it again.
    fn move_split(&self, now: Shared, tail: u64, count: u64) -> bool {
        self.bound.store(tail + count, Ordering::Relaxed);
        self.exchange(now, Shared::new(tail, count, 0))
    }

    /// Does what a push asked for: makes room, and if somebody wants work and none is public,
    /// makes half of it public. `true` if somebody had asked.
    ///
    /// # Safety
    /// The caller is the owner.
    #[cold]
    pub(super) unsafe fn attend(&self) -> bool {
        let (head, size) = (self.head(), self.mask.get() as u64 + 1);
        let now = self.shared();
        let tail = now.tail_below(head);
        // SAFETY: the caller is the owner.
        let size = if head - tail < size { size } else { unsafe { self.grow(tail, head) } };
        // An exchange, and Acquire: whoever's request goes with this is seen when the caller looks
        // who is to be woken. Partner: `insist`.
        let asked = self.limit.swap(tail + size, Ordering::Acquire) == 0;
        if asked && now.count() == 0 {
            self.publish(head);
        }
        asked
    }

    /// Makes half of what there is public, unless a claimant is faster.
    fn publish(&self, head: u64) {
        loop {
            let now = self.shared();
            let tail = now.tail_below(head);
            let half = (head - tail).div_ceil(2).min(MOST_PUBLIC);
            let count = if now.count() == 0 { half } else { now.count() };
            if self.move_split(now, tail, count) {
                return;
            }
        }
    }

    /// Doubles the ring and returns its size.
    unsafe fn grow(&self, tail: u64, head: u64) -> u64 {
        // SAFETY: set by `own` or here, and freed by nobody but the owner's `drop`.
        let old = unsafe { &*self.ring.load(Ordering::Relaxed) };
        let ring = Ring::new(old.slots.len() * 2);
        for place in tail..head {
            let entry = old.slot(place).load(Ordering::Relaxed);
            ring.slot(place).store(entry, Ordering::Relaxed);
        }
        let size = ring.slots.len() as u64;
        // SAFETY: the caller is the owner.
        unsafe { self.put_ring(ring) };
        size
    }

    /// Whether somebody has asked for work since the last [`attend`](Self::attend).
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.limit.load(Ordering::Relaxed) == 0
    }

    /// Whether there is anything that others do not see, for the owner.
    #[inline]
    pub(super) fn has_private(&self) -> bool {
        self.bound.load(Ordering::Relaxed) < self.head()
    }

    // ---- everybody's

    /// Asks the owner to make something public with its next push. A request that the owner is
    /// just answering may be taken for one that still stands.
    pub(super) fn ask(&self) {
        if !self.is_asked() {
            self.insist();
        }
    }

    /// Asks in any case, for who is about to park: what comes after what the owner is just
    /// answering is asked for too.
    pub(super) fn insist(&self) {
        // An exchange, so that no request hides an earlier one, and Release: who asks has said
        // before that it is to be woken. Partner: `attend`.
        self.limit.swap(0, Ordering::Release);
    }

    /// Whether there is anything in it, public or not.
    pub(super) fn has_entries(&self) -> bool {
        let now = self.shared();
        let ahead = self.head.load(Ordering::Relaxed).wrapping_sub(now.tail()) & TAIL_MASK;
        // The two are read one after the other: the head may be one behind.
        ahead != 0 && ahead < TAIL_MASK / 2
    }

    /// Takes the oldest public entry.
    pub(super) fn steal(&self) -> Steal {
        let now = self.shared();
        if now.count() == 0 {
            return Steal::Empty;
        }
        let mut entry = [Entry::NONE];
        self.read_oldest(now, &mut entry);
        if self.take_oldest(now, 1) { Steal::Taken(entry[0]) } else { Steal::Retry }
    }

    /// Takes half of what is public, but no more than there is room for in `entries`, and only the
    /// oldest that are all alike. Gives back those; none if somebody else was faster.
    pub(super) fn steal_alike<'a>(&self, entries: &'a mut [Entry]) -> &'a [Entry] {
        let now = self.shared();
        let half = (now.count() as usize / 2).min(entries.len());
        if half == 0 {
            return &[];
        }
        let entries = &mut entries[..half];
        self.read_oldest(now, entries);
        let alike = entries.iter().take_while(|entry| entry.is_alike()).count();
        if alike > 0 && self.take_oldest(now, alike as u64) { &entries[..alike] } else { &[] }
    }

    /// Reads the oldest entries, all of them public, of which there are some. They are what it
    /// says if the exchange that takes them succeeds.
    fn read_oldest(&self, now: Shared, entries: &mut [Entry]) {
        // SAFETY: something is public, so there is a ring; and rings go only with the deque. If
        // it is not the newest any more, the entries are still those that were at these places.
        let ring = unsafe { &*self.ring.load(Ordering::Acquire) };
        for (place, entry) in (now.tail()..).zip(entries) {
            *entry = Entry(ring.slot(place).load(Ordering::Relaxed));
        }
    }

    /// Takes so many, all of them public, if nothing has changed since `now`.
    fn take_oldest(&self, now: Shared, count: u64) -> bool {
        self.exchange(now, Shared::new(now.tail() + count, now.count() - count, now.claimant()))
    }

    /// Where nothing is public, makes half of what there is public in the owner's place, for an
    /// owner that does not answer, and whatever it is doing meanwhile. `false` if it came to nothing.
    ///
    /// `me` is different for each claimant, and neither 0 nor above [`MOST_CLAIMANTS`]. Costs a
    /// [`heavy`] fence where there is something to claim.
    pub(super) fn claim(&self, me: usize) -> bool {
        let now = self.shared();
        let private = || {
            // Acquire: what lies below the head is there. Partner: `push` and `lower`.
            let head = self.head.load(Ordering::Acquire);
            head.saturating_sub(now.split_near(head))
        };
        let wanted = private().div_ceil(2).min(MOST_PUBLIC);
        let claimed = Shared::new(now.tail(), 0, me as u64);
        let is_free = now.count() == 0 && now.claimant() == 0;
        if wanted == 0 || !is_free || !self.exchange(now, claimed) {
            return false;
        }
        // Relaxed: it is only to tell the full number; the fence below is what orders the two sides.
        let split = now.split_near(self.head.load(Ordering::Relaxed));
        self.bound.fetch_max(split + wanted, Ordering::Relaxed);
        // Without a barrier the owner may have missed it: then nothing is claimed.
        let count = if heavy() { private().min(wanted) } else { 0 };
        // It fails if the owner has taken the claim back, which it does with whatever it changes.
        self.exchange(claimed, Shared::new(now.tail(), count, 0)) && count > 0
    }
}

impl Drop for Deque {
    fn drop(&mut self) {
        // Relaxed: to drop it, one must have seen all others go.
        let ring = self.ring.load(Ordering::Relaxed);
        if !ring.is_null() {
            // SAFETY: it came from `into_raw`, and nobody else is there any more.
            drop(unsafe { Box::from_raw(ring) });
        }
    }
}
