//! One run of a graph, from the nodes that wait for none to the last.

use std::panic;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use super::Graph;
use super::node::{Head, entry, node_at};
use crate::pool::context::Context;
use crate::pool::deque::Entry;
use crate::pool::list::Priority;
use crate::pool::tally::Tally;
use crate::pool::wait::Goal;
use crate::pool::work::{FirstPanic, Job, Work};

/// The run that a graph is in. Between two runs nobody asks.
pub(super) type Current = AtomicPtr<Erased>;

/// The head of every run, whatever its nodes do.
#[repr(C)]
pub(super) struct Erased {
    go_on: unsafe fn(*const Erased, &Context, u64, Entry),
}

/// Lies in the frame of whoever runs the graph, and is there until all nodes are counted.
#[repr(C)]
struct Run<'a, F> {
    erased: Erased,
    graph: &'a Graph,
    body: &'a F,
    /// The nodes that have been run are what has ended here. It is the team's, and outlives this.
    tally: &'a Tally,
    /// Who waits for the end.
    waiter: &'a Context,
    panic: FirstPanic,
    /// Whether there was one: then nodes do nothing but let their successors go.
    failed: AtomicBool,
}

/// Runs all nodes of `graph` by the caller's team. The caller lets no other run of it begin
/// before this returns.
pub(super) fn run<F: Fn(usize) + Sync>(cx: &Context, graph: &Graph, body: &F) {
    let tallies = cx.team().tallies();
    let tally = tallies.lend();
    let run = Run {
        erased: Erased { go_on: Run::<F>::go_on },
        graph,
        body,
        // SAFETY: it is there as long as the team, which the caller is in.
        tally: unsafe { tally.as_ref() },
        waiter: cx,
        panic: FirstPanic::default(),
        failed: AtomicBool::new(false),
    };
    let this = (&raw const run).cast::<Erased>();
    // Relaxed: whoever takes a node finds the run by way of the deque that the node was in.
    graph.current.store(this.cast_mut(), Ordering::Relaxed);
    let base = cx.deque.head();
    if let Some(first) = run.release(cx, graph.beginning()) {
        // SAFETY: it has just become ready, and went nowhere else. This function neither unwinds
        // nor returns before all nodes are counted.
        unsafe { Run::<F>::go_on(this, cx, base, entry(&graph.heads, first)) };
    }
    cx.help_until(base, &run);
    // SAFETY: lent above, and all that was to be counted has been.
    unsafe { tallies.take_back(tally) };
    if let Some(payload) = run.panic.take() {
        panic::resume_unwind(payload);
    }
}

/// How a node is run by one who has its head.
///
/// # Safety
/// `this` is in the head of a node that is ready, and nobody else runs it.
pub(super) unsafe fn take_up(this: *const Job, cx: &Context) {
    // SAFETY: the graph, and the run that it is in, are there until the node is counted. Of this
    // worker's deque it may take only what will lie above what is there now.
    unsafe {
        let run = (*this.cast::<Head>()).renew().load(Ordering::Relaxed);
        let entry = Entry::new(this.cast_mut().cast(), true);
        ((*run).go_on)(run, cx, cx.deque.head(), entry);
    }
}

impl<F: Fn(usize) + Sync> Run<'_, F> {
    /// Runs the node of `entry`, and what becomes ready by it, as far as nobody else takes that.
    /// Of the own deque it takes nothing below `base`.
    ///
    /// # Safety
    /// `this` is a run of this very type, and the node is ready and not run by anybody else. So
    /// the run is there until the node is counted, and may be gone when this returns.
    unsafe fn go_on(this: *const Erased, cx: &Context, base: u64, entry: Entry) {
        let this = this.cast::<Self>();
        // SAFETY: the node is not counted before the last line of this.
        let (tally, (ran, other)) = unsafe {
            let run = &*this;
            (run.tally, run.work_off(cx, base, entry))
        };
        if let Some(waiter) = tally.end(cx.seat(), ran) {
            // SAFETY: a member of the team that the caller is in too.
            unsafe { &*waiter }.wake();
        }
        // Only now, since nobody who waits for this graph waits for that.
        if let Some(other) = other {
            cx.run(other);
        }
    }

    /// Runs nodes until there are no more on top of the own deque. Gives back how many, and what
    /// it found there instead.
    #[inline]
    fn work_off(&self, cx: &Context, base: u64, first: Entry) -> (u64, Option<Entry>) {
        let (mut ran, mut found) = (0, Some(first));
        while let Some(entry) = found {
            let mut next = node_at(&self.graph.heads, entry.address());
            if next.is_none() {
                break;
            }
            while let Some(node) = next {
                self.call(node);
                ran += 1;
                next = self.release(cx, node);
            }
            found = cx.pop_above(base);
        }
        (ran, found)
    }

    /// What the node does.
    #[inline]
    fn call(&self, node: u32) {
        // Relaxed: a node that does not see it yet is one that had begun.
        if !self.failed.load(Ordering::Relaxed)
            && self.panic.keep(|| (self.body)(node as usize)).is_none()
        {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Tells the successors of `node`. Of those that are ready it gives back the first, to be run
    /// next, and offers the others.
    #[inline(always)]
    fn release(&self, cx: &Context, node: u32) -> Option<u32> {
        let graph = self.graph;
        let mut next = None;
        for &to in &graph.successors[graph.nodes[node as usize].row()] {
            if !graph.nodes[to as usize].arrive() {
                continue;
            }
            if !graph.homes.is_empty() && self.send_home(cx, to) {
                continue;
            }
            if next.is_none() {
                next = Some(to);
            } else {
                cx.offer(entry(&graph.heads, to));
            }
        }
        next
    }

    /// Hands a ready node to the domain that it is at home in, if that is not the caller's and the
    /// team has somebody there. `false` if not.
    #[cold]
    fn send_home(&self, cx: &Context, node: u32) -> bool {
        let home = self.graph.homes.get(node as usize);
        let list = home.and_then(|domain| cx.team().list_of(*domain as usize));
        let Some(list) = list.filter(|list| *list != cx.post().list()) else { return false };
        // SAFETY: the node is run once, by a member of the team, and its run waits for that.
        let work = unsafe { Work::of(entry(&self.graph.heads, node)) };
        cx.team().inject(work, Some(list), Priority::default());
        true
    }
}

impl<F> Goal for Run<'_, F> {
    fn is_reached(&self) -> bool {
        self.tally.ended() == self.graph.len() as u64
    }

    /// What is left on the own deque may be of this run, and asking all others takes longer.
    fn comes_first(&self) -> bool {
        false
    }

    fn announce(&self) {
        self.tally.announce(self.waiter);
    }
}
