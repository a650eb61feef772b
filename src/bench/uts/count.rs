//! Counting a tree: by one thread, and by many.

use super::{Node, Tree};
use crate::pool::{self, Divisible};

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

/// Counts `tree` by the caller's team.
#[must_use]
pub fn count_by_dividing(tree: &Tree) -> Counts {
    pool::divide(Search::new(tree))
}

/// Counts `tree` by the rayon pool of the caller.
#[must_use]
pub fn count_by_rayon(tree: &Tree) -> Counts {
    part(tree, vec![tree.root()])
}

/// Counts `node` and puts its children on the stack of those still to be visited.
fn visit(tree: &Tree, node: &Node, stack: &mut Vec<Node>, counts: &mut Counts) {
    let children = tree.children(node);
    counts.nodes += 1;
    counts.depth = counts.depth.max(node.depth());
    counts.leaves += u64::from(children == 0);
    stack.extend((0..children).map(|place| node.child(place)));
}

/// A part of a tree that is being counted.
#[derive(Debug)]
pub struct Search<'a> {
    tree: &'a Tree,
    /// The nodes that are to be visited, with all below them.
    stack: Vec<Node>,
    counts: Counts,
}

impl<'a> Search<'a> {
    /// The whole of `tree`.
    #[must_use]
    pub fn new(tree: &'a Tree) -> Search<'a> {
        Search { tree, stack: vec![tree.root()], counts: Counts::default() }
    }
}

impl Divisible for Search<'_> {
    type Output = Counts;

    fn advance(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            let Some(node) = self.stack.pop() else { return false };
            visit(self.tree, &node, &mut self.stack, &mut self.counts);
        }
        !self.stack.is_empty()
    }

    /// Those further down are nearer to the root, and more is below them.
    fn split(&mut self) -> Option<Self> {
        let lower: Vec<Node> = self.stack.drain(..self.stack.len() / 2).collect();
        let given = Search { stack: lower, counts: Counts::default(), ..*self };
        (!given.stack.is_empty()).then_some(given)
    }

    fn finish(self) -> Counts {
        self.counts
    }

    fn merge(left: Counts, right: Counts) -> Counts {
        left.merge(right)
    }
}

/// How many nodes a part visits before it is halved for rayon: some ten microseconds. So a fork,
/// the stack that it needs and the digests that do not overlap any more cost a few per cent; with
/// a fork at each node they cost a fifth, and a tree as deep as T3L overflows the stack of a thread.
const GRAIN: u32 = 128;

/// Counts the nodes on `stack` and all below them by joins.
fn part(tree: &Tree, mut stack: Vec<Node>) -> Counts {
    let mut counts = Counts::default();
    loop {
        for _ in 0..GRAIN {
            let Some(node) = stack.pop() else { return counts };
            visit(tree, &node, &mut stack, &mut counts);
        }
        if stack.len() > 1 {
            let upper = stack.split_off(stack.len() / 2);
            let (upper, lower) = rayon::join(|| part(tree, upper), || part(tree, stack));
            return counts.merge(upper).merge(lower);
        }
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

    fn check_by_dividing(name: &str, workers: usize) {
        let pool = Pool::builder().threads(workers).build().unwrap();
        check(name, |tree| pool.install(|| count_by_dividing(tree)));
    }

    #[test]
    fn t3_is_as_published() {
        check("T3", count);
    }

    #[test]
    fn a_flat_tree_is_counted_by_two_workers() {
        check_by_dividing("T1", 2);
    }

    #[test]
    fn a_deep_tree_is_counted_by_four_workers() {
        check_by_dividing("T3", 4);
    }
}
