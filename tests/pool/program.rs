//! Random programs of all that a pool can do, each with what it comes to when it is run alone.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{hint, thread};

use evenkeel::policy::Schedule;
use evenkeel::pool::graph::Graph;
use evenkeel::pool::{self, Cancellation, Context, Divisible, Pool};

use super::Random;

/// A program: what it does, and a number of its own, by which it is held up now and then.
pub(crate) struct Program {
    seed: u64,
    does: Does,
}

enum Does {
    Nothing,
    Join(Box<[Program; 2]>),
    Scope(Vec<Program>),
    Loop(Schedule, Box<Program>),
    Divide,
    Graph(Box<Program>),
    Isolate(Box<Program>),
    Block(Box<Program>),
    /// In the other pool.
    Elsewhere(Box<Program>),
    /// Cancelled by one of its parts, or from the beginning.
    Cancelled(Vec<Program>, bool),
    /// Nobody waits for it.
    Detach(Arc<Program>),
    Panic,
    Catch(Box<Program>),
}

/// What may be part of a program.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    /// How deep it is.
    depth: u32,
    /// How often it goes to the other pool and back.
    elsewhere: u32,
    /// Whether parts of it are isolated.
    isolated: bool,
    /// Whether it is run to its end in any case.
    sure: bool,
    /// Whether a panic is waited for.
    panics: bool,
}

impl Allowed {
    pub(crate) fn new(depth: u32, elsewhere: u32, isolated: bool) -> Allowed {
        Allowed { depth, elsewhere, isolated, sure: true, panics: false }
    }
}

/// A panic on purpose.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned;

/// What a program has left behind besides its value.
#[derive(Default)]
pub(crate) struct Left {
    /// The values of what was detached, added up, and how many pieces it was.
    pub(crate) sum: AtomicU64,
    pub(crate) ended: AtomicUsize,
    /// Closures that are neither run nor dropped.
    pub(crate) alive: AtomicUsize,
}

/// Where a program runs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) left: &'a Arc<Left>,
    /// This pool and the other, where it may go to it.
    pub(crate) pools: Option<[&'a Pool; 2]>,
}

/// What a closure holds.
struct Held(Arc<Left>);

impl Held {
    fn new(left: &Arc<Left>) -> Held {
        left.alive.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(left))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self.0.alive.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "a closure is dropped once");
    }
}

const ITEMS: u64 = 40;
const NODES: usize = 12;

fn mix(a: u64, b: u64) -> u64 {
    Random(a.rotate_left(7) ^ b).below(1 << 40)
}

impl Program {
    pub(crate) fn random(random: &mut Random, allowed: Allowed) -> Program {
        let seed = random.below(1 << 40);
        let deeper = Allowed { depth: allowed.depth.saturating_sub(1), ..allowed };
        let one = |random: &mut Random, allowed| Box::new(Program::random(random, allowed));
        let some = |random: &mut Random, allowed| {
            let n = random.below(6);
            (0..n).map(|_| Program::random(random, allowed)).collect()
        };
        // What comes beside something that panics may not be run.
        let unsure = Allowed { sure: false, ..deeper };
        let does = match if allowed.depth == 0 { 0 } else { random.below(22) } {
            0 if allowed.panics && random.below(3) == 0 => Does::Panic,
            0 => Does::Nothing,
            1..=6 => Does::Join(Box::new([0, 1].map(|_| Program::random(random, deeper)))),
            7..=10 => Does::Scope(some(random, deeper)),
            11 => {
                let schedule = Schedule::ALL[random.below(7) as usize];
                Does::Loop(schedule, one(random, deeper))
            }
            12 => Does::Divide,
            13 => Does::Graph(one(random, deeper)),
            14 if allowed.isolated => {
                Does::Isolate(one(random, Allowed { elsewhere: 0, ..deeper }))
            }
            15 => Does::Block(one(random, deeper)),
            16 if allowed.elsewhere > 0 => {
                let elsewhere = allowed.elsewhere - 1;
                Does::Elsewhere(one(random, Allowed { elsewhere, ..deeper }))
            }
            17 => {
                let from_the_beginning = random.below(2) == 0;
                let parts = some(random, Allowed { panics: false, ..unsure });
                Does::Cancelled(parts, from_the_beginning)
            }
            18 | 19 if allowed.sure => {
                let detached = Allowed { elsewhere: 0, ..deeper };
                Does::Detach(Arc::new(Program::random(random, detached)))
            }
            _ => Does::Catch(one(random, Allowed { panics: true, ..unsure })),
        };
        Program { seed, does }
    }

