//! What a native peer does as a contender of each workload.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use evenkeel::bench::graph::Dag;
use evenkeel::bench::latency::Stamp;
use evenkeel::bench::launch::{Launches, Place};
use evenkeel::bench::loops::Increments;
use evenkeel::bench::metg::{Cell, Stencil};
use evenkeel::bench::tree::{Node, Tree};

use super::Native;

/// What a peer takes from outside: a function, and what it is called with.
type Submit = unsafe extern "C" fn(Task, *const c_void, u32);
type Task = unsafe extern "C" fn(*const c_void, u32);

impl Native {
    pub(crate) fn fib(self, threads: usize) -> Option<impl FnMut(&mut u32) -> u64> {
        // SAFETY: as in `peer.h`.
        let fib: unsafe extern "C" fn(u32) -> u64 = unsafe { self.function("peer_fib") }?;
        Some(move |n: &mut u32| {
            self.use_threads(threads);
            // SAFETY: it takes any number.
            unsafe { fib(*n) }
        })
    }

    pub(crate) fn tree(self, threads: usize) -> Option<impl FnMut(&mut Tree) -> u64> {
        // SAFETY: as in `peer.h`; a box, or none, is a pointer, or null.
        let sum: unsafe extern "C" fn(Option<&Node>) -> u64 =
            unsafe { self.function("peer_tree") }?;
        Some(move |tree: &mut Tree| {
            self.use_threads(threads);
            // SAFETY: it only reads, and has ended when it returns.
            unsafe { sum(tree.as_deref()) }
        })
    }

    pub(crate) fn spawn_producer(self, threads: usize) -> Option<impl FnMut(&mut Vec<u32>)> {
        self.numbers("peer_spawn_producer", threads)
    }

    pub(crate) fn spawn_recursive(self, threads: usize) -> Option<impl FnMut(&mut Vec<u32>)> {
        self.numbers("peer_spawn_recursive", threads)
    }

    pub(crate) fn increments(self, threads: usize) -> Option<impl FnMut(&mut Increments)> {
        let mut increment = self.numbers("peer_increment", threads)?;
        Some(move |Increments { numbers, loops }: &mut Increments| {
            (0..*loops).for_each(|_| increment(numbers));
        })
    }

    /// A function that works on an array of numbers.
    fn numbers(self, name: &str, threads: usize) -> Option<impl FnMut(&mut Vec<u32>)> {
        // SAFETY: as in `peer.h`, all that this is called with.
        let function: unsafe extern "C" fn(*mut u32, usize) = unsafe { self.function(name) }?;
        Some(move |numbers: &mut Vec<u32>| {
            self.use_threads(threads);
            // SAFETY: the numbers are this call's alone, and it has ended when it returns.
            unsafe { function(numbers.as_mut_ptr(), numbers.len()) }
        })
    }

    pub(crate) fn launches(self, threads: usize) -> Option<impl FnMut(&mut Launches)> {
        // SAFETY: as in `peer.h`.
        let launch: unsafe extern "C" fn(*mut Place, usize, usize) =
            unsafe { self.function("peer_launch") }?;
        Some(move |Launches { places, loops }: &mut Launches| {
            self.use_threads(threads);
            for _ in 0..*loops {
                // SAFETY: the places are this call's alone; the number is the first of each.
                unsafe { launch(places.as_mut_ptr(), stride::<Place>(), places.len()) }
            }
        })
    }

    pub(crate) fn irregular(self, threads: usize) -> Option<impl FnMut(&mut Vec<u32>) -> u64> {
        // SAFETY: as in `peer.h`.
        let sum: unsafe extern "C" fn(*const u32, usize) -> u64 =
            unsafe { self.function("peer_irregular") }?;
        Some(move |lengths: &mut Vec<u32>| {
            self.use_threads(threads);
            // SAFETY: it only reads, and has ended when it returns.
            unsafe { sum(lengths.as_ptr(), lengths.len()) }
        })
    }

    /// The graph is built in the first run, which does not count.
    pub(crate) fn graph(self, threads: usize) -> Option<impl FnMut(&mut Dag)> {
        // SAFETY: as in `peer.h`.
        let new: unsafe extern "C" fn(*const Rows) -> *mut c_void =
            unsafe { self.function("peer_graph_new") }?;
        // SAFETY: as in `peer.h`.
        let run: unsafe extern "C" fn(*mut c_void) = unsafe { self.function("peer_graph_run") }?;
        let mut built = None;
        Some(move |dag: &mut Dag| {
            self.use_threads(threads);
            let (graph, rows) = built.get_or_insert_with(|| {
                let rows = Box::new(Rows::of(dag));
                // SAFETY: the rows are kept beside it.
                (unsafe { new(&raw const *rows) }, rows)
            });
            assert_eq!(rows.ways, dag.ways().as_ptr(), "a contender always gets the same graph");
            // SAFETY: what the rows point to is the graph's, which is this call's alone; and the
            // run has ended when it returns.
            unsafe { run(*graph) }
        })
    }

