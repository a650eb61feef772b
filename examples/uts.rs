//! Counts the published unbalanced trees, which nobody can cut up beforehand, as often and by as
//! many workers as is wished, and sees that the counts are the published ones.
//!
//! ```text
//! cargo run --release --example uts              # all but the large ones, by 1, 2, 4 and 8 workers
//! cargo run --release --example uts -- T1L 1 2   # a tree, how often, workers
//! cargo run --release --example uts -- T1 100 2 4 delayed
//! ```
//!
//! `delayed`: whoever has a part of the tree stops now and then for a while, at random, also while
//! it gives some of it away.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::error::Error;
use std::hint;
use std::thread;
use std::time::Instant;

use evenkeel::bench::uts::{Counts, Search, Tree};
use evenkeel::pool::{self, Divisible, Pool};

/// A search that is held up at random.
struct Delayed<'a>(Search<'a>, u64);

impl Delayed<'_> {
    fn dawdle(&mut self) {
        let Delayed(_, random) = self;
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        match *random % 128 {
            0 => thread::yield_now(),
            1 => (0..*random >> 53).for_each(|_| hint::spin_loop()),
            _ => {}
        }
    }
}

impl Divisible for Delayed<'_> {
    type Output = Counts;

    fn advance(&mut self, steps: usize) -> bool {
        self.dawdle();
        self.0.advance(steps)
    }

    fn split(&mut self) -> Option<Self> {
        self.dawdle();
        let given = self.0.split()?;
        self.dawdle();
        Some(Delayed(given, self.1.rotate_left(17) | 1))
    }

    fn finish(mut self) -> Counts {
        self.dawdle();
        self.0.finish()
    }

    fn merge(left: Counts, right: Counts) -> Counts {
        Search::merge(left, right)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let is_delayed = arguments.pop_if(|last| last == "delayed").is_some();
    let trees = match arguments.first() {
        Some(name) => vec![Tree::named(name).ok_or_else(|| format!("there is no tree {name:?}"))?],
        None => ["T1", "T2", "T3", "T5"].into_iter().filter_map(Tree::named).collect(),
    };
    let times: u32 = arguments.get(1).map_or(Ok(1), |times| times.parse())?;
    let workers = match arguments.get(2..) {
        Some(workers @ [_, ..]) => workers.iter().map(|n| n.parse()).collect::<Result<_, _>>()?,
        _ => vec![1, 2, 4, 8],
    };
    for n in workers {
        let pool = Pool::builder().threads(n).build()?;
        for tree in &trees {
            let start = Instant::now();
            for time in 1..=times {
                let search = Search::new(tree);
                let counts = pool.install(|| match is_delayed {
                    true => pool::divide(Delayed(search, u64::from(time))),
                    false => pool::divide(search),
                });
                if counts != tree.counts {
                    let Tree { name, counts: published, .. } = tree;
                    let message =
                        format!("{name}, {n} workers, run {time}: {counts:?}, not {published:?}");
                    return Err(message.into());
                }
            }
            let Counts { nodes, depth, leaves } = tree.counts;
            let rate = f64::from(times) * nodes as f64 / start.elapsed().as_secs_f64() / 1e6;
            println!(
                "{:<4} {n} workers: {nodes} nodes, {leaves} leaves, depth {depth}; {times} of \
                 {times} runs, {rate:.1} million nodes a second",
                tree.name
            );
        }
    }
    Ok(())
}
