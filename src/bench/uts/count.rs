//! Counting a tree: by one thread, and by many.

use super::{Node, Tree};
use crate::pool::Context;

/// What is counted of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The nodes.
    pub nodes: u64,
    /// How far the farthest is from the root.
    pub depth: u32,
    /// Those without children.
    pub leaves: u64,
}

impl Counts {
    fn merge(self, other: Counts) -> Counts {
        Counts {
            nodes: self.nodes + other.nodes,
            depth: self.depth.max(other.depth),
            leaves: self.leaves + other.leaves,
        }
    }
}

/// Counts `tree` by the calling thread alone.
#[must_use]
pub fn count(tree: &Tree) -> Counts {
    let (mut counts, mut stack) = (Counts::default(), vec![tree.root()]);
    while let Some(node) = stack.pop() {
        visit(tree, &node, &mut stack, &mut counts);
    }
    counts
}

/// Counts `tree` by the team of `cx`.
#[must_use]
pub fn count_by_join(cx: &Context, tree: &Tree) -> Counts {
    part(cx, tree, vec![tree.root()])
}

/// Counts `tree` by the rayon pool of the caller.
#[must_use]
pub fn count_by_rayon(tree: &Tree) -> Counts {
    part(&Rayon, tree, vec![tree.root()])
}

/// Counts `node` and puts its children on the stack of those still to be visited.
fn visit(tree: &Tree, node: &Node, stack: &mut Vec<Node>, counts: &mut Counts) {
    let children = tree.children(node);
    counts.nodes += 1;
    counts.depth = counts.depth.max(node.depth());
    counts.leaves += u64::from(children == 0);
    stack.extend((0..children).map(|place| node.child(place)));
}

/// How many nodes a part visits before it is halved: some ten microseconds. So a fork, the stack
/// that it needs and the digests that do not overlap any more cost a few per cent; with a fork at
/// each node they cost a fifth, and a tree as deep as T3L overflows the stack of a thread.
const GRAIN: u32 = 128;

/// Counts the nodes on `stack` and all below them.
fn part(fork: &impl Fork, tree: &Tree, mut stack: Vec<Node>) -> Counts {
    let mut counts = Counts::default();
    loop {
        for _ in 0..GRAIN {
            let Some(node) = stack.pop() else { return counts };
            visit(tree, &node, &mut stack, &mut counts);
        }
        if stack.len() > 1 {
            // Those further down are nearer to the root, and more is below them: for others.
            let upper = stack.split_off(stack.len() / 2);
            let (upper, lower) =
                fork.join(|fork| part(fork, tree, upper), |fork| part(fork, tree, stack));
            return counts.merge(upper).merge(lower);
        }
    }
}

/// Where two things are done at the same time if there is somebody for it.
trait Fork {
    fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce(&Self) -> A + Send,
        b: impl FnOnce(&Self) -> B + Send,
    ) -> (A, B);
}

impl Fork for Context {
    fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce(&Context) -> A + Send,
        b: impl FnOnce(&Context) -> B + Send,
    ) -> (A, B) {
        Context::join(self, a, b)
    }
}

struct Rayon;

impl Fork for Rayon {
    fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce(&Rayon) -> A + Send,
        b: impl FnOnce(&Rayon) -> B + Send,
    ) -> (A, B) {
        rayon::join(|| a(&Rayon), || b(&Rayon))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;

    fn check(name: &str, count: impl FnOnce(&Tree) -> Counts) {
        let tree = Tree::named(name).unwrap();
        assert_eq!(count(tree), tree.counts, "{name}");
    }

    fn check_by_join(name: &str, workers: usize) {
        let pool = Pool::builder().threads(workers).build().unwrap();
        check(name, |tree| pool.run(|cx| count_by_join(cx, tree)));
    }

    #[test]
    fn t1_is_as_published() {
        check("T1", count);
    }

    #[test]
    fn t2_is_as_published() {
        check("T2", count);
    }

    #[test]
    fn t3_is_as_published() {
        check("T3", count);
    }

    #[test]
    fn t5_is_as_published() {
        check("T5", count);
    }

    #[test]
    fn a_flat_tree_is_counted_by_two_workers() {
        check_by_join("T1", 2);
    }

    #[test]
    fn a_deep_tree_is_counted_by_four_workers() {
        check_by_join("T3", 4);
    }

    #[test]
    fn rayon_counts_the_same() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        check("T3", |tree| pool.install(|| count_by_rayon(tree)));
    }
}