    pub(crate) fn stencil(self, threads: usize) -> Option<impl FnMut(&mut Stencil)> {
        // SAFETY: as in `peer.h`.
        let run: unsafe extern "C" fn(*const Steps) = unsafe { self.function("peer_stencil") }?;
        Some(move |stencil: &mut Stencil| {
            self.use_threads(threads);
            let Stencil { now, next, steps, length, .. } = stencil;
            let steps = Steps {
                now: now.as_mut_ptr(),
                next: next.as_mut_ptr(),
                stride: stride::<Cell>(),
                width: now.len(),
                steps: *steps,
                length: *length,
            };
            // SAFETY: the cells are this call's alone, and it has ended when it returns.
            unsafe { run(&raw const steps) }
            if steps.steps % 2 == 1 {
                std::mem::swap(now, next);
            }
        })
    }

    /// Submits a task that stores a number.
    pub(crate) fn store(self, threads: usize) -> Option<impl FnMut(&'static AtomicU32, u32)> {
        unsafe extern "C" fn store(place: *const c_void, number: u32) {
            // SAFETY: it comes from a reference that is never gone.
            unsafe { &*place.cast::<AtomicU32>() }.store(number, Ordering::Release);
        }
        // SAFETY: as in `peer.h`.
        let submit: Submit = unsafe { self.function("peer_submit") }?;
        self.use_threads(threads);
        Some(move |place: &'static AtomicU32, number| {
            // SAFETY: `store` may be called by any thread at any time.
            unsafe { submit(store, (&raw const *place).cast(), number) }
        })
    }

    /// Submits a task that marks a stamp.
    pub(crate) fn mark(self, threads: usize) -> Option<impl FnMut(&Stamp)> {
        unsafe extern "C" fn mark(stamp: *const c_void, _: u32) {
            // SAFETY: it comes from the box below, and this is called once.
            unsafe { Box::from_raw(stamp.cast::<Stamp>().cast_mut()) }.mark();
        }
        // SAFETY: as in `peer.h`.
        let submit: Submit = unsafe { self.function("peer_submit") }?;
        self.use_threads(threads);
        Some(move |stamp: &Stamp| {
            let stamp = Box::into_raw(Box::new(stamp.clone()));
            // SAFETY: `mark` may be called by any thread at any time.
            unsafe { submit(mark, stamp.cast_const().cast(), 0) }
        })
    }

    /// Submits a task that marks a stamp and wakes the submitter, who sleeps until then.
    pub(crate) fn mark_and_wait(self, threads: usize) -> Option<impl FnMut(&Stamp)> {
        unsafe extern "C" fn mark(task: *const c_void, _: u32) {
            // SAFETY: it comes from the box below, and this is called once.
            let task = unsafe { Box::from_raw(task.cast::<(Stamp, thread::Thread)>().cast_mut()) };
            task.0.mark();
            task.1.unpark();
        }
        // SAFETY: as in `peer.h`.
        let submit: Submit = unsafe { self.function("peer_submit") }?;
        self.use_threads(threads);
        Some(move |stamp: &Stamp| {
            let task = Box::into_raw(Box::new((stamp.clone(), thread::current())));
            // SAFETY: `mark` may be called by any thread at any time.
            unsafe { submit(mark, task.cast_const().cast(), 0) }
            while !stamp.is_marked() {
                thread::park();
            }
        })
    }
}

/// The numbers from the beginning of a padded one to that of the next.
fn stride<T>() -> usize {
    size_of::<T>() / size_of::<u64>()
}

/// `struct dag` of `peer.h`.
#[repr(C)]
struct Rows {
    nodes: u32,
    starts: *const u32,
    predecessors: *const u32,
    before: *const u32,
    ways: *const AtomicU32,
}

impl Rows {
    fn of(dag: &Dag) -> Rows {
        let (starts, predecessors) = dag.predecessor_rows();
        Rows {
            nodes: dag.len() as u32,
            starts: starts.as_ptr(),
            predecessors: predecessors.as_ptr(),
            before: dag.before().as_ptr(),
            ways: dag.ways().as_ptr(),
        }
    }
}

/// `struct stencil` of `peer.h`.
#[repr(C)]
struct Steps {
    now: *mut Cell,
    next: *mut Cell,
    stride: usize,
    width: usize,
    steps: u32,
    length: u32,
}