    /// What it comes to, and by itself what it leaves behind.
    pub(crate) fn alone(&self, left: &Left) -> Result<u64, Planned> {
        let value = match &self.does {
            Does::Nothing => 0,
            Does::Join(both) => mix(both[0].alone(left)?, both[1].alone(left)?),
            Does::Scope(parts) => {
                let values = parts.iter().map(|part| part.alone(left));
                values.collect::<Result<Vec<_>, _>>()?.into_iter().sum()
            }
            Does::Loop(_, inner) => inner.alone(left)? + (0..ITEMS).sum::<u64>(),
            Does::Divide => (0..ITEMS).map(|i| i * i).sum(),
            Does::Graph(inner) => {
                let mut values = [inner.alone(left)?; NODES];
                for node in 1..NODES {
                    values[node] = self.node(node, |before| values[before]);
                }
                values[NODES - 1]
            }
            Does::Isolate(inner) | Does::Block(inner) | Does::Elsewhere(inner) => {
                inner.alone(left)?
            }
            Does::Cancelled(..) => 1,
            Does::Detach(inner) => {
                left.add(inner.alone(left).expect("it does not panic"));
                0
            }
            Does::Panic => return Err(Planned),
            Does::Catch(inner) => inner.alone(left).unwrap_or(7),
        };
        Ok(mix(self.seed, value))
    }

    /// Runs it where it is called.
    pub(crate) fn run(&self, place: Place<'_>, cx: Option<&Context>) -> u64 {
        self.dawdle(0);
        let inner = |inner: &Program, cx: Option<&Context>| {
            let _held = Held::new(place.left);
            inner.run(place, cx)
        };
        let value = match &self.does {
            Does::Nothing => 0,
            Does::Join(both) => {
                let held = [0, 1].map(|_| Held::new(place.left));
                let [one, other] = &**both;
                let [a, b] = held;
                let (a, b) = match cx {
                    Some(cx) => cx.join(
                        move |cx| (one.run(place, Some(cx)), drop(a)).0,
                        move |cx| (other.run(place, Some(cx)), drop(b)).0,
                    ),
                    None => pool::join(
                        move || (one.run(place, None), drop(a)).0,
                        move || (other.run(place, None), drop(b)).0,
                    ),
                };
                mix(a, b)
            }
            Does::Scope(parts) => {
                let sum = AtomicU64::new(0);
                pool::scope(|s| {
                    for (at, part) in parts.iter().enumerate() {
                        let (held, sum) = (Held::new(place.left), &sum);
                        let body = move || {
                            sum.fetch_add(part.run(place, None), Ordering::Relaxed);
                            drop(held);
                        };
                        if at % 2 == 0 { s.spawn(body) } else { s.spawn(move || s.spawn(body)) }
                    }
                    self.dawdle(1);
                });
                sum.into_inner()
            }
            Does::Loop(schedule, part) => {
                let item = |i| i + if i == ITEMS / 2 { inner(part, None) } else { 0 };
                let items = pool::range(0..ITEMS).schedule(*schedule);
                items.map_reduce(item, 0, |a, b| a + b)
            }
            Does::Divide => pool::divide(Squares { left: 0..ITEMS, sum: 0 }),
            Does::Graph(part) => self.run_graph(|| inner(part, None)),
            Does::Isolate(part) => match cx {
                Some(cx) => cx.isolate(|cx| inner(part, Some(cx))),
                None => pool::isolate(|| inner(part, None)),
            },
            Does::Block(part) => pool::blocking(|| inner(part, cx)),
            Does::Elsewhere(part) => {
                let [here, there] = place.pools.expect("it is allowed where there are two");
                let place = Place { pools: Some([there, here]), ..place };
                there.run(|cx| part.run(place, Some(cx)))
            }
            Does::Cancelled(parts, from_the_beginning) => {
                self.run_cancelled(parts, *from_the_beginning, place);
                1
            }
            Does::Detach(part) => {
                let (part, held) = (Arc::clone(part), Held::new(place.left));
                pool::spawn(move || {
                    let place = Place { left: &held.0, pools: None };
                    place.left.add(part.run(place, None));
                });
                0
            }
            Does::Panic => panic::resume_unwind(Box::new(Planned)),
            Does::Catch(part) => match panic::catch_unwind(AssertUnwindSafe(|| inner(part, cx))) {
                Ok(value) => value,
                Err(payload) if payload.is::<Planned>() => 7,
                Err(payload) => panic::resume_unwind(payload),
            },
        };
        self.dawdle(2);
        mix(self.seed, value)
    }

