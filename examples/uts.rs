//! Counts the published unbalanced trees, which nobody can cut up beforehand, as often and by as
//! many workers as is wished, and sees that the counts are the published ones.
//!
//! ```text
//! cargo run --release --example uts              # all but the large ones, by 1, 2, 4 and 8 workers
//! cargo run --release --example uts -- T1L 1 2   # a tree, how often, workers
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::error::Error;
use std::time::Instant;

use evenkeel::bench::uts::{Counts, Tree, count_by_dividing};
use evenkeel::pool::Pool;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
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
                let counts = pool.install(|| count_by_dividing(tree));
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