    /// Every part is run once at most; of those of a cancelled scope, or loop, none.
    fn run_cancelled(&self, parts: &[Program], from_the_beginning: bool, place: Place<'_>) {
        let cancellation = Cancellation::new();
        if from_the_beginning {
            cancellation.cancel();
        }
        let runs: Vec<_> = parts.iter().map(|_| AtomicUsize::new(0)).collect();
        let part = |at: usize| {
            runs[at].fetch_add(1, Ordering::Relaxed);
            if at == parts.len() / 2 {
                cancellation.cancel();
            }
            parts[at].run(place, None);
        };
        if self.seed.is_multiple_of(2) {
            pool::scope(|s| {
                for at in 0..parts.len() {
                    let (held, part) = (Held::new(place.left), &part);
                    s.spawn_unless(&cancellation, move || (part(at), drop(held)).0);
                }
            });
        } else {
            pool::range(0..parts.len()).unless(&cancellation).for_each(part);
        }
        let most = usize::from(!from_the_beginning);
        assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) <= most));
    }

    /// Runs a graph of values twice; `first` is the value of the first node.
    fn run_graph(&self, first: impl Fn() -> u64 + Sync) -> u64 {
        let edges = (1..NODES).flat_map(|node| self.before(node).map(move |before| (before, node)));
        let mut graph = Graph::from_edges(NODES, edges).expect("edges go up");
        let values = [(); NODES].map(|()| AtomicU64::new(0));
        for round in 0..2 {
            graph.run(|node| {
                // Relaxed: the graph is to see to the order.
                let load = |before: usize| values[before].load(Ordering::Relaxed);
                let value = match node {
                    0 if round == 0 => first(),
                    0 => load(0),
                    node => self.node(node, load),
                };
                self.dawdle(node as u64);
                values[node].store(value, Ordering::Relaxed);
            });
        }
        values[NODES - 1].load(Ordering::Relaxed)
    }

    /// The nodes before one, in no order.
    fn before(&self, node: usize) -> impl Iterator<Item = usize> {
        let mut random = Random(self.seed + node as u64);
        let other = random.below(node as u64) as usize;
        [Some(node - 1).filter(|last| *last != other), Some(other)].into_iter().flatten()
    }

    /// What a node of a graph comes to.
    fn node(&self, node: usize, value: impl Fn(usize) -> u64) -> u64 {
        mix(self.seed, self.before(node).map(value).fold(node as u64, u64::wrapping_add))
    }

    /// Is held up now and then.
    fn dawdle(&self, place: u64) {
        let mut random = Random(self.seed ^ place << 40);
        match random.below(12) {
            0 => thread::yield_now(),
            1 | 2 => (0..random.below(500)).for_each(|_| hint::spin_loop()),
            3 if random.below(8) == 0 => {
                (0..random.below(20_000)).for_each(|_| hint::spin_loop());
            }
            _ => {}
        }
    }
}

impl Left {
    fn add(&self, value: u64) {
        self.sum.fetch_add(value, Ordering::Relaxed);
        // Release: partner is whoever waits for all.
        self.ended.fetch_add(1, Ordering::Release);
    }
}

/// A sum of squares that is split while it is worked out.
struct Squares {
    left: std::ops::Range<u64>,
    sum: u64,
}

impl Divisible for Squares {
    type Output = u64;

    fn advance(&mut self, steps: usize) -> bool {
        self.sum += self.left.by_ref().take(steps.min(3)).map(|i| i * i).sum::<u64>();
        !self.left.is_empty()
    }

    fn split(&mut self) -> Option<Squares> {
        let middle = self.left.start + (self.left.end - self.left.start) / 2;
        let upper = middle..self.left.end;
        self.left.end = middle;
        (!upper.is_empty()).then_some(Squares { left: upper, sum: 0 })
    }

    fn finish(self) -> u64 {
        self.sum
    }

    fn merge(left: u64, right: u64) -> u64 {
        left + right
    }
}
